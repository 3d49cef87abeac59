#include "gate/ruling.h"

#include <array>

namespace tidegate::gate {

Counts& Counts::operator+=(const Counts& more) noexcept {
  new_total += more.new_total;
  new_failures += more.new_failures;
  old_total += more.old_total;
  old_failures += more.old_failures;
  return *this;
}

std::string_view name(Decision decision) noexcept {
  constexpr std::array<std::string_view, 3> names{"hold", "revert", "promote"};
  return names[static_cast<std::size_t>(decision)];
}

std::string_view name(Reason reason) noexcept {
  constexpr std::array<std::string_view, kReasonCount> names{"observing",   "no_data",     "hard_breaker",
                                                             "error_rate",  "attribution", "shared_degradation",
                                                             "worse_than_old", "promote",  "slow_rate"};
  return names[static_cast<std::size_t>(reason)];
}

std::string_view name(Verdict verdict) noexcept {
  constexpr std::array<std::string_view, 4> names{"pass", "fail", "inconclusive", "error"};
  return names[static_cast<std::size_t>(verdict)];
}

Verdict verdict(Decision decision, Reason reason) noexcept {
  if (decision == Decision::Promote) return Verdict::Pass;
  if (decision == Decision::Revert) return Verdict::Fail;
  switch (reason) {
    case Reason::HardBreaker:
    case Reason::ErrorRate:
    case Reason::SlowRate:
    case Reason::WorseThanOld: return Verdict::Fail;
    default: return Verdict::Inconclusive;
  }
}

}  // namespace tidegate::gate
