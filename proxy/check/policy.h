// What the file says about a check: what is asked, how often, and what a failure does. Plain values, read by config/, used by
// runner.h (which asks) and control/ (which acts on the answers).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/side.h"
#include "outbound/policy.h"

namespace tidegate::check {

/// One smoke request, sent to every endpoint of the side.
struct HttpRequest {
  std::string method = "GET";
  std::string path;                  ///< with query
  std::vector<unsigned> expect{};    ///< statuses that pass; empty = any 2xx
  std::string contains{};            ///< what the body must have; empty = anything
  bool operator==(const HttpRequest&) const = default;
};

struct HttpCheck {
  std::vector<HttpRequest> requests;
  Side side = Side::New;
  std::string host{};                ///< the Host to send; empty = what the route or the cluster says
  bool operator==(const HttpCheck&) const = default;
};

/// An instant query; every value of the answer must be inside [min, max]. At least one of them is given.
struct PrometheusCheck {
  outbound::Destination server;      ///< its base URL: "/api/v1/query" is added
  std::string query;
  std::optional<double> min{};
  std::optional<double> max{};
  bool operator==(const PrometheusCheck&) const = default;
};

/// Flagger's words and payload.
enum class WebhookType : std::uint8_t {
  ConfirmRollout,          ///< before the first step; holds until it answers 2xx
  PreRollout,              ///< before the first step; another answer is a failure
  Rollout,                 ///< all the time during a rollout; another answer is a failure
  ConfirmTrafficIncrease,  ///< before every higher weight; holds until it answers 2xx
  ConfirmPromotion,        ///< before weight 100; holds until it answers 2xx
  PostRollout,             ///< once, when the rollout ended; the answer changes nothing
  Rollback,                ///< all the time during a rollout; 2xx asks to roll back
  Event,                   ///< at every event of the rollout; the answer changes nothing
};
inline constexpr std::size_t kWebhookTypeCount = 8;
std::string_view name(WebhookType type) noexcept;  ///< "confirm-rollout" ...

struct WebhookCheck {
  outbound::Destination destination;
  WebhookType type = WebhookType::ConfirmTrafficIncrease;
  std::vector<std::pair<std::string, std::string>> metadata{};  ///< passed on as it is
  bool operator==(const WebhookCheck&) const = default;
};

/// What a check that failed does to the rollout: weight 0 for everybody and a latch, or a pause.
enum class OnFail : std::uint8_t { Revert, Pause };

struct CheckPolicy {
  std::string name;
  std::variant<HttpCheck, PrometheusCheck, WebhookCheck> what;
  Duration interval = std::chrono::seconds(10);  ///< from the end of an answer to the next question
  Duration timeout = std::chrono::seconds(5);    ///< of one attempt, name resolution included
  std::uint32_t retries = 1;                     ///< more attempts at once, when no answer came
  std::uint32_t failures = 3;                    ///< failed answers in a row that are a failure
  OnFail on_fail = OnFail::Revert;
  bool operator==(const CheckPolicy&) const = default;
};

}  // namespace tidegate::check
