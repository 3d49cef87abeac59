// The path of a request target as routing and the upstream are to see it: RFC 3986 §6.2.2, done in place. A path never grows,
// so nothing is allocated, and the usual path is found to need nothing by one scan. The query is never touched.
//
// The two things that an edge must not do are to guess, and to say one path to its routes and another to the upstream. So what
// servers read in different ways is refused where it is not to be kept: a dot segment next to "\" or to an escaped slash,
// "..;x" (servers that take ";x" for a parameter see ".." there), a climb above the root, an escape that is none beside
// escapes that are decoded. What was normalised once stays as it is (tests/fuzz/path_fuzz.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/h1_head.h"

namespace tidegate::http {

enum class DotSegments : std::uint8_t {
  Keep,
  Remove,  ///< RFC 3986 §5.2.4, but a climb above the root is refused; also where dots are written "%2e"
  Reject,
};

/// %2F and %5C.
enum class EscapedSlashes : std::uint8_t { Keep, Reject, Decode };

struct PathPolicy {
  bool merge_slashes = false;      ///< before dot segments are looked at, as NGINX does
  bool decode_unreserved = false;  ///< RFC 3986 §6.2.2.2, and §6.2.2.1: the other escapes in upper case
  DotSegments dot_segments = DotSegments::Reject;
  EscapedSlashes escaped_slashes = EscapedSlashes::Keep;
  bool operator==(const PathPolicy&) const = default;
};

/// True when no policy would change or refuse the path of the target: no escape, backslash, empty segment or segment that begins with a dot.
/// @param target with its query; of the characters that a request target may have.
bool has_plain_path(std::string_view target) noexcept;

/// In place. @param size of the path, which begins with "/"; on success its new size, at most the old one. On a refusal (400)
/// the path is as it was.
Refusal normalise_path(char* path, std::size_t& size, const PathPolicy& policy) noexcept;

/// The same for a whole target, whose query follows its path.
Refusal normalise_target(char* target, std::size_t& size, const PathPolicy& policy) noexcept;

}  // namespace tidegate::http
