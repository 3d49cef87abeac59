#include "observe/access_sink.h"

#include <algorithm>
#include <cmath>

namespace tidegate::observe {

namespace {

/// 2^32 divided by the golden ratio: the sequence of its multiples is spread evenly at every length and, unlike "every
/// tenth", never falls into step with traffic that repeats.
constexpr std::uint32_t kGolden = 0x9E3779B9;

std::uint64_t threshold(double share) noexcept {
  return static_cast<std::uint64_t>(std::llround(std::clamp(share, 0.0, 1.0) * 4294967296.0));
}

}  // namespace

AccessSink::AccessSink(std::size_t ring_bytes, double sample, Counter& dropped, const WakeUp& wake)
    : ring_(ring_bytes), wake_(wake), dropped_(dropped), threshold_(threshold(sample)) {}

void AccessSink::write(const AccessRecord& record) noexcept {
  if (!is_chosen(record)) return;
  const std::size_t size = format_access_line(record, line_);
  if (size == 0 || !ring_.push({line_.data(), size})) dropped_.add();
  if (ring_.wants_reader()) wake_.signal();
}

bool AccessSink::is_chosen(const AccessRecord& record) noexcept {
  if (record.response_code >= 500 || !record.response_flags.empty()) return true;
  position_ += kGolden;
  return position_ < threshold_;
}

}  // namespace tidegate::observe
