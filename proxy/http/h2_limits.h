// The bounds of one HTTP/2 connection, by name. Who goes over one that is of the connection is told ENHANCE_YOUR_CALM and the
// connection ends; tests/RELIABILITY.md A1 to A9 says which attack each is for. The defaults are the server's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "http/limits.h"

namespace tidegate::http {

/// A token bucket: so many at once, refilled by so many a second.
struct H2Rate {
  std::uint32_t burst = 0;
  std::uint32_t per_second = 0;
};

struct H2Limits {
  std::uint32_t streams = 100;                       ///< SETTINGS_MAX_CONCURRENT_STREAMS that is offered to the peer
  std::uint32_t stream_window = 64 * 1024;           ///< bytes of a stream that were received and not consumed()
  std::uint32_t connection_window = 1024 * 1024;     ///< bytes of all streams that are on their way; it holds none of them back
  HeadLimits head;                                   ///< of each field section as decoded; cookie crumbs count one by one
  bool connect_protocol = false;                     ///< server: SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441) is offered

  /// Frames that bring nothing: SETTINGS, GOAWAY, unasked PING ACKs, frames for streams that are over, heads that are refused, DATA
  /// that a tiny window cut to crumbs, and what `useful` does not cover. nghttp2 1.61's glitch limiter is of the same kind.
  H2Rate glitches{2000, 100};
  /// WINDOW_UPDATE, PING, PRIORITY and unknown frames are free in proportion to the work that they belong to; the numbers are
  /// Envoy's (5 + 2 a stream + 20 a DATA frame that was sent). More of them are glitches.
  std::uint32_t useful_per_stream = 2;
  std::uint32_t useful_per_data_frame = 20;
  std::uint32_t useful_most = 4000;                  ///< what can be saved up of them
  /// Server: RST_STREAM by the client, and resets by us for its errors (CVE-2023-44487, CVE-2025-8671); nghttp2's numbers.
  H2Rate resets{1000, 33};
  /// DATA frames without a byte and without END_STREAM (CVE-2019-9518).
  H2Rate empty_data{100, 10};
  std::uint32_t continuations = 8;                   ///< CONTINUATION frames of one field section (CVE-2024-28182); nghttp2's
  std::uint32_t settings_entries = 32;               ///< of one SETTINGS frame; nghttp2's
  std::uint32_t queued_control = 1000;               ///< frames other than DATA that wait to be sent (CVE-2019-9512); nghttp2's
};

inline constexpr std::uint32_t kH2HeaderTable = 4096;     ///< bytes of each HPACK table, whatever the peer allows
inline constexpr std::uint32_t kH2CrumbBytes = 128;       ///< DATA that is cut to less by the peer's window is a glitch
inline constexpr std::uint32_t kH2LateDataBytes = 1024;   ///< DATA for a stream that we reset: smaller ones are glitches
inline constexpr std::uint32_t kH2QueuedPerStream = 20;   ///< frames that we ourselves may have queued: 1xx heads, windows ...

}  // namespace tidegate::http
