#include "gate/promotion_detector.h"

#include <algorithm>
#include <cmath>

namespace tidegate::gate {

PromotionDetector::PromotionDetector(const Parameters& parameters)
    : threshold_(std::log(kTilts.size() / parameters.promote_error)),
      margin_(parameters.comparison_margin),
      max_error_rate_(parameters.max_error_rate) {}

void PromotionDetector::step(bool baseline) noexcept {
  baseline_ = baseline;
  batch_ = {};
  evidence_.fill(0.0);
}

void PromotionDetector::tick(const Counts& counts) noexcept {
  batch_ += counts;
  if (batch_.new_total < kBatch) return;
  const double n = static_cast<double>(batch_.new_total), x = static_cast<double>(batch_.new_failures);
  const double m = static_cast<double>(batch_.old_total), y = static_cast<double>(batch_.old_failures);
  const double allowed = baseline_ ? margin_ : max_error_rate_;
  for (std::size_t j = 0; j < kTilts.size(); ++j) {
    const double u = 1.0 - std::exp(-kTilts[j]);
    double evidence = evidence_[j] - kTilts[j] * x - n * std::log1p(-allowed * u);
    if (baseline_ && y > 0) evidence += y * std::log1p(n / m * u);
    evidence_[j] = std::min(threshold_ + kLead, evidence);
  }
  batch_ = {};
}

double PromotionDetector::statistic() const noexcept {
  double most = Statistics::kIdle;
  for (std::size_t j = 0; j < kTilts.size(); ++j) {
    most = std::max(most, evidence_[j] - kTilts[j] * static_cast<double>(batch_.new_failures));
  }
  return most;
}

}  // namespace tidegate::gate
