// A message on a connection that frames messages by itself (HTTP/2): its head and its end are handed over apart from its
// body, whose bytes go through the ByteStream beside it. Whoever carries messages asks for this first; where there is none,
// heads and framing are bytes of the stream (HTTP/1.1).
#pragma once

#include <string_view>

#include "base/buffer.h"
#include "http/head.h"

namespace tidegate::http {

class Frames {
 public:
  /// Hands over a head as the encoders of HTTP/1.1 wrote it (the text is changed in place: names in lower case). `ends`: the
  /// message has no body. A head with a 1xx status is an informational one. One with Upgrade opens a tunnel (RFC 8441), if the
  /// peer takes it: refusal() tells when it does not. @return false when the stream is over.
  virtual bool send_head(Buffer& encoded, bool ends) = 0;
  /// What the next send carries, which may be nothing, is the end of the body; trailers that may travel follow it.
  /// @param trailers nullptr: none
  virtual void finish(const FieldList* trailers) = 0;
  /// A response's head that has arrived, if one has; its views are good until the next one is taken.
  virtual bool take_head(ResponseHead& head) = 0;
  /// Bytes of the body have arrived that were not read.
  virtual bool has_data() const noexcept = 0;
  /// The body's end has arrived, and everything before it was read.
  virtual bool body_ended() const noexcept = 0;
  /// The trailers that were received, once the body's end was read; nullptr: none.
  virtual const FieldList* trailers() const noexcept = 0;
  /// The peer says that it did nothing with the request: it may be sent again, whatever it is (RFC 9113 §8.7).
  virtual bool unprocessed() const noexcept = 0;
  /// The connection has ended before the socket took a byte of the message, and nothing of it will be sent.
  virtual bool unsent() const noexcept = 0;
  /// The connection has ended, not this message alone.
  virtual bool connection_lost() const noexcept = 0;
  /// Why the message could not be sent on this connection at all; a static text, empty when it could.
  virtual std::string_view refusal() const noexcept = 0;

 protected:
  ~Frames() = default;
};

}  // namespace tidegate::http
