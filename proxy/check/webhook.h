// Webhooks with Flagger's names, payload and meaning, so that what answers Flagger's answers Tidegate's: the body that is
// sent and what the status of the answer means, by type. An Error holds a rollout: it neither advances nor reverts.
// Pure; any thread.
//
//                          2xx             redirect  another status   no answer
//   confirm-*              Pass            Error     Inconclusive     Inconclusive
//   pre-rollout, rollout   Pass            Error     Fail             Error
//   rollback               Fail (asks to)  Error     Pass             Error
//   post-rollout, event    Pass            Pass      Pass             Pass
//
// Without an answer because of ourselves (a file of the TLS policy) or of the certificate it is always an Error, but for
// post-rollout and event, which never stand in the way.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "check/answer.h"
#include "check/policy.h"
#include "outbound/message.h"

namespace tidegate::check {

/// What Flagger calls canary, in words of a rollout.
struct WebhookPayload {
  std::string name;                ///< the route
  std::string ns = "tidegate";     ///< "namespace"
  std::string phase{};             ///< "Initializing", "Progressing" ...
  std::string checksum{};          ///< the same for all calls of one rollout
  std::vector<std::pair<std::string, std::string>> metadata{};
};

/// @param more the webhook's own metadata; the payload's win over it.
std::string webhook_body(const WebhookPayload& payload, const std::vector<std::pair<std::string, std::string>>& more);

Answer webhook_answer(WebhookType type, const outbound::Result& result);

}  // namespace tidegate::check
