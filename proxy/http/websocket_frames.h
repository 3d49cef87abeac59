// Where WebSocket frames begin and end in a run of bytes (RFC 6455 §5.2), so that who carries them as bytes can say something
// of its own between two of them. Nothing is checked or changed: that is the endpoints' business. No I/O.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tidegate::http {

class WebSocketFrames {
 public:
  /// Goes over `bytes`, which continue where the last ones ended. @return how many of them lie before the last place between
  /// two frames; nothing: there is no such place in them.
  std::size_t feed(std::string_view bytes) noexcept;
  /// Everything fed so far ends between two frames.
  bool between() const noexcept { return payload_ == 0 && header_ == 0; }

 private:
  std::uint64_t payload_ = 0;  // still to come
  std::size_t header_ = 0;     // bytes of a header that have come
  std::array<std::uint8_t, 14> bytes_{};
};

/// A Close frame of a server with code 1001, "going away" (§7.4.1).
inline constexpr std::string_view kCloseToClient{"\x88\x02\x03\xe9", 4};

}  // namespace tidegate::http
