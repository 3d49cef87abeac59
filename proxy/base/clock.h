// The clocks of the program. Everything that measures or waits uses the steady clock; wall time is for people (logs,
// history). Pure code takes the time as an argument and includes this file only for the types.
#pragma once

#include <chrono>
#include <cstdint>

namespace tidegate {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;

/// Milliseconds since the Unix epoch, from the wall clock; for records that people read.
inline std::int64_t wall_clock_ms() noexcept {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

inline double seconds(Duration d) noexcept { return std::chrono::duration<double>(d).count(); }

}  // namespace tidegate
