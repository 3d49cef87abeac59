// What is told of a route's rollout or gate, and how it is written: as plain JSON, or as Slack's incoming webhooks take it
// (https://api.slack.com/messaging/webhooks; Mattermost, Rocket.Chat and Discord's /slack take the same). Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "notify/policy.h"

namespace tidegate::notify {

struct Message {
  Event event = Event::Step;
  std::string route;
  std::string sentence;         ///< why, with its numbers: as in the log
  std::string actor{};          ///< "gate", "rollout", a person
  std::uint64_t epoch = 0;      ///< of the decision; `tidegate explain EPOCH` tells more
  std::int64_t at_ms = 0;       ///< since the Unix epoch
  std::string from{}, to{};     ///< weights, as "10 %"; both empty = none was moved
};

/// {"event","route","sentence","actor","epoch","at","from","to"}
std::string json_body(const Message& message);
/// {"text","attachments":[{"color","fallback","text","fields","ts"}]}
std::string slack_body(const Message& message);
std::string body(const Message& message, Format format);

/// Slack's three: & < > (https://api.slack.com/reference/surfaces/formatting#escaping)
std::string escape_slack(std::string_view text);

}  // namespace tidegate::notify
