// The part of a route that changes while it serves: one word that every worker reads at each choice of a side, and one
// for the mirror. Control stores, workers load; nothing else is shared on the request path. A store is in force for the
// next request on every worker.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/weight.h"

namespace tidegate::route {

/// What one exchange sees of the split: the weight of new, the decision that made it (epoch) and the gate's step.
struct SplitState {
  Weight weight;
  std::uint32_t step = 0;   ///< counts the route's own weight changes, modulo 2^18: tags what is dispatched for the gate
  std::uint32_t epoch = 0;  ///< low 32 bits of the epoch
};

class alignas(64) LiveRoute {
 public:
  static constexpr std::uint32_t kSteps = 1u << 18;

  SplitState split() const noexcept { return unpack(split_.load(std::memory_order_acquire)); }
  /// Control only.
  void publish(const SplitState& state) noexcept { split_.store(pack(state), std::memory_order_seq_cst); }

  Weight mirror() const noexcept { return Weight::of_units(mirror_.load(std::memory_order_relaxed)); }
  void publish_mirror(Weight percent) noexcept { mirror_.store(percent.units(), std::memory_order_seq_cst); }

 private:
  static constexpr std::uint64_t pack(const SplitState& s) noexcept {
    return (static_cast<std::uint64_t>(s.epoch) << 32) | (static_cast<std::uint64_t>(s.step % kSteps) << 14) | s.weight.units();
  }
  static constexpr SplitState unpack(std::uint64_t word) noexcept {
    return {Weight::of_units(static_cast<std::uint32_t>(word & 0x3fff)),
            static_cast<std::uint32_t>((word >> 14) & (kSteps - 1)), static_cast<std::uint32_t>(word >> 32)};
  }

  std::atomic<std::uint64_t> split_{0};
  std::atomic<std::uint32_t> mirror_{0};
};

}  // namespace tidegate::route
