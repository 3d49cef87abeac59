// Turns the ledgers of all workers, which only ever grow, into the counts of one tick of the gate. It starts anew when
// the step changes. Owned by the gate runner, used on its thread; the ledgers are the route's and must outlive it.
#pragma once

#include <cstdint>
#include <vector>

#include "gate/counters.h"
#include "gate/ruling.h"

namespace tidegate::gate {

class Accumulator {
 public:
  /// @param step the step in force: what the ledgers counted in it before now is the baseline, so that a gate which is
  /// built in the middle of a step is not handed the whole of it as one tick.
  Accumulator(std::vector<const Ledger*> ledgers, std::uint64_t step);

  /// What was counted in `step` since the last call, or since the step began if it is another one than then.
  StreamCounts take(std::uint64_t step);

 private:
  struct Source {
    const Ledger* ledger;
    Tally taken;  ///< already handed out, of this step
  };

  std::vector<Source> sources_;
  std::uint64_t step_;
};

}  // namespace tidegate::gate
