#include "gate/route_gate.h"

namespace tidegate::gate {
namespace {

/// What an operator has to know first. A promotion comes last: it takes both.
int gravity(const Ruling& ruling) noexcept {
  if (ruling.decision == Decision::Revert) return 6;
  switch (ruling.reason) {
    case Reason::Attribution: return 5;
    case Reason::SharedDegradation: return 4;
    case Reason::WorseThanOld: return 3;
    case Reason::NoData: return 2;
    case Reason::Promote: return 0;
    default: return 1;
  }
}

}  // namespace

RouteGate::RouteGate(const Parameters& errors, const std::optional<SlowRule>& slow, double new_weight)
    : errors_(slow ? beside_slow(errors) : errors, new_weight) {
  if (slow) slow_.emplace(slow_parameters(errors, *slow), new_weight);
}

void RouteGate::step(double new_weight) {
  errors_.gate.step(new_weight);
  if (slow_) slow_->gate.step(new_weight);
}

void RouteGate::rearm(double new_weight) {
  errors_.gate.rearm(new_weight);
  errors_.ruling = {};
  if (!slow_) return;
  slow_->gate.rearm(new_weight);
  slow_->ruling = {};
  slow_->ruling.stream = Stream::Slow;
}

Ruling RouteGate::tick(const StreamCounts& counts, double dt_s) {
  errors_.ruling = errors_.gate.tick(counts.errors, dt_s);
  if (!slow_) return errors_.ruling;
  slow_->ruling = slow_->gate.tick(counts.slow, dt_s);
  return gravity(slow_->ruling) > gravity(errors_.ruling) ? slow_->ruling : errors_.ruling;
}

bool RouteGate::old_suspect() const noexcept {
  return errors_.gate.old_suspect() || (slow_ && slow_->gate.old_suspect());
}

}  // namespace tidegate::gate
