#include "base/duration_text.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string_view>

namespace tidegate {

std::string duration_text(Duration duration) {
  struct Unit {
    Duration length;
    std::string_view name;
  };
  using namespace std::chrono_literals;
  static constexpr std::array<Unit, 5> kUnits{{{24h, "d"}, {1h, "h"}, {1min, "m"}, {1s, "s"}, {1ms, "ms"}}};
  if (duration == Duration::zero()) return "0s";
  for (const Unit& unit : kUnits) {
    if (duration % unit.length == Duration::zero()) {
      return std::to_string(duration / unit.length) + std::string(unit.name);
    }
  }
  return std::to_string(std::chrono::round<std::chrono::milliseconds>(duration).count()) + "ms";
}

std::string spoken_seconds(double seconds) {
  struct Unit {
    std::int64_t length;
    std::string_view name;
  };
  static constexpr std::array<Unit, 4> kUnits{{{86'400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}}};
  if (!(seconds > 0.0)) return "0s";
  if (seconds < 10.0) {
    char text[16];
    std::snprintf(text, sizeof text, "%.1fs", seconds);
    return text;
  }
  const auto whole = static_cast<std::int64_t>(std::llround(std::fmin(seconds, 1e12)));
  for (std::size_t i = 0; i < kUnits.size(); ++i) {
    if (whole < kUnits[i].length) continue;
    std::string out = std::to_string(whole / kUnits[i].length) + std::string(kUnits[i].name);
    const std::int64_t rest = i + 1 < kUnits.size() ? whole % kUnits[i].length / kUnits[i + 1].length : 0;
    return rest == 0 ? out : out + ' ' + std::to_string(rest) + std::string(kUnits[i + 1].name);
  }
  return "0s";
}

}  // namespace tidegate
