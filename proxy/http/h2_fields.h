// From a head as Tidegate's own HTTP/1.1 encoders wrote it to the fields of HTTP/2 (RFC 9113 §8.3): rewriting is done once, for
// both protocols, and what is left here is form. The text is trusted: it is never a peer's.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "http/h2_session.h"

namespace tidegate::http {

/// Kept for reuse: in the steady state it allocates nothing. Good until the encoded text changes.
class H2Fields {
 public:
  /// The pseudo-header fields come first. Fields that belong to an HTTP/1.1 connection are left out. A request with Upgrade becomes
  /// an extended CONNECT (RFC 8441 §4), without the key of a WebSocket.
  void assign_request(Buffer& encoded, std::string_view scheme);
  /// status() is apart.
  void assign_response(Buffer& encoded);
  /// Those of them that may be trailers; the text is the list's own, and names are made lower case in `lowered`.
  void assign_trailers(const FieldList& trailers, Buffer& lowered);

  std::uint16_t status() const noexcept { return status_; }
  bool is_extended_connect() const noexcept { return !protocol_.empty(); }
  std::span<const H2Field> view() const noexcept { return fields_; }

 private:
  void add_lines(char* at, char* end, bool request);

  std::vector<H2Field> fields_;
  std::string_view protocol_;  // that the request would upgrade to
  std::uint16_t status_ = 0;
};

}  // namespace tidegate::http
