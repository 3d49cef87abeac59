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
    : RouteGate(slow ? OfStreams{beside_slow(errors), slow_parameters(errors, *slow)} : OfStreams{errors, std::nullopt},
                new_weight) {}

RouteGate::RouteGate(const OfStreams& parameters, double new_weight) : errors_(parameters.errors, new_weight) {
  if (parameters.slow) slow_.emplace(*parameters.slow, new_weight);
}

RouteGate RouteGate::with_parameters(const Parameters& errors, const std::optional<Parameters>& slow) {
  return RouteGate(OfStreams{errors, slow}, 0.0);
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
