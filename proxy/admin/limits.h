// The bounds of the admin API, by name (STYLE §3.9). They are small because its clients are people, scripts and a
// Prometheus server; what is over is refused, never cut.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace tidegate::admin {

struct ServerLimits {
  std::size_t connections = 256;                ///< at a time; handshakes included; one more ends the one that idles longest
  std::uint32_t head_bytes = 16 * 1024;         ///< more is 431
  std::uint64_t body_bytes = 64 * 1024;         ///< more is 413
  Duration handshake = std::chrono::seconds(5);  ///< of TLS; the same as a listener's timeouts.tls_handshake
  Duration idle = std::chrono::seconds(30);     ///< for a whole request, and for a client to take an answer
  Duration answer = std::chrono::seconds(10);   ///< for the engine and the store; then 503
  Duration farewell = std::chrono::seconds(1);  ///< what stop() gives to answers that are being written
};

inline constexpr std::size_t kReasonBytes = 1'000;  ///< of an operator's sentence
inline constexpr std::size_t kActorBytes = 100;
inline constexpr std::size_t kMembers = 8;              ///< of a request's JSON object; none has more than 3
inline constexpr std::size_t kHistoryRows = 100;        ///< when `limit` is not given
inline constexpr std::size_t kMostHistoryRows = 1'000;  ///< history is read on the server's only thread

}  // namespace tidegate::admin
