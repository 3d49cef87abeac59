// One HTTP/2 connection without its socket (RFC 9113, by nghttp2): bytes in, events out; submissions in, bytes out. The same
// for both roles: the server's side of a client's connection and the client's side of an upstream's.
//
// What nghttp2 leaves to its user is done here and has a name in H2Limits: fields counted one by one (cookie crumbs too),
// decoded bytes of a field section, floods of control frames, of empty frames and of resets from either end, output that
// nobody reads. Who goes over a limit of the connection is told ENHANCE_YOUR_CALM, and the connection is over; who goes over a
// limit of one message gets 431 or a reset for that one.
//
// Heads come out as the model that HTTP/1 heads come out as, checked by the same rules (http/grammar.h), so that nothing which
// HTTP/1 would refuse can cross into it (RFC 9113 §8.2, §8.3, §10.3). No I/O, no clock: time is an argument. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/buffer.h"
#include "base/clock.h"
#include "http/h1_head.h"
#include "http/h2_limits.h"
#include "http/head.h"

namespace tidegate::http {

enum class H2Role : std::uint8_t { Server, Client };

/// The codes of RFC 9113 §7 that Tidegate uses by name.
enum class H2Error : std::uint32_t {
  NoError = 0,
  Protocol = 1,
  Internal = 2,
  FlowControl = 3,
  StreamClosed = 5,
  RefusedStream = 7,
  Cancel = 8,
  EnhanceYourCalm = 11,
  Http11Required = 13,
};

/// A field to be sent. The name in lower case. The text need live during the call only.
struct H2Field {
  std::string_view name;
  std::string_view value;
};

/// What pull() found: so many bytes were written; nothing more for now (resume() tells when), or nothing more at all.
struct H2Pulled {
  std::size_t bytes = 0;
  bool last = false;   ///< the body is complete; what trailers() was given follows by itself
};

/// Told what arrived; called from inside feed() and produce(). Nothing of the session may be destroyed in here; submissions
/// are allowed.
class H2Events {
 public:
  /// Server: a request's head is complete. `head` has views into `bytes`; both may be taken over (swap) by the callee. The head's
  /// framing is None when the message ends with it (ends), else Framing::Frames; has_content_length as said by the field.
  /// After a head that `ends` there is no on_end().
  virtual void on_request(std::int32_t stream, RequestHead& head, Buffer& bytes, bool ends) = 0;
  /// Server: a head that was well framed, and is refused: to be answered with that status. Nothing more of the request is told.
  virtual void on_refused(std::int32_t stream, const Refusal& refusal) = 0;
  /// Client: a response's head, also 1xx ones (which never end the message).
  virtual void on_response(std::int32_t stream, ResponseHead& head, Buffer& bytes, bool ends) = 0;
  /// A piece of a body. It counts against the stream's window until consumed().
  virtual void on_data(std::int32_t stream, std::string_view data) = 0;
  /// The trailer section; the end follows.
  virtual void on_trailers(std::int32_t stream, FieldList& fields, Buffer& bytes) = 0;
  /// The peer's direction of the stream ended in an orderly way.
  virtual void on_end(std::int32_t stream) = 0;
  /// The next bytes of a body that is being sent, at most `most`. Called from inside produce().
  virtual H2Pulled pull(std::int32_t stream, char* to, std::size_t most) = 0;
  /// The end of our direction is in frames.
  virtual void on_sent_end(std::int32_t stream) = 0;
  /// The stream is over, in both directions; `code` other than NoError: by a reset, of either end (`by_peer`). The last event
  /// of it: exactly once for each stream that on_request() or on_refused() told of or that request() gave, but not for those
  /// that are open when the connection is over. A peer that resets with NO_ERROR what was not complete is told as Cancel.
  /// `unprocessed`: the peer says that it did nothing with the request (REFUSED_STREAM, or above GOAWAY's last).
  virtual void on_closed(std::int32_t stream, H2Error code, bool by_peer, bool unprocessed) = 0;
  /// The peer takes no new streams on this connection.
  virtual void on_goaway() = 0;
  /// A PING of ours was answered.
  virtual void on_pong() = 0;
  /// The peer's first SETTINGS have arrived: what it offers is known.
  virtual void on_settings() = 0;

