#include "http/grammar.h"

#include <algorithm>
#include <bit>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace tidegate::http {

namespace detail {

namespace {

constexpr bool contains(std::string_view set, char c) { return set.find(c) != std::string_view::npos; }

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> out{};
  for (int i = 0; i < 256; ++i) {
    const char c = static_cast<char>(i);
    const bool alnum = (i >= '0' && i <= '9') || (i >= 'a' && i <= 'z') || (i >= 'A' && i <= 'Z');
    std::uint8_t classes = 0;
    if (alnum || (i != 0 && contains("!#$%&'*+-.^_`|~", c))) classes |= kToken;
    if (i == '\t' || (i >= 0x20 && i != 0x7f)) classes |= kFieldByte;
    if (i > 0x20 && i < 0x7f && c != '#') classes |= kTarget;
    if (alnum || (i != 0 && contains("-._~%!$&'()*+;=", c))) classes |= kHost;
    out[static_cast<std::size_t>(i)] = classes;
  }
  return out;
}

}  // namespace

constexpr std::array<std::uint8_t, 256> kTable = make_classes();
const std::array<std::uint8_t, 256> kClasses = kTable;

}  // namespace detail

bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

std::size_t token_length(std::string_view text) noexcept {
  std::size_t at = 0;
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto& classes = detail::kClasses;
  while (at + 4 <= text.size() && (classes[byte(at)] & classes[byte(at + 1)] & classes[byte(at + 2)] & classes[byte(at + 3)] &
                                   detail::kToken) != 0) {
    at += 4;
  }
  while (at < text.size() && is_token_char(text[at])) ++at;
  return at;
}

#if defined(__SSE2__)
namespace {

/// A bit for each of sixteen bytes that is_target_char() does not take.
unsigned outside_target(const char* from) noexcept {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  const __m128i to_space = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x20)), bytes);
  const __m128i from_del = _mm_cmpeq_epi8(_mm_max_epu8(bytes, _mm_set1_epi8(0x7f)), bytes);
  const __m128i hash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('#'));
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(to_space, from_del), hash)));
}

/// What detail::controls() finds, in sixteen bytes.
bool has_controls(const char* from) noexcept {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  const __m128i below_space = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
  const __m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
  const __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
  return _mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, below_space), del)) != 0;
}

}  // namespace
#endif

std::size_t target_length(std::string_view text) noexcept {
  std::size_t at = 0;
#if defined(__SSE2__)
  for (; at + 16 <= text.size(); at += 16) {
    if (const unsigned found = outside_target(text.data() + at)) return at + static_cast<std::size_t>(std::countr_zero(found));
  }
#endif
  while (at < text.size() && is_target_char(text[at])) ++at;
  return at;
}

bool is_field_value(std::string_view text) noexcept {
  const std::size_t size = text.size();
#if defined(__SSE2__)
  if (size >= 16) {
    bool found = false;
    for (std::size_t at = 0; at + 16 < size; at += 16) found |= has_controls(text.data() + at);
    return !found && !has_controls(text.data() + size - 16);
  }
#endif
  if (size < 8) return std::all_of(text.begin(), text.end(), is_field_byte);
  std::uint64_t found = 0;
  for (std::size_t at = 0; at + 8 < size; at += 8) found |= detail::controls(detail::load8(text.data() + at));
  return (found | detail::controls(detail::load8(text.data() + size - 8))) == 0;
}

std::string_view trim_blanks(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

namespace {

bool is_port(std::string_view text) noexcept {
  return text.size() <= 5 && std::all_of(text.begin(), text.end(), is_digit);
}

bool is_bracketed_v6(std::string_view text) noexcept {
  return text.size() >= 4 && text.front() == '[' && text.back() == ']' &&
         std::all_of(text.begin() + 1, text.end() - 1, [](char c) {
           const char l = lower(c);
           return is_digit(c) || (l >= 'a' && l <= 'f') || c == ':' || c == '.';
         });
}

}  // namespace

std::string_view without_port(std::string_view authority) noexcept {
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos || authority.find(']', colon) != std::string_view::npos) return authority;
  return authority.substr(0, colon);
}

bool is_host(std::string_view text) noexcept {
  const std::string_view host = without_port(text);
  if (host.empty() || host.size() > 255) return false;
  if (host.size() < text.size() && !is_port(text.substr(host.size() + 1))) return false;
  if (host.front() == '[') return is_bracketed_v6(host);
  return std::all_of(host.begin(), host.end(),
                     [](char c) { return detail::is(static_cast<unsigned char>(c), detail::kHost); });
}

std::optional<std::uint64_t> parse_length(std::string_view text) noexcept {
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

}  // namespace tidegate::http
