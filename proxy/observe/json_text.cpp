#include "observe/json_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace tidegate::observe {

namespace {

/// True for bytes that stand for themselves.
constexpr auto kPlain = [] {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x7F; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

bool is_plain(char c) noexcept { return kPlain[static_cast<unsigned char>(c)]; }

/// How one character that is not plain is written.
struct Unit {
  std::size_t taken = 1;
  std::size_t length = 0;
  std::array<char, 6> bytes{};
};

/// The bounds of the second byte are those of Unicode's table 3-7: they exclude overlong forms, surrogates and what is
/// above U+10FFFF.
bool is_second(unsigned char first, unsigned char second) noexcept {
  switch (first) {
    case 0xE0: return second >= 0xA0 && second <= 0xBF;
    case 0xED: return second >= 0x80 && second <= 0x9F;
    case 0xF0: return second >= 0x90 && second <= 0xBF;
    case 0xF4: return second >= 0x80 && second <= 0x8F;
    default: return second >= 0x80 && second <= 0xBF;
  }
}

/// Of the well-formed sequence of several bytes that `text` begins with; 0 = none.
std::size_t sequence_length(std::string_view text) noexcept {
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t length = first >= 0xC2 && first <= 0xDF   ? 2
                             : first >= 0xE0 && first <= 0xEF ? 3
                             : first >= 0xF0 && first <= 0xF4 ? 4
                                                              : 0;
  if (length == 0 || text.size() < length || !is_second(first, static_cast<unsigned char>(text[1]))) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return 0;
  }
  return length;
}

Unit make_unit(std::string_view bytes, std::size_t taken) noexcept {
  Unit unit;
  unit.taken = taken;
  unit.length = bytes.size();
  std::copy(bytes.begin(), bytes.end(), unit.bytes.begin());
  return unit;
}

Unit control(unsigned char c) noexcept {
  constexpr std::string_view hex = "0123456789abcdef";
  return {1, 6, {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 0xF]}};
}

/// @param text not empty, beginning with a byte that is not plain.
Unit unit_at(std::string_view text) noexcept {
  switch (text[0]) {
    case '"': return make_unit("\\\"", 1);
    case '\\': return make_unit("\\\\", 1);
    case '\b': return make_unit("\\b", 1);
    case '\f': return make_unit("\\f", 1);
    case '\n': return make_unit("\\n", 1);
    case '\r': return make_unit("\\r", 1);
    case '\t': return make_unit("\\t", 1);
    default: break;
  }
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return control(first);
  if (const std::size_t length = sequence_length(text)) return make_unit(text.substr(0, length), length);
  return make_unit("\xEF\xBF\xBD", 1);
}

constexpr std::uint64_t in_every_byte(std::uint64_t byte) noexcept { return byte * 0x0101010101010101; }
constexpr std::uint64_t kHighBits = in_every_byte(0x80);

constexpr bool has_zero(std::uint64_t word) noexcept { return ((word - in_every_byte(1)) & ~word & kHighBits) != 0; }

/// Of eight bytes at once, with the tricks for a byte that is less than n or equal to c ("Bit Twiddling Hacks").
bool are_plain(const char* eight) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, eight, sizeof word);
  const bool has_control_or_high = (((word - in_every_byte(0x20)) | word) & kHighBits) != 0;
  return !has_control_or_high && !has_zero(word ^ in_every_byte('"')) && !has_zero(word ^ in_every_byte('\\')) &&
         !has_zero(word ^ in_every_byte(0x7F));
}

/// Nearly all of a log is plain, so this is what a line costs.
std::size_t plain_prefix(std::string_view text) noexcept {
  std::size_t at = 0;
  while (text.size() - at >= 8 && are_plain(text.data() + at)) at += 8;
  while (at < text.size() && is_plain(text[at])) ++at;
  return at;
}

}  // namespace

std::size_t escaped_length(std::string_view text) noexcept {
  std::size_t length = 0;
  while (!text.empty()) {
    const std::size_t plain = plain_prefix(text);
    length += plain;
    text.remove_prefix(plain);
    if (text.empty()) break;
    const Unit unit = unit_at(text);
    length += unit.length;
    text.remove_prefix(unit.taken);
  }
  return length;
}

Escaped escape_json(std::string_view text, char* to, char* room_end) noexcept {
  while (!text.empty()) {
    const std::size_t plain = plain_prefix(text);
    const std::size_t fits = std::min(plain, static_cast<std::size_t>(room_end - to));
    std::memcpy(to, text.data(), fits);
    to += fits;
    if (fits < plain) return {to, false};
    text.remove_prefix(plain);
    if (text.empty()) break;
    const Unit unit = unit_at(text);
    if (static_cast<std::size_t>(room_end - to) < unit.length) return {to, false};
    std::memcpy(to, unit.bytes.data(), unit.length);
    to += unit.length;
    text.remove_prefix(unit.taken);
  }
  return {to, true};
}

}  // namespace tidegate::observe
