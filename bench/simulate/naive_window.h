// The rule that everybody writes first: new's failures of the last seconds are more than the threshold, and there were enough
// requests. It is what the gate is compared with; nothing of the program uses it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "gate/ruling.h"

namespace tidegate::simulate {

class NaiveWindow {
 public:
  NaiveWindow(double window_s, std::uint64_t min_requests, double threshold, double tick_s)
      : ring_(static_cast<std::size_t>(window_s / tick_s + 0.5)), min_requests_(min_requests), threshold_(threshold) {}

  /// @return it reverts.
  bool tick(const gate::Counts& counts) noexcept {
    Seen& oldest = ring_[next_];
    next_ = next_ + 1 == ring_.size() ? 0 : next_ + 1;
    total_ += counts.new_total - oldest.total;
    failures_ += counts.new_failures - oldest.failures;
    oldest = {counts.new_total, counts.new_failures};
    return counts.new_failures > 0 && total_ >= min_requests_ &&
           static_cast<double>(failures_) > threshold_ * static_cast<double>(total_);
  }

 private:
  struct Seen {
    std::uint64_t total = 0;
    std::uint64_t failures = 0;
  };
  std::vector<Seen> ring_;
  std::size_t next_ = 0;
  std::uint64_t total_ = 0;
  std::uint64_t failures_ = 0;
  std::uint64_t min_requests_;
  double threshold_;
};

}  // namespace tidegate::simulate
