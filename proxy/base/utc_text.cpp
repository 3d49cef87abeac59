#include "base/utc_text.h"

#include <array>
#include <cstdio>
#include <ctime>

namespace tidegate {

std::string utc_text(std::int64_t wall_ms) {
  const std::int64_t rest = (wall_ms % 1000 + 1000) % 1000;
  const std::time_t seconds = static_cast<std::time_t>((wall_ms - rest) / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + length, text.size() - length, ".%03dZ", static_cast<int>(rest));
  return text.data();
}

}  // namespace tidegate
