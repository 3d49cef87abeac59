#include "check/policy.h"

#include <array>

namespace tidegate::check {

std::string_view name(WebhookType type) noexcept {
  static constexpr std::array<std::string_view, kWebhookTypeCount> kNames{
      "confirm-rollout",   "pre-rollout",  "rollout",  "confirm-traffic-increase",
      "confirm-promotion", "post-rollout", "rollback", "event"};
  return kNames[static_cast<std::size_t>(type)];
}

}  // namespace tidegate::check
