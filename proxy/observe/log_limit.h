// Keeps what strangers can cause from filling the program's log: at most one line in kPeriod, with how many were kept back.
// A value without a clock; one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "base/clock.h"

namespace tidegate::observe {

class LogLimit {
 public:
  static constexpr Duration kPeriod = std::chrono::seconds(10);

  /// @return empty: say nothing; else how many were kept back since the last line.
  std::optional<std::uint64_t> pass(TimePoint now) noexcept {
    if (said_ && now - *said_ < kPeriod) {
      ++unsaid_;
      return std::nullopt;
    }
    said_ = now;
    return std::exchange(unsaid_, 0);
  }

 private:
  std::optional<TimePoint> said_;
  std::uint64_t unsaid_ = 0;
};

}  // namespace tidegate::observe
