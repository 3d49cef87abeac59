#include "gate/old_detector.h"

#include <algorithm>

namespace tidegate::gate {

void OldDetector::tick(const Counts& counts) noexcept {
  if (counts.old_total == 0) return;
  for (std::size_t j = 0; j < kLanes; ++j) {
    evidence_[j] =
        std::clamp(evidence_[j] + table_.evidence(j, counts.old_total, counts.old_failures), 0.0, kMost);
  }
}

double OldDetector::statistic() const noexcept { return *std::max_element(evidence_.begin(), evidence_.end()); }

}  // namespace tidegate::gate
