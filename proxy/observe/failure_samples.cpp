#include "observe/failure_samples.h"

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

namespace tidegate::observe {
namespace {

constexpr std::size_t kPathBytes = 200;
constexpr std::size_t kPlainSegment = 20;  ///< words and short numbers are shorter; UUIDs and tokens are not

bool may_be_private(std::string_view segment) noexcept {
  if (segment.find_first_of("@=") != std::string_view::npos || segment.find("%40") != std::string_view::npos) return true;
  return segment.size() > kPlainSegment && segment.find_first_of("0123456789") != std::string_view::npos;
}

}  // namespace

std::string redacted_path(std::string_view target) {
  const std::string_view path = target.substr(0, target.find_first_of("?#"));
  std::string out;
  for (std::size_t begin = 0; begin <= path.size() && out.size() < kPathBytes;) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    out += may_be_private(segment) ? std::string_view("*") : segment;
    if (end < path.size()) out += '/';
    begin = end + 1;
  }
  if (out.size() > kPathBytes) out.resize(kPathBytes);
  return out;
}

void FailureSamples::note(FailureSample sample) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    if (kept_.size() >= kKept) {
      if (sample.at - kept_.front().at < kOld) return;
      kept_.erase(kept_.begin());
    }
    kept_.push_back(std::move(sample));
  } catch (const std::bad_alloc&) {  // a sample less; the count is elsewhere
  }
}

std::vector<FailureSample> FailureSamples::since(TimePoint moment) const {
  const std::lock_guard lock(mutex_);
  std::vector<FailureSample> out;
  std::copy_if(kept_.begin(), kept_.end(), std::back_inserter(out), [&](const FailureSample& one) { return one.at >= moment; });
  return out;
}

}  // namespace tidegate::observe
