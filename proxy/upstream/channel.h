// What an exchange borrows of a connection to an endpoint: all of it (connection.h), or one stream of a connection that carries
// many (shared_connection.h). What the two have in common, and nothing about protocols.
#pragma once

#include <cstddef>

#include "base/buffer.h"
#include "http/frames.h"
#include "http/h1_head.h"
#include "net/byte_stream.h"

namespace tidegate::upstream {

class Channel {
 public:
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  net::ByteStream& stream;
  Buffer received;
  http::Frames* const frames;  ///< where the connection frames messages by itself; else nullptr

  /// It carried an exchange before this one: it may have been closed by the peer in the meantime.
  virtual bool is_reused() const noexcept = 0;
  virtual std::size_t target() const noexcept = 0;

  /// A response's head, if all of one has arrived.
  http::HeadState take_head(http::ResponseHeadDecoder& decoder, http::ResponseHead& head) {
    if (frames != nullptr) return frames->take_head(head) ? http::HeadState::Done : http::HeadState::NeedMore;
    return received.empty() ? http::HeadState::NeedMore : decoder.feed(received.view(), head);
  }
  /// The head that was taken is of no further use.
  void drop_head(const http::ResponseHeadDecoder& decoder) noexcept {
    if (frames == nullptr) received.consume(decoder.consumed());
  }
  /// Waits for more of a head.
  net::ByteStream::ReadOp await_head(Duration timeout) noexcept {
    return frames != nullptr ? stream.readable(timeout) : stream.read(received, timeout);
  }
  /// Lease's business: the exchange is done with it. @param reusable the exchange was complete
  virtual void release(bool reusable) = 0;

 protected:
  Channel(net::ByteStream& bytes, http::Frames* by_itself, BlockPool& blocks) noexcept
      : stream(bytes), received(blocks), frames(by_itself) {}
  ~Channel() = default;
};

}  // namespace tidegate::upstream
