// What an ended attempt means: for the gate, for the client, for the log. Pure functions over failure and status; the one
// place that maps a Failure to a reply (STYLE §3.8).
#pragma once

#include <cstdint>
#include <string_view>

#include "base/failure.h"
#include "gate/parameters.h"

namespace tidegate::forward {

/// Of a 503 that no cluster had to do with.
inline constexpr std::string_view kShortOfMemory = "overloaded: memory.buffers is used up";

/// A complete answer that counts as an error of its side.
bool is_error(const gate::ErrorRule& rule, std::uint16_t status) noexcept;
/// The same of a gRPC call that ended with this status. A status that gRPC does not have counts as UNKNOWN (2), which is what
/// gRPC makes of it.
bool is_grpc_error(const gate::ErrorRule& rule, std::uint32_t grpc_status) noexcept;
/// Whether the gate holds the failure against the side.
bool counts_for_gate(const gate::ErrorRule& rule, Failure failure) noexcept;

/// The status that the client gets when every attempt failed: 502 connect, reset, protocol; 503 overflow; 504 timeout.
std::uint16_t reply_status(Failure failure) noexcept;
std::string_view reply_text(Failure failure) noexcept;

/// Envoy's short words, which people search logs for.
std::string_view response_flags(Failure failure, bool client_gone, bool routed, bool head_read, bool client_fault) noexcept;

}  // namespace tidegate::forward
