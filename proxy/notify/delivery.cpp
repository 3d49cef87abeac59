#include "notify/delivery.h"

#include <algorithm>

namespace tidegate::notify {

Outcome outcome(const outbound::Result& result, const std::string& origin) {
  // An answer that is too large has a status, and nothing else is asked of it.
  const unsigned status = result ? result->status : result.error().status;
  if (status == 0) return {Outcome::Kind::Later, result.error().message};
  if (outbound::is_success(status)) return {Outcome::Kind::Delivered};
  const bool later = status == 408 || status == 429 || status >= 500;
  return {later ? Outcome::Kind::Later : Outcome::Kind::Never, origin + ' ' + outbound::say_status(status)};
}

Duration next_pause(Duration last, const Limits& limits) noexcept {
  return last == Duration::zero() ? limits.first_pause : std::min(last * 2, limits.longest_pause);
}

}  // namespace tidegate::notify
