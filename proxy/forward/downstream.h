// The client's end of one exchange: all of an HTTP/1.1 connection for a while (session.h), or one stream of a connection that
// carries many (multiplex.h). What an exchange needs to know of it, and nothing about protocols.
#pragma once

#include <string>
#include <string_view>

#include "base/buffer.h"
#include "forward/policy.h"
#include "http/frames.h"
#include "net/byte_stream.h"

namespace tidegate::forward {

class Session;

class Downstream {
 public:
  /// @param session the connection, with what is known of the peer; outlives it.
  Downstream(Session& session, net::ByteStream& stream, http::Frames* frames, Buffer& received) noexcept
      : session_(session), stream_(stream), frames_(frames), received_(received) {}

  Session& session() const noexcept { return session_; }
  /// The request's body comes from it, the response goes to it.
  net::ByteStream& stream() const noexcept { return stream_; }
  /// Where the connection frames messages by itself; else nullptr.
  http::Frames* frames() const noexcept { return frames_; }
  /// Begins with the request's head.
  Buffer& received() const noexcept { return received_; }

 protected:
  ~Downstream() = default;

 private:
  Session& session_;
  net::ByteStream& stream_;
  http::Frames* const frames_;
  Buffer& received_;
};

}  // namespace tidegate::forward
