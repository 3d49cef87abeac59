// The judge of Prometheus' answers against arbitrary bytes: whatever comes, the verdict has a sentence of one line and of
// bounded length, a pass has a number inside the bounds, and a failure one outside.
#include "check/prometheus_answer.h"

#include <algorithm>
#include <cstdlib>

namespace {

constexpr std::size_t kSentenceBytes = 1000;

void must(bool holds) {
  if (!holds) std::abort();
}

void judge(unsigned status, std::string_view body, const tidegate::check::Bounds& bounds) {
  using tidegate::gate::Verdict;
  const auto answer = tidegate::check::prometheus_answer(status, "application/json", body, bounds);
  must(!answer.sentence.empty() && answer.sentence.size() <= kSentenceBytes);
  must(std::none_of(answer.sentence.begin(), answer.sentence.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
  }));
  const bool judged = answer.verdict == Verdict::Pass || answer.verdict == Verdict::Fail;
  must(judged == answer.value.has_value());
  if (!judged) return;
  const double value = *answer.value;
  const bool inside = (!bounds.min || value >= *bounds.min) && (!bounds.max || value <= *bounds.max);
  must(inside == (answer.verdict == Verdict::Pass) && value == value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  judge(200, body, {std::nullopt, 0.01});
  judge(200, body, {-1.0, 1.0});
  judge(400, body, {0.99, std::nullopt});
  return 0;
}
