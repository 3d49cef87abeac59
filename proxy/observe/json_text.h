// Any bytes as the inside of a JSON string (RFC 8259 §7): what clients send is escaped, never trusted to be text.
// Bytes that are not well-formed UTF-8 (RFC 3629) become U+FFFD, one for each, so that a line is valid JSON whatever
// came. DEL is escaped like the C0 controls, because access logs are read in terminals. It adds no quotes, allocates
// nothing and knows no field. Pure; any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace tidegate::observe {

/// Bytes that escape_json() needs for all of `text`; at most 6 for each.
std::size_t escaped_length(std::string_view text) noexcept;

struct Escaped {
  char* end;   ///< one past the last byte written
  bool whole;  ///< false: the room ended before the text; what was written ends between two characters
};
/// Writes to [to, room_end).
Escaped escape_json(std::string_view text, char* to, char* room_end) noexcept;

}  // namespace tidegate::observe
