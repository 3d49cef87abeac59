// The six error rates that new (and old) are tested for, and what one request says about each: the natural logarithm of
// the likelihood ratio "fails with p_j" against "fails with theta". Shared by the new and the old detector so that both
// look at the same alternatives. Immutable after construction; may be read on any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tidegate::gate {

inline constexpr std::size_t kLanes = 6;

class Lanes {
 public:
  /// Spaced geometrically from 2 theta to 90 %. @param theta max_error_rate, in (0, 1).
  explicit Lanes(double theta);

  double rate(std::size_t lane) const noexcept { return rate_[lane]; }

  /// Evidence of a number of requests, of which some failed. Needs failures <= total.
  double evidence(std::size_t lane, std::uint64_t total, std::uint64_t failures) const noexcept {
    return static_cast<double>(failures) * failure_[lane] + static_cast<double>(total - failures) * success_[lane];
  }

  /// ln P(at least one of `total` requests fails), if the lane's rate is the true one.
  double log_chance_of_a_failure(std::size_t lane, std::uint64_t total) const noexcept;

 private:
  std::array<double, kLanes> rate_{};
  std::array<double, kLanes> failure_{};  ///< of one failure, > 0
  std::array<double, kLanes> success_{};  ///< of one success, < 0
};

}  // namespace tidegate::gate
