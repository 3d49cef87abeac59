// Makes the ids of a request that brought none: a random UUID (RFC 9562 §5.4) as x-request-id and a W3C traceparent, not
// sampled, both from the same 128 random bits so that one finds the other.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/random.h"

namespace tidegate::forward {

class Identity {
 public:
  explicit Identity(Random& random) noexcept : high_(random.next()), low_(random.next()), parent_(random.next() | 1) {
    high_ = (high_ & 0xffffffffffff0fffull) | 0x4000;                       // version 4
    low_ = (low_ & 0x3fffffffffffffffull) | 0x8000000000000000ull;          // variant 10
  }

  std::string_view write_request_id(std::array<char, 36>& to) const noexcept {
    char hex[32];
    digits(high_, hex);
    digits(low_, hex + 16);
    std::memcpy(to.data(), hex, 8);
    std::memcpy(to.data() + 9, hex + 8, 4);
    std::memcpy(to.data() + 14, hex + 12, 4);
    std::memcpy(to.data() + 19, hex + 16, 4);
    std::memcpy(to.data() + 24, hex + 20, 12);
    to[8] = to[13] = to[18] = to[23] = '-';
    return {to.data(), to.size()};
  }

  std::string_view write_traceparent(std::array<char, 55>& to) const noexcept {
    to[0] = to[1] = '0';
    to[2] = to[35] = to[52] = '-';
    digits(high_, to.data() + 3);
    digits(low_, to.data() + 19);
    digits(parent_, to.data() + 36);
    to[53] = to[54] = '0';
    return {to.data(), to.size()};
  }

 private:
  /// Sixteen lower-case digits: each byte's two nibbles are spread to bytes, eight at a time, then made letters.
  static void digits(std::uint64_t value, char* to) noexcept {
    eight_digits(static_cast<std::uint32_t>(value >> 32), to);
    eight_digits(static_cast<std::uint32_t>(value), to + 8);
  }
  static void eight_digits(std::uint32_t value, char* to) noexcept {
    constexpr std::uint64_t kEach = 0x0101010101010101ull;
    std::uint64_t spread = value;  // byte 0 holds the last two digits
    spread = (spread | (spread << 16)) & 0x0000ffff0000ffffull;
    spread = (spread | (spread << 8)) & 0x00ff00ff00ff00ffull;
    spread = (spread | (spread << 4)) & (kEach * 0x0f);  // nibble k in byte k
    const std::uint64_t above_nine = ((spread + kEach * 6) >> 4) & kEach;
    spread += kEach * '0' + above_nine * ('a' - '9' - 1);
    if constexpr (std::endian::native == std::endian::little) spread = __builtin_bswap64(spread);  // the first digit first
    std::memcpy(to, &spread, sizeof spread);
  }

  std::uint64_t high_;
  std::uint64_t low_;
  std::uint64_t parent_;
};

}  // namespace tidegate::forward
