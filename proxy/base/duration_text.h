// Durations as people write and read them. Pure; any thread.
#pragma once

#include <string>

#include "base/clock.h"

namespace tidegate {

/// As the configuration file says it, in the largest unit that divides it: "250ms", "5m", "1d"; "0s".
std::string duration_text(Duration duration);

/// A time that passes, in the two largest units: "4m 48s", "2h", "12s", below ten seconds "3.2s". @param seconds negative = 0.
std::string spoken_seconds(double seconds);

}  // namespace tidegate
