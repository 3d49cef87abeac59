#include "http/path.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "http/grammar.h"

namespace tidegate::http {

namespace {

constexpr std::uint64_t kHigh = detail::kEach * 0x80;

/// 0x80 in each byte of the ASCII word that is `c`; the lower bits are noise.
constexpr std::uint64_t equals(std::uint64_t word, char c) noexcept {
  return kHigh - (word ^ (detail::kEach * static_cast<unsigned char>(c)));
}

constexpr bool is_suspicious(char c, char next) noexcept {
  return c == '%' || c == '\\' || (c == '/' && (next == '.' || next == '/'));
}

/// The same for eight characters, which are ASCII: 0x80 in each that is suspicious, or "?". "." and "/" differ in their last bit.
inline std::uint64_t suspicious_or_query(const char* at) noexcept {
  const std::uint64_t word = detail::load8(at);
  const std::uint64_t next = detail::load8(at + 1) | detail::kEach;
  return (equals(word, '?') | equals(word, '%') | equals(word, '\\') | (equals(word, '/') & equals(next, '/'))) & kHigh;
}

/// Of the first byte that is not 0 in a word from load8().
inline std::size_t first_byte(std::uint64_t word) noexcept {
  const int zeros = std::endian::native == std::endian::little ? std::countr_zero(word) : std::countl_zero(word);
  return static_cast<std::size_t>(zeros) / 8;
}

std::optional<unsigned> hex_value(char c) noexcept {
  if (is_digit(c)) return static_cast<unsigned>(c - '0');
  const char low = lower(c);
  if (low >= 'a' && low <= 'f') return static_cast<unsigned>(low - 'a' + 10);
  return std::nullopt;
}

/// The byte that an escape at this place stands for; nothing: there is none, or "%" is not followed by two digits.
std::optional<unsigned char> escape_at(std::string_view path, std::size_t at) noexcept {
  if (path[at] != '%' || path.size() - at < 3) return std::nullopt;
  const auto high = hex_value(path[at + 1]);
  const auto low = hex_value(path[at + 2]);
  if (!high || !low) return std::nullopt;
  return static_cast<unsigned char>(*high << 4 | *low);
}

/// RFC 3986 §2.3.
constexpr bool is_unreserved(unsigned char c) noexcept {
  const char low = lower(static_cast<char>(c));
  return is_digit(static_cast<char>(c)) || (low >= 'a' && low <= 'z') || c == '-' || c == '.' || c == '_' || c == '~';
}

constexpr bool is_slash(unsigned char c) noexcept { return c == '/' || c == '\\'; }

/// What divides segments: for everybody, or only for servers that take "\" for a slash or decode before they split.
struct Separator {
  std::size_t size = 0;  ///< 0 = none
  bool hidden = false;
};

Separator separator_at(std::string_view path, std::size_t at, const PathPolicy& policy) noexcept {
  if (path[at] == '/') return {1, false};
  if (path[at] == '\\') return {1, true};
  if (path[at] != '%') return {};
  const auto byte = escape_at(path, at);
  if (!byte || !is_slash(*byte)) return {};
  return {3, *byte == '\\' || policy.escaped_slashes != EscapedSlashes::Decode};
}

enum class Dots : std::uint8_t { None, One, Two };

/// @param rest what follows the dots.
Dots dots_of(std::string_view segment, std::string_view& rest) noexcept {
  std::size_t at = 0;
  int count = 0;
  while (at < segment.size() && count < 3) {
    if (segment[at] == '.') {
      ++at;
    } else if (escape_at(segment, at) == '.') {
      at += 3;
    } else {
      break;
    }
    ++count;
  }
  rest = segment.substr(at);
  return count == 1 ? Dots::One : count == 2 ? Dots::Two : Dots::None;
}

/// Some servers take a parameter off a segment (RFC 3986 §3.3) before they look for dots.
bool is_parameter(std::string_view rest) noexcept {
  return !rest.empty() && (rest.front() == ';' || escape_at(rest, 0) == ';');
}

Dots dots_of(std::string_view segment) noexcept {
  std::string_view rest;
  const Dots dots = dots_of(segment, rest);
  return rest.empty() ? dots : Dots::None;
}

Refusal check_escapes(std::string_view path, const PathPolicy& policy) noexcept {
  for (std::size_t at = 0; at < path.size(); ++at) {
    if (path[at] != '%') continue;
    const auto byte = escape_at(path, at);
    // A digit that is decoded behind a stray "%" would make an escape that nobody sent.
    if (!byte && policy.decode_unreserved) return {400, "malformed escape in the path"};
    if (byte == 0) return {400, "escaped NUL in the path"};  // the end of the path for who decodes it into a C string
    if (byte && is_slash(*byte) && policy.escaped_slashes == EscapedSlashes::Reject) return {400, "escaped slash in the path"};
  }
  return {};
}

Refusal check_dots(std::string_view path, const PathPolicy& policy) noexcept {
  std::size_t depth = 0;  // segments above this one
  Separator before{1, false};
  for (std::size_t at = 1; at <= path.size();) {
    const std::size_t begin = at;
    Separator after;
    while (at < path.size() && (after = separator_at(path, at, policy)).size == 0) ++at;
    std::string_view rest;
    const std::string_view segment = path.substr(begin, at - begin);
    const Dots dots = dots_of(segment, rest);
    if (dots != Dots::None && (rest.empty() || is_parameter(rest))) {
      if (policy.dot_segments == DotSegments::Reject) return {400, "dot segment in the path"};
      if (!rest.empty() || before.hidden || after.hidden) return {400, "ambiguous dot segment in the path"};
      if (dots == Dots::Two && depth-- == 0) return {400, "path climbs above the root"};
    } else if (!before.hidden && !(policy.merge_slashes && segment.empty() && !after.hidden)) {
      ++depth;
    }
    before = after;
    at += std::max<std::size_t>(after.size, 1);
  }
  return {};
}

std::size_t decode(char* path, std::size_t size, const PathPolicy& policy) noexcept {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const std::string_view from(path, size);
  std::size_t out = 0;
  for (std::size_t at = 0; at < size;) {
    const auto byte = escape_at(from, at);
    if (!byte) {
      path[out++] = path[at++];
      continue;
    }
    const bool decodes = is_slash(*byte) ? policy.escaped_slashes == EscapedSlashes::Decode
                                         : policy.decode_unreserved && is_unreserved(*byte);
    if (decodes) {
      path[out++] = static_cast<char>(*byte);
    } else {
      const char high = policy.decode_unreserved ? kDigits[*byte >> 4] : path[at + 1];
      const char low = policy.decode_unreserved ? kDigits[*byte & 15] : path[at + 2];
      path[out++] = '%';
      path[out++] = high;
      path[out++] = low;
    }
    at += 3;
  }
  return out;
}

/// Both rewritings of whole segments; check_dots() has seen that no ".." climbs.
std::size_t settle_segments(char* path, std::size_t size, const PathPolicy& policy) noexcept {
  const std::string_view from(path, size);
  std::size_t out = 0;
  for (std::size_t at = 0; at < size;) {  // path[at] is a slash
    const std::size_t end = std::min(from.find('/', at + 1), size);
    const std::size_t length = end - at;
    const bool last = end == size;
    if (length == 1 && !last && policy.merge_slashes) {
      at = end;
      continue;
    }
    const Dots dots = policy.dot_segments == DotSegments::Remove ? dots_of(from.substr(at + 1, length - 1)) : Dots::None;
    if (dots == Dots::Two) {
      while (path[--out] != '/') {}
    }
    if (dots == Dots::None) {
      std::memmove(path + out, path + at, length);
      out += length;
    } else if (last) {
      path[out++] = '/';
    }
    at = end;
  }
  return out;
}

}  // namespace

bool has_plain_path(std::string_view target) noexcept {
  const char* const at = target.data();
  const std::size_t size = target.size();
  std::size_t i = 0;
  for (; i + 9 <= size; i += 8) {
    if (const std::uint64_t found = suspicious_or_query(at + i)) return at[i + first_byte(found)] == '?';
  }
  for (; i < size && at[i] != '?'; ++i) {
    if (is_suspicious(at[i], i + 1 < size ? at[i + 1] : '?')) return false;
  }
  return true;
}

Refusal normalise_path(char* path, std::size_t& size, const PathPolicy& policy) noexcept {
  const std::string_view from(path, size);
  if (has_plain_path(from) || from.front() != '/') return {};
  if (const Refusal refusal = check_escapes(from, policy)) return refusal;
  if (policy.dot_segments != DotSegments::Keep) {
    if (const Refusal refusal = check_dots(from, policy)) return refusal;
  }
  if (policy.decode_unreserved || policy.escaped_slashes == EscapedSlashes::Decode) size = decode(path, size, policy);
  if (policy.merge_slashes || policy.dot_segments == DotSegments::Remove) size = settle_segments(path, size, policy);
  return {};
}

Refusal normalise_target(char* target, std::size_t& size, const PathPolicy& policy) noexcept {
  const std::size_t query = std::min(std::string_view(target, size).find('?'), size);
  std::size_t path = query;
  const Refusal refusal = normalise_path(target, path, policy);
  if (path == query) return refusal;
  std::memmove(target + path, target + query, size - query);
  size -= query - path;
  return refusal;
}

}  // namespace tidegate::http
