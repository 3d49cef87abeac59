#include "gate/parameters.h"

#include <array>

namespace tidegate::gate {

Parameters beside_slow(Parameters errors) noexcept {
  errors.stream_share = kErrorsShare;
  return errors;
}

Parameters slow_parameters(Parameters errors, const SlowRule& slow) noexcept {
  errors.max_error_rate = slow.max_rate;
  errors.comparison_margin = slow.margin;
  errors.slow_over_s = slow.over_s;
  errors.stream_share = kSlowShare;
  errors.use_breaker = false;
  return errors;
}

std::string_view name(OnFail on_fail) noexcept {
  constexpr std::array<std::string_view, 3> names{"revert", "pause", "notify"};
  return names[static_cast<std::size_t>(on_fail)];
}

}  // namespace tidegate::gate
