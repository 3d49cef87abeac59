// The keys of a WebSocket's opening handshake (RFC 6455 §4), which HTTP/2 does without (RFC 8441 §5): who stands between the two
// makes one, or answers one. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace tidegate::http {

inline constexpr std::string_view kWebSocket = "websocket";
inline constexpr std::string_view kWebSocketKeyName = "sec-websocket-key";
inline constexpr std::string_view kWebSocketAcceptName = "sec-websocket-accept";

using WebSocketKey = std::array<char, 24>;
using WebSocketAccept = std::array<char, 28>;

/// A Sec-WebSocket-Key of 16 random bytes (§4.1).
WebSocketKey make_websocket_key(std::uint64_t high, std::uint64_t low) noexcept;
/// The Sec-WebSocket-Accept that answers it (§4.2.2): base64 of the SHA-1 of the key and a fixed text.
WebSocketAccept websocket_accept(std::string_view key) noexcept;

inline std::string_view text(const WebSocketKey& key) noexcept { return {key.data(), key.size()}; }
inline std::string_view text(const WebSocketAccept& accept) noexcept { return {accept.data(), accept.size()}; }

}  // namespace tidegate::http
