// An HTTP/2 field section on its way into a head (RFC 9113 §8.2, §8.3). The fields are laid down in one Buffer as the lines
// "name: value CRLF" that HTTP/1 would have, so that whoever passes them on copies them in one piece, and are checked by the
// grammar that HTTP/1 heads are checked by: what would be refused there, or would mean two things, does not come through here.
// The HTTP/2 library checks most of it before; nothing here relies on that.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "http/h1_head.h"
#include "http/head.h"
#include "http/limits.h"

namespace tidegate::http {

class H2FieldSection {
 public:
  /// @param fields where they go; @param bytes what they have views into: both empty, and the caller's until finish().
  void begin(const HeadLimits& limits, FieldList& fields, Buffer& bytes) noexcept;
  /// The next field. @return false when the section is refused: nothing more of it is kept.
  bool add(std::string_view name, std::string_view value);
  const Refusal& refusal() const noexcept { return refusal_; }

  /// @param head the one whose fields were given to begin(). @param connect_protocol RFC 8441 is offered.
  Refusal finish(RequestHead& head, bool ends, bool connect_protocol);
  Refusal finish(ResponseHead& head, bool ends, Method request_method);
  /// A trailer section: no pseudo-header fields.
  Refusal finish_trailers();

 private:
  struct Place {
    std::uint32_t at = 0;
    std::uint32_t size = 0;
    bool there = false;
  };

  bool refuse(std::uint16_t status, std::string_view reason) noexcept;
  bool add_pseudo(std::string_view name, std::string_view value);
  void add_line(std::string_view name, std::string_view value);
  bool settle();
  std::string_view text(const Place& place) const noexcept { return bytes_->view().substr(place.at, place.size); }

  HeadLimits limits_;
  FieldList* fields_ = nullptr;
  Buffer* bytes_ = nullptr;
  std::size_t total_ = 0;   // bytes as decoded, each field as the line that it makes
  std::uint32_t count_ = 0; // fields as decoded
  bool has_crumbs_ = false;
  std::string crumbs_;      // of Cookie, joined (RFC 9113 §8.2.3)
  Place method_, scheme_, authority_, path_, protocol_, status_;
  Refusal refusal_;
};

}  // namespace tidegate::http
