// What one worker counted for one route: requests at dispatch, failures and slow answers when they are known, for each
// side, apart for each step. Written by its worker only, read by the gate runner (and by metrics) at any time, without locks: a counter
// is an atomic that its one writer loads and stores, which costs what a plain increment costs. Owned by the route's
// run-time state; one a worker, each on its own cache lines. It decides nothing and knows no time.
//
// A step is named by a number that only grows (the epoch that made it; numbers may be left out). Two steps are kept, by
// the parity of that number, so that in general the last counts of a step can still be read when the next one has
// begun. Why no failure is attributed to a wrong step:
//   1. A failure (or a slow answer) is counted only if the step of its dispatch is the worker's current one; else it is stale, for the
//      log.
//   2. A slot carries the number of its step. Only its worker moves it on: the number is taken away, the counters are
//      zeroed, the new number is published, every store with release. read() loads number, counters, number, every load
//      with acquire: a counter of a later step brings the changed number with it, and then the answer is 0. So a worker
//      that has not reached the step, or has left it, contributes nothing to it; no baseline has to be taken at the
//      right moment, and no worker has to be waited for.
//   3. Numbers only grow, so a slot never comes back to a number that it had.
// Failures are read before requests and stored after them: a tick can see a failure late, but the sum since the step
// began never holds a failure without its request.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>

#include "base/side.h"

namespace tidegate::gate {

inline constexpr std::size_t kCacheLine = 64;

struct SideTally {
  std::uint64_t dispatched = 0;
  std::uint64_t failures = 0;
  std::uint64_t slow = 0;
  friend bool operator==(const SideTally&, const SideTally&) noexcept = default;
};
/// Cumulative since the step began.
using Tally = PerSide<SideTally>;

class alignas(kCacheLine) Ledger {
 public:
  /// @param step the worker's current one: that of the snapshot by which the side was chosen.
  void dispatched(Side side, std::uint64_t step) noexcept { add(slot(step).sides[index(side)].dispatched); }

  /// @param step_of_dispatch as given to dispatched(); @param current_step the worker's current one, which is not
  /// older.
  void failed(Side side, std::uint64_t step_of_dispatch, std::uint64_t current_step) noexcept {
    add(step_of_dispatch == current_step ? slot(current_step).sides[index(side)].failures : stale_[index(side)]);
  }

  /// The request took longer than the route's `gate.slow.over`; at most once a dispatch, known at that moment and not at
  /// the answer. The same steps as for failed(); what comes late is not counted anywhere.
  void slow(Side side, std::uint64_t step_of_dispatch, std::uint64_t current_step) noexcept {
    if (step_of_dispatch == current_step) add(slot(current_step).sides[index(side)].slow);
  }

  /// What the worker counted in `step`; zero if it has not been there, or has left it and needed the slot again.
  Tally read(std::uint64_t step) const noexcept {
    const Slot& from = slots_[step & 1];
    Tally tally;
    if (from.step.load(std::memory_order_acquire) != step) return tally;
    for (const Side side : {Side::Old, Side::New}) {
      const SideCount& count = from.sides[index(side)];
      tally[side].slow = count.slow.load(std::memory_order_acquire);
      tally[side].failures = count.failures.load(std::memory_order_acquire);
      tally[side].dispatched = count.dispatched.load(std::memory_order_acquire);
    }
    return from.step.load(std::memory_order_relaxed) == step ? tally : Tally{};
  }

  /// Failures that came after their step had ended: known, not judged.
  std::uint64_t stale_failures(Side side) const noexcept {
    return stale_[index(side)].load(std::memory_order_relaxed);
  }

 private:
  using Counter = std::atomic<std::uint64_t>;
  static_assert(Counter::is_always_lock_free);

  static constexpr std::uint64_t kNoStep = std::numeric_limits<std::uint64_t>::max();

  struct SideCount {
    Counter dispatched{0};
    Counter failures{0};
    Counter slow{0};
  };
  /// One cache line: what a request touches.
  struct alignas(kCacheLine) Slot {
    Counter step{kNoStep};
    std::array<SideCount, 2> sides{};
  };
  static_assert(sizeof(Slot) == kCacheLine);

  static void add(Counter& counter) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  Slot& slot(std::uint64_t step) noexcept {
    Slot& mine = slots_[step & 1];
    if (mine.step.load(std::memory_order_relaxed) != step) [[unlikely]] begin(mine, step);
    return mine;
  }

  static void begin(Slot& slot, std::uint64_t step) noexcept {
    slot.step.store(kNoStep, std::memory_order_relaxed);
    for (SideCount& count : slot.sides) {
      count.slow.store(0, std::memory_order_release);
      count.failures.store(0, std::memory_order_release);
      count.dispatched.store(0, std::memory_order_release);
    }
    slot.step.store(step, std::memory_order_release);
  }

  std::array<Slot, 2> slots_{};
  std::array<Counter, 2> stale_{};
};

}  // namespace tidegate::gate
