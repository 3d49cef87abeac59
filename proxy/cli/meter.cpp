#include "cli/meter.h"

#include <algorithm>
#include <cmath>

namespace tidegate::cli {
namespace {

std::string repeated(std::string_view sign, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += sign;
  return out;
}

}  // namespace

std::string meter(std::size_t cells, double share, Tone tone, bool color) {
  const double part = std::isnan(share) ? 0.0 : std::clamp(share, 0.0, 1.0);
  const auto full = static_cast<std::size_t>(part * static_cast<double>(cells) + 1e-9);
  return paint(color, tone, repeated("\u2588", full)) + paint(color, Tone::Dim, repeated("\u00b7", cells - full));
}

std::string ticked_meter(std::size_t cells, std::size_t parts, double done, Tone tone, bool color) {
  const std::size_t ticks = parts == 0 ? 0 : parts - 1;
  if (parts == 0 || cells < parts + ticks) return meter(cells, done / static_cast<double>(std::max<std::size_t>(parts, 1)), tone, color);
  const std::size_t filling = cells - ticks;
  std::string out;
  for (std::size_t i = 0; i < parts; ++i) {
    if (i > 0) out += paint(color, Tone::Dim, "|");
    const std::size_t size = filling * (i + 1) / parts - filling * i / parts;
    out += meter(size, done - static_cast<double>(i), tone, color);
  }
  return out;
}

}  // namespace tidegate::cli
