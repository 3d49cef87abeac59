// Character classes and small tokens of RFC 9110 and RFC 9112, shared by every HTTP/1 parser of Tidegate so that there is
// one opinion about each. All functions are pure and take bytes, never locales.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tidegate::http {

namespace detail {
enum : std::uint8_t { kToken = 1, kFieldByte = 2, kTarget = 4, kHost = 8 };
extern const std::array<std::uint8_t, 256> kClasses;
inline bool is(unsigned char c, std::uint8_t which) noexcept { return (kClasses[c] & which) != 0; }
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
/// @param lower_case must be lower case.
bool equals_ignoring_case(std::string_view text, std::string_view lower_case) noexcept;
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
