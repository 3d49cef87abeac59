// Detector P: is new proven not to be worse than old by the margin (at weight 100 %, where there is no old: not above
// the threshold)? One test per step, so it starts anew with every weight. It counts new's own requests: without traffic
// of new it proves nothing, however healthy old is. Owned by one Gate, on its thread.
#pragma once

#include <array>

#include "gate/parameters.h"
#include "gate/ruling.h"

namespace tidegate::gate {

class PromotionDetector {
 public:
  explicit PromotionDetector(const Parameters& parameters);

  /// @param baseline old is there to compare with.
  void step(bool baseline) noexcept;
  void tick(const Counts& counts) noexcept;

  double threshold() const noexcept { return threshold_; }
  /// Failures of the open batch are held against new at once, its successes count when it closes.
  double statistic() const noexcept;
  bool proven() const noexcept { return statistic() >= threshold_; }

  template <class Self, class F>
  static void fields(Self& self, F&& f) {
    f("baseline", self.baseline_), f("batch", self.batch_), f("evidence", self.evidence_);
  }

 private:
  static constexpr std::array<double, 4> kTilts{0.3, 0.8, 1.6, 3.0};
  static constexpr double kLead = 3.0;        ///< nats above the threshold that are remembered
  /// Requests of new that close a batch: n/m of a batch must mean something.
  static constexpr std::uint64_t kBatch = 20;

  double threshold_;
  double margin_;
  double max_error_rate_;
  bool baseline_ = false;
  Counts batch_{};
  std::array<double, kTilts.size()> evidence_{};
};

}  // namespace tidegate::gate
