#include "check/webhook.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace tidegate::check {

namespace json = boost::json;
using gate::Verdict;

namespace {

enum class Meaning { Confirm, Test, Rollback, Told };

Meaning meaning(WebhookType type) noexcept {
  switch (type) {
    case WebhookType::ConfirmRollout:
    case WebhookType::ConfirmTrafficIncrease:
    case WebhookType::ConfirmPromotion: return Meaning::Confirm;
    case WebhookType::PreRollout:
    case WebhookType::Rollout: return Meaning::Test;
    case WebhookType::Rollback: return Meaning::Rollback;
    case WebhookType::PostRollout:
    case WebhookType::Event: break;
  }
  return Meaning::Told;
}

Answer without_answer(Meaning meaning, const outbound::Error& error) {
  switch (meaning) {
    case Meaning::Told: return {Verdict::Error, "not told: " + error.message};  // changes nothing, and is counted
    case Meaning::Confirm:
      if (outbound::is_no_answer(error.kind)) return {Verdict::Inconclusive, "not confirmed yet: " + error.message};
      break;
    case Meaning::Test:
    case Meaning::Rollback: break;
  }
  return {Verdict::Error, error.message};
}

}  // namespace

std::string webhook_body(const WebhookPayload& payload, const std::vector<std::pair<std::string, std::string>>& more) {
  json::object metadata;
  for (const auto& [key, value] : more) metadata[key] = value;
  for (const auto& [key, value] : payload.metadata) metadata[key] = value;
  json::object body;
  body["name"] = payload.name;
  body["namespace"] = payload.ns;
  body["phase"] = payload.phase;
  body["checksum"] = payload.checksum;
  body["metadata"] = std::move(metadata);
  return json::serialize(body);
}

Answer webhook_answer(WebhookType type, const outbound::Result& result) {
  const Meaning what = meaning(type);
  // An answer that is too large has a status, and nothing else is asked of it.
  const unsigned status = result ? result->status : result.error().status;
  if (status == 0) return without_answer(what, result.error());
  const std::string said = "the webhook " + outbound::say_status(status);
  if (what == Meaning::Told) return {Verdict::Pass, said};
  if (outbound::is_redirect(status)) return {Verdict::Error, said};
  const bool yes = outbound::is_success(status);
  switch (what) {
    case Meaning::Confirm:
      if (yes) return {Verdict::Pass, "confirmed: " + said};
      return {Verdict::Inconclusive, "not confirmed yet: " + said};
    case Meaning::Test: return {yes ? Verdict::Pass : Verdict::Fail, said};
    case Meaning::Rollback:
    case Meaning::Told: break;
  }
  if (yes) return {Verdict::Fail, "the webhook asks to roll back: " + outbound::say_status(status)};
  return {Verdict::Pass, "the webhook does not ask to roll back: " + outbound::say_status(status)};
}

}  // namespace tidegate::check
