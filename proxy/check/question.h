// A check as it is asked once: what the policy leaves open (who the endpoints of the side are, what a webhook is told),
// and the requests that it comes to. Plain values; pure; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "check/answer.h"
#include "check/policy.h"
#include "check/webhook.h"
#include "outbound/message.h"

namespace tidegate::check {

struct Question {
  std::shared_ptr<const CheckPolicy> policy;
  std::vector<std::pair<std::string, std::uint16_t>> endpoints{};  ///< of the HttpCheck's side
  std::string host{};                                              ///< Host for them; HttpCheck::host wins
  WebhookPayload payload{};
};

/// One request of a check, and what its answer means.
struct Step {
  outbound::Request request;
  std::function<Answer(const outbound::Result&)> judge;  ///< uses the policy, which must live
};

struct Steps {
  std::vector<Step> steps{};       ///< one after the other; all must pass
  std::optional<Answer> error{};   ///< it can't be asked
};

Steps steps_of(const Question& question);

}  // namespace tidegate::check
