// Why an exchange with an upstream came to nothing, in one vocabulary for retry, gate, metrics and the access log.
// A failure belongs to a side; what the client did wrong (http::Refusal) and what Tidegate's own limits refused
// (`overflow`) are nobody's failure (PRODUCT §3, Gate).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace tidegate {

enum class Failure : std::uint8_t {
  None = 0,
  Connect,    ///< refused, unreachable, name unknown, or not connected within timeouts.connect
  Timeout,    ///< connected, but no response head (or no progress of the body) within the deadline
  Reset,      ///< the connection broke before the response was complete
  Protocol,   ///< the answer was not HTTP as RFC 9112 orders it
  Status,     ///< a complete answer whose status counts as an error (gate.errors)
  Overflow,   ///< Tidegate's own limit (pool.connections + pool.pending) or this machine's (descriptors, ports): not the side's fault
  Canceled,   ///< the client left; not the side's fault
};
inline constexpr std::size_t kFailureCount = 8;

constexpr std::string_view name(Failure failure) noexcept {
  constexpr std::array<std::string_view, kFailureCount> names{"none",     "connect", "timeout",  "reset",
                                                              "protocol", "status",  "overflow", "canceled"};
  return names[static_cast<std::size_t>(failure)];
}

/// True when the gate may hold the failure against the side (subject to gate.errors).
constexpr bool is_fault_of_side(Failure failure) noexcept {
  return failure == Failure::Connect || failure == Failure::Timeout || failure == Failure::Reset ||
         failure == Failure::Protocol || failure == Failure::Status;
}

}  // namespace tidegate
