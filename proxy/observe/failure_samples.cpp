#include "observe/failure_samples.h"

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

namespace tidegate::observe {
namespace {

constexpr std::size_t kPathBytes = 200;
constexpr std::size_t kPlainSegment = 24;  ///< words of an API are shorter

/// A word of an API ("orders", "db-check"), or its version ("v1"). Everything with other digits may name a person, an order or
/// a secret, and so may long and mixed-case letters.
bool is_plain(std::string_view segment) noexcept {
  if (segment.size() > kPlainSegment) return false;
  const bool version = segment.size() <= 3 && segment.starts_with('v');
  return std::all_of(segment.begin(), segment.end(), [version](char c) {
    return (c >= 'a' && c <= 'z') || c == '-' || c == '_' || (version && c >= '0' && c <= '9');
  });
}

}  // namespace

std::string redacted_path(std::string_view target) {
  const std::string_view path = target.substr(0, target.find_first_of("?#"));
  std::string out;
  for (std::size_t begin = 0; begin <= path.size() && out.size() < kPathBytes;) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    out += is_plain(segment) ? segment : std::string_view("*");
    if (end < path.size()) out += '/';
    begin = end + 1;
  }
  if (out.size() > kPathBytes) out.resize(kPathBytes);
  return out;
}

std::string redacted_id(std::string_view request_id) {
  constexpr std::size_t kUuid = 36;
  if (request_id.size() != kUuid) return {};
  for (std::size_t i = 0; i < kUuid; ++i) {
    const char c = request_id[i];
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !hex) return {};
  }
  return std::string(request_id);
}

namespace {

std::int64_t second_of(TimePoint moment) noexcept {
  return std::chrono::duration_cast<std::chrono::seconds>(moment.time_since_epoch()).count();
}

}  // namespace

bool FailureSamples::wants(TimePoint now) const noexcept {
  return kept_.empty() || kept_.back().number != second_of(now) || kept_.back().samples.size() < kOfASecond;
}

void FailureSamples::note(FailureSample sample) noexcept {
  if (!wants(sample.at)) return;
  const std::int64_t number = second_of(sample.at);
  try {
    const std::lock_guard lock(mutex_);
    if (kept_.empty() || kept_.back().number != number) {
      if (kept_.size() == kSeconds) kept_.pop_front();
      kept_.push_back({number, {}});
    }
    kept_.back().samples.push_back(std::move(sample));
  } catch (const std::bad_alloc&) {  // a sample less; the count is elsewhere
  }
}

std::vector<FailureSample> FailureSamples::since(TimePoint moment) const {
  const std::lock_guard lock(mutex_);
  std::vector<FailureSample> out;
  for (const Second& second : kept_) {
    std::copy_if(second.samples.begin(), second.samples.end(), std::back_inserter(out),
                 [&](const FailureSample& one) { return one.at >= moment; });
  }
  return out;
}

}  // namespace tidegate::observe
