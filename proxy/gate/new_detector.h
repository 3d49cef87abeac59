// Detector N: is new's failure probability above the operator's threshold? Six lanes, one for each alternative error
// rate, each a likelihood-ratio test that restarts at a failure. A restart is paid for from the budget of its tick,
// which is what bounds the chance of a false alarm *per period*, however often the test looks (the gate's rule, §4).
// Silence carries no evidence, and health before a suspicion is no credit that later failures would have to use up.
// With a burst tolerance, the evidence that counts (S) may follow the evidence seen (C) only at a limited pace
// (tokens), so a short burst cannot fire by itself whatever its rate. It knows nothing of old: attribution is the
// gate's. Owned by one Gate, on its thread; O(lanes) a tick, no allocation.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "gate/lanes.h"
#include "gate/parameters.h"
#include "gate/ruling.h"

namespace tidegate::gate {

class NewDetector {
 public:
  explicit NewDetector(const Parameters& parameters);

  /// One tick. @param counts with new_failures <= new_total, @param budget of this tick, @param even_budget its part
  /// that does not depend on steps (below its logarithm a suspicion ends).
  /// @return the lane that fired, if any; of several the one with the fewest requests, whose window is the freshest.
  std::optional<std::size_t> tick(const Counts& counts, double dt_s, double budget, double even_budget);

  double threshold() const noexcept { return threshold_; }
  double statistic() const noexcept;
  /// No lane is half-way to an alarm: the condition of a promotion.
  bool calm() const noexcept;
  /// The lane's evidence is still near the threshold, so an alarm that it raised stands.
  bool stands(std::size_t lane) const noexcept;
  /// The counts since the lane's suspicion began. Needs stands(lane).
  Window window(std::size_t lane) const noexcept { return lanes_[lane]->window; }
  /// Forgets the suspicions near the threshold: their evidence was explained by something that old shares.
  void use_up() noexcept;

  template <class Self, class F>
  static void fields(Self& self, F&& f) {
    f("lanes", self.lanes_);
  }

 private:
  /// An open suspicion.
  struct Suspicion {
    explicit Suspicion(double start_nats = 0.0, double need = 0.0)
        : seen(start_nats), counting(start_nats), start(start_nats), tokens(need / 2) {}
    double seen;      ///< C: evidence
    double counting;  ///< S <= C: the part that counts
    double start;     ///< lw: what the budget paid for
    double tokens;    ///< nats by which S may rise now
    Window window{};

    template <class Self, class F>
    static void fields(Self& self, F&& f) {
      f("seen", self.seen), f("counting", self.counting), f("start", self.start), f("tokens", self.tokens);
      f("window", self.window);
    }
  };

  void limit(Suspicion& suspicion, bool fresh, bool failures, double dt_s) const noexcept;

  Lanes table_;
  double threshold_;
  double tolerance_s_;
  std::uint64_t min_requests_;
  std::array<std::optional<Suspicion>, kLanes> lanes_{};
};

}  // namespace tidegate::gate
