// What a row of health checks of one address amounts to: so many failures in a row take it out, so many successes bring it
// back. Before the first check it is in, and the first check decides by itself: traffic need not wait, and an address that was
// never well is not asked three times. Pure.
#pragma once

#include <cstdint>

namespace tidegate::upstream {

class HealthState {
 public:
  HealthState(std::uint32_t healthy, std::uint32_t unhealthy) noexcept : healthy_after_(healthy), unhealthy_after_(unhealthy) {}

  bool is_healthy() const noexcept { return is_healthy_; }
  /// Known from before, and so brought back by as many successes as any.
  void begin_unhealthy() noexcept {
    is_healthy_ = false;
    asked_ = true;
  }
  /// The next check's outcome. @return whether is_healthy() is another than before
  bool judge(bool passed) noexcept {
    const bool first = !asked_;
    asked_ = true;
    if (passed == is_healthy_) {
      against_ = 0;
      return false;
    }
    ++against_;
    if (!first && against_ < (passed ? healthy_after_ : unhealthy_after_)) return false;
    is_healthy_ = passed;
    against_ = 0;
    return true;
  }

 private:
  std::uint32_t healthy_after_;
  std::uint32_t unhealthy_after_;
  std::uint32_t against_ = 0;  // outcomes in a row that speak against what it is
  bool is_healthy_ = true;
  bool asked_ = false;
};

}  // namespace tidegate::upstream
