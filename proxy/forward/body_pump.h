// Moves one body from one connection to another: decode, encode anew, send; read more only when everything read before
// has been sent, which is all the back-pressure there is. Trailers, the tee of a mirror and the bound on the length are
// here and nowhere else. The same pump carries requests up and responses down.
//
// The first send also carries the encoded head, so a small message is one system call. Small pieces of a body are copied
// behind it, large ones are sent from where they were received: one part costs the kernel less than two, and copying a
// few KiB costs less than that.
//
// The rest of a large body with a length, that no mirror wants and whose source fills its reads, goes through a pipe and is
// not copied at all (net/splice_pipe.h): 1 MiB costs little more than half. Each piece is bounded by what is left of the
// body, so nothing of the next message is taken. Where that does not work, or no longer pays, the pump goes on by copying.
//
// What was sent may be kept where it was received, for another pump that sends it again (`keep`): a small body costs nothing more
// than its block until the response begins.
#pragma once

#include <cstdint>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/task.h"
#include "http/frames.h"
#include "http/h1_body.h"
#include "mirror/copy.h"
#include "net/byte_stream.h"
#include "route/policy.h"

namespace tidegate::forward {

enum class PumpEnd : std::uint8_t {
  Complete,
  SourceEnded,     ///< the source closed or broke before the body's end
  SourceTimedOut,
  SourceRefused,   ///< the source's framing is wrong
  SourceTooLong,   ///< over `most_bytes`
  SinkEnded,
  SinkTimedOut,
  Canceled,
};

struct Pump {
  Pump(net::ByteStream& source_stream, Buffer& source_bytes, http::BodyDecoder& source_decoder, net::ByteStream& sink_stream,
       Buffer& head)
      : source(source_stream), received(source_bytes), decoder(source_decoder), sink(sink_stream), staged(head) {}

  net::ByteStream& source;
  Buffer& received;            ///< what was read from the source and not yet decoded
  http::BodyDecoder& decoder;
  net::ByteStream& sink;
  Buffer& staged;              ///< holds the encoded head at first; later framing and small pieces
  http::Frames* source_frames = nullptr;  ///< the source's connection frames messages by itself
  http::Frames* sink_frames = nullptr;    ///< the sink's does: it is given the head and the end apart
  bool chunked = false;        ///< how the body is framed for the sink, where that is the pump's business
  Duration source_timeout{0};
  Duration sink_timeout{0};
  std::uint64_t most_bytes = 0;  ///< 0 = no bound
  mirror::Copy* tee = nullptr;
  const route::HeaderEdits* edits = nullptr;  ///< what the route sets or removes does not come as a trailer either

  std::uint64_t bytes = 0;     ///< of body data sent
  bool begun = false;          ///< at least a part of the head may have reached the sink
  std::size_t keep = 0;        ///< as many bytes of `received` stay there after they were sent; when they are more, none do
  std::size_t kept = 0;        ///< those at its front; they end where the next decoding begins
  std::uint64_t teed = 0;      ///< of body data that the tee has had, by pumps before this one as well
  bool consumed = false;       ///< something of what was read of the source is gone: the body cannot be sent again

  const Pump* beside = nullptr;     ///< that carries the other direction: as long as it moves a silent source is waited for
  std::uint64_t beside_bytes = 0;   ///< what that had sent when this one's source was looked at last
  bool is_patient = false;          ///< a silent source is waited for as long as the other direction lasts
  bool source_is_silent = false;    ///< and has been for `source_timeout`

  /// After the source was silent for `source_timeout`.
  bool waits_on() noexcept;
  /// So many more bytes of `received` were sent.
  void pass(std::size_t sent) noexcept;
  /// What was kept is of no further use. Any time, also while the pump runs.
  void forget() noexcept;

  /// The source's trailers, once the body is complete; nullptr: none.
  const http::FieldList* trailers() const noexcept {
    return source_frames != nullptr ? source_frames->trailers() : decoder.trailers();
  }
};

Task<PumpEnd> run(Pump& pump);

}  // namespace tidegate::forward
