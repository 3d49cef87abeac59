// Spans and moments as people read them on a terminal. Pure but for the time zone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidegate::cli {

/// The two largest units: "48s", "4m 48s", "5m", "2h 5m", "3d 4h". Parts of a second are cut off; less than 0 is 0.
std::string span_text(double seconds);

/// Local time as every verb writes it, and the log: "2026-11-24T12:00:00+01:00" (RFC 3339).
std::string moment_text(std::int64_t wall_ms);

/// "2026-11-24T12:00:00.000Z", as the API writes moments, to milliseconds since the Unix epoch.
std::optional<std::int64_t> wall_ms_of(std::string_view utc);

}  // namespace tidegate::cli
