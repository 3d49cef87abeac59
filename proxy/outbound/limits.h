// The bounds of the connections that Tidegate makes for itself, by name (STYLE §3.9). Servers of checks and webhooks are
// the user's own, but a wrong URL may lead to anything: what is over is an error, never cut.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tidegate::outbound {

inline constexpr std::uint64_t kAnswerBytes = 1 << 20;   ///< of a body, where a request says nothing else
inline constexpr std::uint32_t kHeadBytes = 16 * 1024;   ///< of an answer's status line and fields
inline constexpr std::size_t kUrlBytes = 8 * 1024;       ///< what servers commonly take as a request line
inline constexpr std::size_t kAddresses = 8;             ///< of a name that are tried
inline constexpr std::size_t kLookups = 16;              ///< at a time; each blocks a thread until the system gives up
inline constexpr std::size_t kInterimAnswers = 8;        ///< 1xx before the answer proper

}  // namespace tidegate::outbound
