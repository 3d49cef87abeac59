#include "cli/time_text.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace tidegate::cli {

std::string span_text(double seconds) {
  constexpr double kMost = 1e9;  // 31 years: what is longer is not a span but a mistake
  const auto whole = static_cast<std::int64_t>(std::clamp(seconds, 0.0, kMost));
  const auto two = [](std::int64_t large, char large_unit, std::int64_t small, char small_unit) {
    return std::to_string(large) + large_unit + (small == 0 ? "" : ' ' + std::to_string(small) + small_unit);
  };
  constexpr std::int64_t kMinute = 60, kHour = 3'600, kDay = 86'400;
  if (whole < kMinute) return std::to_string(whole) + 's';
  if (whole < kHour) return two(whole / kMinute, 'm', whole % kMinute, 's');
  if (whole < kDay) return two(whole / kHour, 'h', whole % kHour / kMinute, 'm');
  return two(whole / kDay, 'd', whole % kDay / kHour, 'h');
}

std::string moment_text(std::int64_t wall_ms) {
  constexpr std::size_t kMinutesOfZone = 2;
  const std::time_t seconds = static_cast<std::time_t>(wall_ms / 1000);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  char text[40];
  std::string out(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S%z", &local));
  if (out.size() > kMinutesOfZone) out.insert(out.size() - kMinutesOfZone, ":");
  return out;
}

std::optional<std::int64_t> wall_ms_of(std::string_view utc) {
  std::tm parts{};
  int milliseconds = 0;
  int read = 0;
  const std::string text(utc);
  const int found = std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &parts.tm_year, &parts.tm_mon,
                                &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &milliseconds, &read);
  if (found != 7 || static_cast<std::size_t>(read) != text.size()) return std::nullopt;
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  return static_cast<std::int64_t>(::timegm(&parts)) * 1000 + milliseconds;
}

}  // namespace tidegate::cli
