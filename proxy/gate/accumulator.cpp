#include "gate/accumulator.h"

namespace tidegate::gate {
namespace {

bool grew(const SideTally& now, const SideTally& before) noexcept {
  return now.dispatched >= before.dispatched && now.failures >= before.failures && now.slow >= before.slow;
}

}  // namespace

Accumulator::Accumulator(std::vector<const Ledger*> ledgers, std::uint64_t step) : step_(step) {
  sources_.reserve(ledgers.size());
  for (const Ledger* ledger : ledgers) sources_.push_back({ledger, ledger->read(step)});
}

StreamCounts Accumulator::take(std::uint64_t step) {
  if (step != step_) {
    step_ = step;
    // A ledger answers 0 for a step that its worker has not reached: the baseline of a new step is 0.
    for (Source& source : sources_) source.taken = {};
  }
  StreamCounts since;
  for (Source& source : sources_) {
    const Tally now = source.ledger->read(step);
    const Tally& before = source.taken;
    // A worker that is already in a later step answers 0 for this one. Its last counts here are lost, nothing else is.
    if (!grew(now[Side::New], before[Side::New]) || !grew(now[Side::Old], before[Side::Old])) continue;
    const std::uint64_t new_total = now[Side::New].dispatched - before[Side::New].dispatched;
    const std::uint64_t old_total = now[Side::Old].dispatched - before[Side::Old].dispatched;
    since.errors += Counts{new_total, now[Side::New].failures - before[Side::New].failures, old_total,
                           now[Side::Old].failures - before[Side::Old].failures};
    since.slow +=
        Counts{new_total, now[Side::New].slow - before[Side::New].slow, old_total, now[Side::Old].slow - before[Side::Old].slow};
    source.taken = now;
  }
  return since;
}

}  // namespace tidegate::gate
