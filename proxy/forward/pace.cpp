#include "forward/pace.h"

#include <algorithm>

namespace tidegate::forward {

void Pace::start(std::uint64_t rate, Duration grace, std::uint64_t slack, TimePoint now) noexcept {
  rate_ = static_cast<double>(rate);
  most_ = account_ = rate_ * seconds(grace) + static_cast<double>(slack);
  moved_ = 0;
  seen_ = now;
}

bool Pace::keeps_up(std::int64_t moved, bool waiting, TimePoint now) noexcept {
  if (waiting) account_ -= rate_ * seconds(now - seen_);
  seen_ = now;
  if (moved > moved_) {
    account_ = std::min(most_, account_ + static_cast<double>(moved - moved_));
    moved_ = moved;
  }
  return account_ >= 0;
}

}  // namespace tidegate::forward
