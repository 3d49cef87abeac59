#include "gate/new_detector.h"

#include <algorithm>
#include <cmath>

namespace tidegate::gate {
namespace {

constexpr double kRounding = 1e-9;
/// An alarm stands, and is used up by a shared verdict, within this many nats of the threshold (20:1).
constexpr double kNear = 3.0;

}  // namespace

NewDetector::NewDetector(const Parameters& parameters)
    : table_(parameters.max_error_rate),
      threshold_(std::log(kLanes / (parameters.false_revert_budget * parameters.stream_share))),
      tolerance_s_(parameters.burst_tolerance_s),
      min_requests_(parameters.min_requests) {}

std::optional<std::size_t> NewDetector::tick(const Counts& counts, double dt_s, double budget, double even_budget) {
  const bool failures = counts.new_failures > 0;
  const double log_budget = failures ? std::log(budget) : 0.0;
  const double floor = std::log(even_budget);
  std::optional<std::size_t> fired;
  for (std::size_t j = 0; j < kLanes; ++j) {
    std::optional<Suspicion>& lane = lanes_[j];
    bool fresh = false;
    if (failures) {
      const double start = std::min(0.0, log_budget - table_.log_chance_of_a_failure(j, counts.new_total));
      if (!lane || lane->seen <= start) {
        lane.emplace(start, threshold_ - start);
        fresh = true;
      }
    }
    if (!lane) continue;
    lane->seen += table_.evidence(j, counts.new_total, counts.new_failures);
    lane->window.counts += counts;
    lane->window.seconds += dt_s;
    limit(*lane, fresh, failures, dt_s);
    if (lane->seen <= floor) {
      lane.reset();
    } else if (failures && lane->counting >= threshold_ - kRounding && lane->window.counts.new_total >= min_requests_) {
      if (!fired || lane->window.counts.new_total < lanes_[*fired]->window.counts.new_total) fired = j;
    }
  }
  return fired;
}

/// How far S may follow C in this tick. Half of the way to the threshold is the bucket, refilled once in a burst
/// tolerance; C stays within a quarter of a bucket of S, so that a burst leaves little behind that S could catch up
/// with.
void NewDetector::limit(Suspicion& suspicion, bool fresh, bool failures, double dt_s) const noexcept {
  if (tolerance_s_ > 0.0) {
    const double bucket = (threshold_ - suspicion.start) / 2;
    if (!fresh) suspicion.tokens = std::min(bucket, suspicion.tokens + bucket * dt_s / tolerance_s_);
    if (suspicion.seen < suspicion.counting) {
      suspicion.counting = suspicion.seen;
    } else if (failures) {
      const double rise =
          std::min({suspicion.seen - suspicion.counting, suspicion.tokens, threshold_ - suspicion.counting});
      suspicion.counting += rise;
      suspicion.tokens -= rise;
    }
    suspicion.seen = std::min(suspicion.seen, suspicion.counting + bucket / 4);
  } else {
    suspicion.counting = std::min(suspicion.seen, threshold_);
  }
  suspicion.seen = std::min(suspicion.seen, threshold_);
}

double NewDetector::statistic() const noexcept {
  double most = Statistics::kIdle;
  for (const auto& lane : lanes_) {
    if (lane) most = std::max(most, lane->counting);
  }
  return most;
}

bool NewDetector::calm() const noexcept {
  return std::all_of(lanes_.begin(), lanes_.end(), [this](const auto& lane) {
    return !lane || lane->counting - lane->start < (threshold_ - lane->start) / 2;
  });
}

bool NewDetector::stands(std::size_t lane) const noexcept {
  return lane < kLanes && lanes_[lane] && lanes_[lane]->counting > threshold_ - kNear;
}

void NewDetector::use_up() noexcept {
  for (std::size_t j = 0; j < kLanes; ++j) {
    if (stands(j)) lanes_[j].reset();
  }
}

}  // namespace tidegate::gate
