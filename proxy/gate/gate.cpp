#include "gate/gate.h"

#include <algorithm>
#include <cmath>

namespace tidegate::gate {
namespace {

constexpr double kRounding = 1e-9;        // ticks add up with rounding
constexpr double kSharedHold = 30.0;      // seconds for which a shared verdict stands at least
constexpr double kOldCleared = -3.0;      // nats: 20:1 that old was fine in the window of the alarm
constexpr double kOldFresh = 10.0;        // seconds after which a silent old is no baseline
constexpr double kNoOld = 0.999;          // from this weight on, old gets too little to compare with
constexpr double kNoNew = 1e-6;           // up to this weight there is nothing to guard
constexpr double kHighestRate = 0.95;     // of the rate that old is compared with
constexpr double kShortestTick = 1e-6;    // seconds; a clock that stood still must not make a logarithm of 0

/// The domain on which every logarithm of the rule exists. The configuration refuses what lies outside with line and
/// column; here it only keeps a value that came another way from turning the gate into NaN, which never fires.
Parameters within_domain(Parameters p) {
  p.max_error_rate = std::clamp(p.max_error_rate, 1e-6, 0.999);
  p.comparison_margin = std::clamp(p.comparison_margin, 1e-9, 0.999);
  p.baseline_factor = std::max(p.baseline_factor, 1e-3);
  p.false_revert_budget = std::clamp(p.false_revert_budget, 1e-12, 0.999);
  p.stream_share = std::clamp(p.stream_share, 1e-6, 1.0);
  p.promote_error = std::clamp(p.promote_error, 1e-12, 0.999);
  p.budget_period_s = std::max(p.budget_period_s, 1.0);
  p.burst_tolerance_s = std::max(p.burst_tolerance_s, 0.0);
  p.breaker.share = std::clamp(p.breaker.share, 0.01, 1.0);
  return p;
}

}  // namespace

Gate::Gate(const Parameters& parameters, double new_weight)
    : parameters_(within_domain(parameters)),
      budget_(parameters_.budget_period_s),
      new_(parameters_),
      old_(parameters_.max_error_rate),
      relative_(parameters_),
      promotion_(parameters_),
      breaker_(parameters_.breaker) {
  step(new_weight);
}

void Gate::step(double new_weight) {
  watching_ = new_weight > kNoNew;
  baseline_ = watching_ && new_weight < kNoOld && parameters_.use_baseline;
  // Weight 0 begins nothing, so it takes no part of the budget from the steps to come.
  if (watching_) budget_.step();
  step_ = {};
  relative_.step(new_weight, baseline_);
  promotion_.step(baseline_);
  if (!watching_) {
    alarm_.reset();
    breaker_.clear();
    shared_left_s_ = 0.0;
  }
}

void Gate::rearm(double new_weight) {
  new_ = NewDetector(parameters_);
  old_ = OldDetector(parameters_.max_error_rate);
  relative_ = RelativeDetector(parameters_);
  breaker_.clear();
  alarm_.reset();
  silent_s_ = old_silent_s_ = shared_left_s_ = 0.0;
  step(new_weight);
}

Ruling Gate::tick(const Counts& raw, double dt_s) {
  const double dt = dt_s > kShortestTick ? dt_s : kShortestTick;
  Counts counts = raw;
  if (!watching_) counts.new_total = counts.new_failures = 0;
  step_.counts += counts;  // what is shown: every request once
  // A failure may arrive in a tick without dispatches; for the test it stands for the request that it belongs to.
  counts.new_total = std::max(counts.new_total, counts.new_failures);
  counts.old_total = std::max(counts.old_total, counts.old_failures);

  const double budget = budget_.spend(dt);
  step_.seconds += dt;
  silent_s_ = counts.new_total > 0 ? 0.0 : silent_s_ + dt;
  old_silent_s_ = counts.old_total > 0 ? 0.0 : old_silent_s_ + dt;
  shared_left_s_ = shared_left_s_ > 0.0 ? shared_left_s_ - dt : shared_left_s_;

  const auto fired = new_.tick(counts, dt, budget, budget_.even(dt));
  old_.tick(counts);
  relative_.tick(counts, budget);
  promotion_.tick(counts);
  const bool broke = parameters_.use_breaker && breaker_.tick(counts, dt);

  const Answer answer = decide(fired, broke, dt);
  return {stream_of(parameters_), answer.decision, answer.reason, statistics(), answer.window, step_, silent_s_};
}

Gate::Answer Gate::decide(std::optional<std::size_t> fired, bool broke, double dt_s) {
  update_alarm(fired, broke, dt_s);
  return alarm_ ? attribute(*alarm_) : without_alarm();
}

/// Drops an alarm that has receded and takes up a new one. The breaker's replaces a lane's, which keeps its waiting
/// time: it is the same trouble, seen more clearly.
void Gate::update_alarm(std::optional<std::size_t> fired, bool broke, double dt_s) {
  if (alarm_) {
    const bool stands = alarm_->lane ? new_.stands(*alarm_->lane) : breaker_.streak().has_value();
    if (stands) {
      alarm_->waited_s += dt_s;
    } else {
      alarm_.reset();
    }
  }
  if (broke) {
    if (!alarm_) alarm_.emplace();
    alarm_->lane.reset();
  } else if (fired && !alarm_) {
    alarm_.emplace();
    alarm_->lane = fired;
  }
}

Gate::Answer Gate::attribute(const Alarm& alarm) {
  const Window window = alarm.lane ? new_.window(*alarm.lane) : *breaker_.streak();
  const Reason rate = stream_of(parameters_) == Stream::Slow ? Reason::SlowRate : Reason::ErrorRate;
  const Reason cause = alarm.lane ? rate : Reason::HardBreaker;
  if (!baseline_usable() || relative_.proven()) return {Decision::Revert, cause, window};
  const double against_old = evidence_against_old(window.counts);
  if (old_.suspect() || against_old > 0.0) {
    // The evidence is used up; else the first failure after the incident would complete it to a late revert.
    new_.use_up();
    breaker_.clear();
    alarm_.reset();
    shared_left_s_ = kSharedHold;
    shared_ = window;
    return {Decision::Hold, Reason::SharedDegradation, window};
  }
  if (against_old <= kOldCleared || alarm.waited_s >= parameters_.attribution_grace_s - kRounding) {
    return {Decision::Revert, cause, window};
  }
  return {Decision::Hold, Reason::Attribution, window};
}

Gate::Answer Gate::without_alarm() const {
  if (shared_left_s_ > 0.0) return {Decision::Hold, Reason::SharedDegradation, shared_};
  if (relative_.proven()) return {Decision::Hold, Reason::WorseThanOld};
  if (silent_s_ >= parameters_.no_data_s - kRounding) return {Decision::Hold, Reason::NoData};
  if (step_.seconds >= parameters_.min_dwell_s - kRounding && promotion_.proven() && new_.calm()) {
    return {Decision::Promote, Reason::Promote};
  }
  return {Decision::Hold, Reason::Observing};
}

bool Gate::baseline_usable() const noexcept { return baseline_ && old_silent_s_ <= kOldFresh; }

/// Is old as bad as new was measured in the window of the alarm? In nats; positive: rather yes. Old is judged by new's
/// measured rate and not by the lane's: the lane that fires first is often far from the truth.
double Gate::evidence_against_old(const Counts& window) const noexcept {
  const double theta = parameters_.max_error_rate;
  const double measured = static_cast<double>(window.new_failures) / static_cast<double>(window.new_total);
  const double rate = std::min(std::max(kHighestRate, theta), std::max(2.0 * theta, measured));
  const double failures = static_cast<double>(window.old_failures);
  const double successes = static_cast<double>(window.old_total - window.old_failures);
  return failures * std::log(rate / theta) + successes * (std::log1p(-rate) - std::log1p(-theta));
}

Statistics Gate::statistics() const noexcept {
  return {new_.statistic(), old_.statistic(), relative_.statistic(), promotion_.statistic()};
}

}  // namespace tidegate::gate
