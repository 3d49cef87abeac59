// The bounds of one message head, by name (STYLE §3.9). What is over is refused, never cut.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tidegate::http {

/// Field names with `_`, which CGI and what came after it cannot tell from those with `-`.
enum class Underscores : std::uint8_t { Keep, Drop, Reject };

struct HeadLimits {
  std::size_t bytes = 64 * 1024;       ///< start line + fields + terminator; more is 431 (request) or 502 (response)
  std::uint32_t fields = 100;          ///< field lines; more is 431 / 502
  std::size_t uri_bytes = 16 * 1024;   ///< request target; more is 414
  Underscores underscores = Underscores::Keep;  ///< of requests
  bool operator==(const HeadLimits&) const = default;
};

/// Responses come from clusters, which send longer heads than clients do; tests/RELIABILITY.md L3.
inline constexpr HeadLimits kResponseHeadLimits{64 * 1024, 200, 0};

inline constexpr std::size_t kMethodBytes = 32;          ///< longest method token taken
inline constexpr int kConnectionOptions = 32;            ///< elements of Connection; each is compared with every field
inline constexpr std::size_t kChunkExtensionBytes = 256; ///< extensions of one chunk; they are read and dropped
inline constexpr std::size_t kChunkExtensionTotal = 16 * 1024;  ///< extensions of one body
inline constexpr std::size_t kTrailerBytes = 8 * 1024;
inline constexpr std::uint32_t kTrailerFields = 32;
inline constexpr int kInformationalResponses = 16;       ///< 1xx before the final response; more is 502

}  // namespace tidegate::http
