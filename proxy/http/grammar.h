// Character classes and small tokens of RFC 9110 and RFC 9112, shared by every HTTP/1 parser of Tidegate so that there is
// one opinion about each. All functions are pure and take bytes, never locales.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace tidegate::http {

namespace detail {
enum : std::uint8_t { kToken = 1, kFieldByte = 2, kTarget = 4, kHost = 8 };
extern const std::array<std::uint8_t, 256> kClasses;
inline bool is(unsigned char c, std::uint8_t which) noexcept { return (kClasses[c] & which) != 0; }

// Eight bytes at a time, whatever their order in the word: every byte is looked at by itself.
inline constexpr std::uint64_t kEach = 0x0101010101010101ull;
inline std::uint64_t load8(const char* from) noexcept {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}
/// 0x20 in each byte of an ASCII word that is one of a-z, else 0.
constexpr std::uint64_t case_bits(std::uint64_t word) noexcept {
  const std::uint64_t from_a = word + kEach * (0x80 - 'a');
  const std::uint64_t after_z = word + kEach * (0x80 - 'z' - 1);
  return ((from_a & ~after_z) & (kEach * 0x80)) >> 2;
}
/// @param lower ASCII, lower case.
constexpr bool same_ignoring_case(std::uint64_t word, std::uint64_t lower) noexcept { return (word | case_bits(lower)) == lower; }
/// 0x80 in each byte that may not be in a field value, else 0.
constexpr std::uint64_t controls(std::uint64_t word) noexcept {
  const std::uint64_t low = word & (kEach * 0x7f);
  const std::uint64_t from_space = low + kEach * (0x80 - 0x20);
  const std::uint64_t not_tab = (low ^ (kEach * '\t')) + kEach * 0x7f;
  const std::uint64_t not_delete = (low ^ (kEach * 0x7f)) + kEach * 0x7f;
  return ((~from_space & not_tab) | ~not_delete) & ~word & (kEach * 0x80);
}
}  // namespace detail

/// tchar, RFC 9110 §5.6.2.
inline bool is_token_char(char c) noexcept { return detail::is(static_cast<unsigned char>(c), detail::kToken); }
/// Any byte of a field value: VCHAR, obs-text, SP, HTAB (RFC 9110 §5.5). CR, LF, NUL and other controls are not.
inline bool is_field_byte(char c) noexcept { return detail::is(static_cast<unsigned char>(c), detail::kFieldByte); }
/// A byte of a request target that an edge lets through: VCHAR without '#'. Stricter than what clients send would lose
/// requests ('|', '{' and quotes are common); what the origin makes of them is not ambiguous framing.
inline bool is_target_char(char c) noexcept { return detail::is(static_cast<unsigned char>(c), detail::kTarget); }

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

bool is_token(std::string_view text) noexcept;
/// How many characters at the front are tchar.
std::size_t token_length(std::string_view text) noexcept;
/// How many characters at the front may be in a request target.
std::size_t target_length(std::string_view text) noexcept;
/// True when every byte may be in a field value.
bool is_field_value(std::string_view text) noexcept;
/// @param lower_case ASCII, lower case.
inline bool equals_ignoring_case(std::string_view text, std::string_view lower_case) noexcept {
  const std::size_t size = lower_case.size();
  if (text.size() != size) return false;
  if (size >= 8) {
    for (std::size_t at = 0; at + 8 < size; at += 8) {
      if (!detail::same_ignoring_case(detail::load8(text.data() + at), detail::load8(lower_case.data() + at))) return false;
    }
    return detail::same_ignoring_case(detail::load8(text.data() + size - 8), detail::load8(lower_case.data() + size - 8));
  }
  for (std::size_t i = 0; i < size; ++i) {
    if (lower(text[i]) != lower_case[i]) return false;
  }
  return true;
}
std::string_view trim_blanks(std::string_view text) noexcept;
/// uri-host [ ":" port ], RFC 9110 §7.2, without userinfo, comma, slash or whitespace; empty is refused.
bool is_host(std::string_view text) noexcept;
/// The host of "name:port" or "[v6]:port".
std::string_view without_port(std::string_view authority) noexcept;

/// The one strict length parser: 1*DIGIT, at most 18 digits (RFC 9110 §8.6). No sign, space, list or base.
std::optional<std::uint64_t> parse_length(std::string_view text) noexcept;

/// Calls f(element) for each non-empty element of a comma separated list (RFC 9110 §5.6.1); stops when f returns false.
template <class F>
void for_each_element(std::string_view list, F&& f) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view element = trim_blanks(list.substr(0, comma));
    if (!element.empty() && !f(element)) return;
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace tidegate::http
