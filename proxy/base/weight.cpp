#include "base/weight.h"

#include <cmath>

namespace tidegate {

std::optional<Weight> Weight::parse(std::string_view text) noexcept {
  if (text.ends_with('%')) text.remove_suffix(1);
  std::uint32_t whole = 0;
  std::size_t at = 0;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9' && at < 3) {
    whole = whole * 10 + static_cast<std::uint32_t>(text[at++] - '0');
  }
  if (at == 0) return std::nullopt;
  std::uint32_t hundredths = 0;
  if (at < text.size()) {
    if (text[at++] != '.') return std::nullopt;
    const std::string_view decimals = text.substr(at);
    if (decimals.empty() || decimals.size() > 2) return std::nullopt;
    for (char c : decimals) {
      if (c < '0' || c > '9') return std::nullopt;
      hundredths = hundredths * 10 + static_cast<std::uint32_t>(c - '0');
    }
    if (decimals.size() == 1) hundredths *= 10;
  }
  const std::uint32_t units = whole * 100 + hundredths;
  if (units > kWhole) return std::nullopt;
  return Weight(units);
}

std::optional<Weight> Weight::from_percent(double percent) noexcept {
  if (!(percent >= 0.0 && percent <= 100.0)) return std::nullopt;
  const double units = percent * 100.0;
  const double rounded = std::round(units);
  if (std::fabs(units - rounded) > 1e-6) return std::nullopt;
  return Weight(static_cast<std::uint32_t>(rounded));
}

std::string Weight::text() const {
  std::string out = std::to_string(units_ / 100);
  const std::uint32_t hundredths = units_ % 100;
  if (hundredths != 0) {
    out += '.';
    out += static_cast<char>('0' + hundredths / 10);
    if (hundredths % 10 != 0) out += static_cast<char>('0' + hundredths % 10);
  }
  return out;
}

}  // namespace tidegate
