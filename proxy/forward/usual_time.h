// How long a side usually takes until the head of a response, as one worker has seen it lately: what a hedge waits for before it goes
// out. A histogram whose bounds grow by an eighth at most, halved once it has many, so that it follows the side; the percentile is
// taken from it once a second. Not the histogram of the metrics: that one has the sending of the body to the client in it, never
// forgets, and is too coarse. Pure: time is an argument.
#pragma once

#include <array>
#include <cstdint>

#include "base/clock.h"

namespace tidegate::forward {

class UsualTime {
 public:
  static constexpr std::uint32_t kLeast = 100;   ///< responses that it takes to say anything
  static constexpr std::uint32_t kMany = 2'000;  ///< from here on they are halved, once a second

  void note(Duration took) noexcept;
  /// The 95th percentile, up to an eighth too long; zero: unknown.
  Duration p95(TimePoint now) noexcept;

 private:
  static constexpr unsigned kDoublings = 18;
  static constexpr unsigned kParts = 8;  // of a doubling

  static std::size_t bucket_of(Duration took) noexcept;
  static Duration end_of(std::size_t bucket) noexcept;

  std::array<std::uint32_t, kDoublings * kParts> counts_{};
  std::uint32_t total_ = 0;
  Duration p95_{0};
  TimePoint next_look_{};
};

}  // namespace tidegate::forward
