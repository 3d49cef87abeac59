#include "gate/lanes.h"

#include <algorithm>
#include <cmath>

namespace tidegate::gate {
namespace {

constexpr double kTopRate = 0.9;

}  // namespace

Lanes::Lanes(double theta) {
  // The rule's 2 theta .. 0.9 while theta is below 45 %; above that it squeezes the lanes between theta and 1, so that
  // every threshold which the configuration can express is tested for something that lies above it.
  const double top = std::max(kTopRate, (1.0 + theta) / 2.0);
  const double bottom = std::min(2.0 * theta, (theta + top) / 2.0);
  for (std::size_t j = 0; j < kLanes; ++j) {
    rate_[j] = bottom * std::pow(top / bottom, static_cast<double>(j) / (kLanes - 1));
    failure_[j] = std::log(rate_[j] / theta);
    success_[j] = std::log1p(-rate_[j]) - std::log1p(-theta);
  }
}

double Lanes::log_chance_of_a_failure(std::size_t lane, std::uint64_t total) const noexcept {
  return std::log(-std::expm1(static_cast<double>(total) * std::log1p(-rate_[lane])));
}

}  // namespace tidegate::gate
