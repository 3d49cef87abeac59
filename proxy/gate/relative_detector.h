// Detector R: does new fail more than baseline_factor x old + margin? It bets on whose failure the next one is, against
// new's share of the requests; failures that both sides share do not move it, whatever their rate (the gate's rule,
// §4). It needs requests that were split at random or at least share-true, and both sides in use: off at weight 0 and
// 100 %. Owned by one Gate, on its thread.
#pragma once

#include <array>
#include <cstdint>

#include "gate/parameters.h"
#include "gate/ruling.h"

namespace tidegate::gate {

class RelativeDetector {
 public:
  explicit RelativeDetector(const Parameters& parameters);

  /// A step begins. Evidence is kept (it is about the sides, not about the weight), the measured share starts anew.
  /// @param weight new's share, 0..1. @param active false: without a baseline there is nothing to compare with.
  void step(double weight, bool active) noexcept;
  void tick(const Counts& counts, double budget) noexcept;

  double threshold() const noexcept { return threshold_; }
  double statistic() const noexcept;
  bool proven() const noexcept { return active_ && statistic() >= threshold_; }

  template <class Self, class F>
  static void fields(Self& self, F&& f) {
    f("active", self.active_), f("weight", self.weight_), f("share", self.share_);
    f("step_new", self.step_new_), f("step_old", self.step_old_), f("next_measure", self.next_measure_);
    f("bank", self.bank_), f("evidence", self.evidence_);
  }

 private:
  static constexpr std::array<double, 4> kBets{0.25, 0.5, 0.75, 0.95};
  static constexpr double kFloor = -40.0;  ///< below it a suspicion is idle
  static constexpr double kLead = 2.0;     ///< nats above the threshold that are remembered
  static constexpr double kPrior = 200.0;  ///< requests that the configured weight is worth in the measured share

  void measure_share() noexcept;

  double threshold_;
  double factor_;
  double margin_;
  bool active_ = false;
  double weight_ = 0.0;
  double share_ = 0.0;         ///< s: new's part of the requests of this step, from earlier ticks only
  double step_new_ = 0.0;      ///< requests of this step
  double step_old_ = 0.0;
  double next_measure_ = 0.0;  ///< requests of the step at which the share is measured again
  double bank_ = 0.0;          ///< budget of the ticks without failures
  std::array<double, kBets.size()> evidence_{};
};

}  // namespace tidegate::gate
