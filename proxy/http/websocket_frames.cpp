#include "http/websocket_frames.h"

#include <algorithm>

namespace tidegate::http {

namespace {

constexpr std::uint8_t kMasked = 0x80;
constexpr std::uint8_t kLength = 0x7f;
constexpr std::uint8_t kTwoBytes = 126;
constexpr std::uint8_t kEightBytes = 127;

/// Of a header whose first two bytes are known.
std::size_t header_size(std::uint8_t second) noexcept {
  const std::size_t length = (second & kLength) == kTwoBytes ? 2 : (second & kLength) == kEightBytes ? 8 : 0;
  return 2 + length + ((second & kMasked) != 0 ? 4 : 0);
}

}  // namespace

std::size_t WebSocketFrames::feed(std::string_view bytes) noexcept {
  std::size_t at = 0;
  std::size_t last = 0;
  while (at < bytes.size()) {
    if (payload_ > 0) {
      const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(payload_, bytes.size() - at));
      payload_ -= take;
      at += take;
      if (payload_ == 0) last = at;
      continue;
    }
    bytes_[header_++] = static_cast<std::uint8_t>(bytes[at++]);
    if (header_ < 2 || header_ < header_size(bytes_[1])) continue;
    const std::uint8_t length = bytes_[1] & kLength;
    const std::size_t wide = length == kTwoBytes ? 2 : length == kEightBytes ? 8 : 0;
    payload_ = wide == 0 ? length : 0;
    for (std::size_t i = 0; i < wide; ++i) payload_ = (payload_ << 8) | bytes_[2 + i];
    header_ = 0;
    if (payload_ == 0) last = at;
  }
  return last;
}

}  // namespace tidegate::http
