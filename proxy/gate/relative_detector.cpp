#include "gate/relative_detector.h"

#include <algorithm>
#include <cmath>

namespace tidegate::gate {

RelativeDetector::RelativeDetector(const Parameters& parameters)
    : threshold_(std::log(kBets.size() / (parameters.false_revert_budget * parameters.stream_share))),
      factor_(parameters.baseline_factor),
      margin_(parameters.comparison_margin) {
  evidence_.fill(Statistics::kIdle);
}

void RelativeDetector::step(double weight, bool active) noexcept {
  weight_ = share_ = weight;
  step_new_ = step_old_ = 0.0;
  next_measure_ = 100.0;
  active_ = active;
  if (!active) evidence_.fill(Statistics::kIdle);
}

/// Refreshed at every 10 % + 100 requests of the step: often enough to follow stickiness and forced requests, seldom
/// enough to cost nothing. It uses earlier ticks only, so a bet never knows its own outcome.
void RelativeDetector::measure_share() noexcept {
  const double total = step_new_ + step_old_;
  if (total < next_measure_) return;
  share_ = std::clamp((kPrior * weight_ + step_new_) / (kPrior + total), 0.001, 0.999);
  next_measure_ = 1.1 * total + 100.0;
}

void RelativeDetector::tick(const Counts& counts, double budget) noexcept {
  if (!active_) return;
  measure_share();
  const double n = static_cast<double>(counts.new_total), x = static_cast<double>(counts.new_failures);
  const double m = static_cast<double>(counts.old_total), y = static_cast<double>(counts.old_failures);
  step_new_ += n;
  step_old_ += m;
  bank_ += budget;
  double start = 0.0;
  if (x + y > 0) {
    start = std::min(0.0, std::log(bank_));
    bank_ = 0.0;
  }
  const double odds = factor_ * share_ / (1.0 - share_);
  for (std::size_t j = 0; j < kBets.size(); ++j) {
    const double bet = kBets[j];
    const double gain = std::log1p(bet / odds);
    double& evidence = evidence_[j];
    // The failure that begins a suspicion is not evidence for it: its gain is taken off in advance.
    if (x > 0 && evidence <= start - gain) evidence = start - gain;
    if (evidence == Statistics::kIdle) continue;
    evidence += gain * x + std::log1p(-bet) * y - (n + m) * std::log1p(share_ * margin_ * bet / odds);
    evidence = std::min(evidence, threshold_ + kLead);
    if (evidence < kFloor) evidence = Statistics::kIdle;
  }
}

double RelativeDetector::statistic() const noexcept { return *std::max_element(evidence_.begin(), evidence_.end()); }

}  // namespace tidegate::gate