 protected:
  ~H2Events() = default;
};

class H2Session {
 public:
  class Impl;  ///< h2_impl.h

  /// @param blocks for the bytes of heads.
  H2Session(H2Role role, const H2Limits& limits, H2Events& events, BlockPool& blocks, TimePoint now);
  H2Session(const H2Session&) = delete;
  H2Session& operator=(const H2Session&) = delete;
  ~H2Session();

  /// @return false when the connection is over: what produce() still gives is to be sent, then it is to be closed. refusal()
  /// tells why. Some errors of the peer show only when the GOAWAY for them is produced: ask is_over() after produce(). The
  /// streams that are open then get no on_closed().
  bool feed(std::string_view bytes, TimePoint now);
  /// Appends frames to `out`, until about `most` bytes are in it (a frame more, at the most) or there is nothing to send.
  /// Bodies are pulled into it straight; where less than 4 KiB are free, it grows.
  void produce(Buffer& out, std::size_t most);
  bool wants_to_send() const noexcept;
  /// Neither end has anything left to do: GOAWAY was sent or received and no stream is open, or it was sent for an error.
  bool is_over() const noexcept;
  /// A field section has begun to arrive and is not complete.
  bool is_in_head() const noexcept;
  /// A static text of why the connection is over: what the peer did. Empty when it did nothing wrong.
  std::string_view refusal() const noexcept;

  // --- server
  /// A final response's head; `ends`: without a body. When a response is complete before its request, the rest of that is still told:
  /// who does not want it resets with NO_ERROR (RFC 9113 §8.1). @param status 200..599
  /// @return false when the stream is over.
  bool respond(std::int32_t stream, std::uint16_t status, std::span<const H2Field> fields, bool ends);
  /// A 1xx response's head.
  bool inform(std::int32_t stream, std::uint16_t status, std::span<const H2Field> fields);

  // --- client
  /// @param fields pseudo-header fields first. @return the stream's number, or -1: none to be had on this connection, or not before
  /// another one is over (peer_streams()).
  std::int32_t request(std::span<const H2Field> fields, bool ends);
  /// How many streams the peer lets us have open at a time.
  std::uint32_t peer_streams() const noexcept;
  /// The peer's SETTINGS have arrived.
  bool knows_peer() const noexcept;
  /// The peer has offered RFC 8441.
  bool peer_takes_connect_protocol() const noexcept;

  // --- both
  /// pull() has something again.
  void resume(std::int32_t stream);
  /// Trailers for a body that is being sent; before pull() says `last`, or from inside it.
  void trailers(std::int32_t stream, std::span<const H2Field> fields);
  /// on_closed() follows when the reset is produced; nothing else does.
  void reset(std::int32_t stream, H2Error code);
  /// So many bytes of on_data() were passed on: the stream's window opens again by as much. The connection's window opens with what
  /// arrives: a stream whose bytes nobody takes must not keep back the others. They are bounded by their own windows.
  void consumed(std::int32_t stream, std::size_t bytes);
  void ping();
  /// Client: not a byte of that stream's head is in the first `left` bytes that produce() gave, all calls together.
  bool is_unsent(std::int32_t stream, std::uint64_t left) const noexcept;
  /// Server: GOAWAY with the highest number: no new streams, please; those on their way are still served (RFC 9113 §6.8).
  void announce_goaway();
  /// GOAWAY with the last number that was taken; later streams are refused.
  void goaway(H2Error code = H2Error::NoError);
  /// Ends the connection for what the peer does: GOAWAY, and nothing more. @param why a static text
  void end(H2Error code, std::string_view why);
  /// Those that were told of and not closed yet.
  std::uint32_t open_streams() const noexcept;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidegate::http
