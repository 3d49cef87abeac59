#include "forward/usual_time.h"

#include <algorithm>
#include <bit>

namespace tidegate::forward {

namespace {
constexpr Duration kUnit = std::chrono::microseconds(125);
constexpr Duration kLook = std::chrono::seconds(1);
}  // namespace

/// The first eight are one unit each; then each doubling has eight.
std::size_t UsualTime::bucket_of(Duration took) noexcept {
  const auto units = static_cast<std::uint64_t>(std::max<std::int64_t>(took / kUnit, 0));
  if (units < kParts) return static_cast<std::size_t>(units);
  const unsigned shift = static_cast<unsigned>(std::bit_width(units)) - 4;
  const std::size_t bucket = (shift + 1) * kParts + ((units >> shift) & (kParts - 1));
  return std::min<std::size_t>(bucket, kDoublings * kParts - 1);
}

Duration UsualTime::end_of(std::size_t bucket) noexcept {
  if (bucket < kParts) return kUnit * static_cast<std::int64_t>(bucket + 1);
  const auto shift = static_cast<unsigned>(bucket / kParts - 1);
  return kUnit * static_cast<std::int64_t>((kParts + bucket % kParts + 1) << shift);
}

void UsualTime::note(Duration took) noexcept {
  ++counts_[bucket_of(took)];
  ++total_;
}

Duration UsualTime::p95(TimePoint now) noexcept {
  if (total_ < kLeast) return Duration::zero();
  if (now < next_look_) return p95_;
  next_look_ = now + kLook;
  std::uint32_t above = total_ / 20;  // five in a hundred may be above it
  std::size_t bucket = counts_.size();
  while (bucket > 1 && counts_[bucket - 1] <= above) above -= counts_[--bucket];
  p95_ = end_of(bucket - 1);
  if (total_ < kMany) return p95_;
  total_ = 0;
  for (std::uint32_t& count : counts_) total_ += count /= 2;
  return p95_;
}

}  // namespace tidegate::forward
