#include "admin/rollout_json.h"

#include <boost/json.hpp>

#include "admin/status_json.h"
#include "base/duration_text.h"
#include "base/utc_text.h"
#include "outbound/url.h"

namespace tidegate::admin {

namespace json = boost::json;

namespace {

json::value percent_or_null(const rollout::Step& step, rollout::Step::Kind kind) {
  return step.kind == kind ? percent_json(step.percent) : json::value(nullptr);
}

json::object step_json(const rollout::Step& step) {
  return {{"kind", rollout::name(step.kind)},
          {"text", rollout::text(step)},
          {"weight", percent_or_null(step, rollout::Step::Kind::Weight)},
          {"mirror", percent_or_null(step, rollout::Step::Kind::Mirror)},
          {"for_s", step.time ? json::value(seconds(*step.time)) : json::value(nullptr)},
          {"check", step.check.empty() ? json::value(nullptr) : json::value(step.check)}};
}

json::array steps_json(const rollout::Plan& plan) {
  json::array out;
  for (const rollout::Step& step : plan.steps) out.push_back(step_json(step));
  return out;
}

json::object check_row(const control::CheckStatus& check) {
  return {{"name", check.name},
          {"verdict", check.verdict ? json::value(gate::name(*check.verdict)) : json::value(nullptr)},
          {"sentence", check.sentence},
          {"failures", check.failures},
          {"of", check.of}};
}

/// The origin alone: paths and queries of webhooks are often the secret itself.
std::string origin_of(const outbound::Destination& destination) {
  const auto url = outbound::parse_url(destination.url);
  return url ? url->origin() : std::string();
}

json::object header_names(const outbound::Destination& destination) {
  json::object out;
  for (const auto& field : destination.headers) out[field.first] = "(hidden)";
  return out;
}

}  // namespace

json::value rollout_json(const std::optional<control::RolloutStatus>& status) {
  if (!status) return nullptr;
  const rollout::Rollout& at = status->rollout;
  const bool started = at.state != rollout::State::Idle;
  const bool bakes = at.state == rollout::State::Baking;
  json::array waiting, checks;
  for (const rollout::Waiting& one : status->waiting) {
    waiting.push_back(json::object{{"reason", rollout::name(one.reason)}, {"sentence", one.sentence}});
  }
  for (const control::CheckStatus& check : status->checks) checks.push_back(check_row(check));
  json::object out{{"state", rollout::name(at.state)}, {"step", at.step}};
  out["steps"] = steps_json(at.plan);
  out["step_elapsed_s"] = rollout::is_active(at.state) && !bakes ? status->step_s : 0.0;
  out["bake_s"] = seconds(at.plan.bake);
  out["bake_elapsed_s"] = bakes ? status->step_s : 0.0;
  out["advance"] = rollout::name(at.plan.advance);
  out["min_requests"] = at.plan.min_requests;
  out["requests_new"] = status->requests_new;
  out["waiting"] = std::move(waiting);
  out["pause"] = at.pause ? json::value(json::object{{"by", rollout::name(at.pause->by)}, {"sentence", at.pause->sentence}})
                          : json::value(nullptr);
  out["started_at"] = started ? json::value(utc_text(at.started_at_ms)) : json::value(nullptr);
  out["started_by"] = started ? json::value(at.started_by) : json::value(nullptr);
  out["weight_before"] = started ? percent_json(at.weight_before) : json::value(nullptr);
  out["checks"] = std::move(checks);
  out["file_differs"] = status->file_differs;
  return out;
}

json::array targets_json(const std::vector<notify::TargetStats>& targets) {
  json::array out;
  for (const notify::TargetStats& one : targets) {
    out.push_back(json::object{{"origin", one.origin},
                               {"delivered", one.delivered},
                               {"failed", one.failed},
                               {"dropped", one.dropped},
                               {"retries", one.retries},
                               {"pending", one.pending},
                               {"last_error", one.last_error.empty() ? json::value(nullptr) : json::value(one.last_error)}});
  }
  return out;
}

json::value plan_json(const std::optional<rollout::Plan>& plan) {
  if (!plan) return nullptr;
  json::array checks;
  for (const std::string& check : plan->checks) checks.push_back(json::value(check));
  return json::object{{"steps", steps_json(*plan)},
                      {"advance", rollout::name(plan->advance)},
                      {"min_requests", plan->min_requests},
                      {"bake", duration_text(plan->bake)},
                      {"checks", std::move(checks)}};
}

json::object check_json(const check::CheckPolicy& check) {
  json::object out{{"interval", duration_text(check.interval)},
                   {"timeout", duration_text(check.timeout)},
                   {"retries", check.retries},
                   {"failures", check.failures},
                   {"on_fail", check.on_fail == check::OnFail::Revert ? "revert" : "pause"}};
  if (const auto* const http = std::get_if<check::HttpCheck>(&check.what)) {
    json::array requests;
    for (const check::HttpRequest& request : http->requests) {
      json::array expect;
      for (const unsigned status : request.expect) expect.push_back(status);
      requests.push_back(
          json::object{{"method", request.method}, {"path", request.path.substr(0, request.path.find('?'))}, {"expect", std::move(expect)}, {"contains", request.contains}});
    }
    out["http"] = std::move(requests);
    out["side"] = name(http->side);
    out["host"] = http->host.empty() ? json::value(nullptr) : json::value(http->host);
  } else if (const auto* const prometheus = std::get_if<check::PrometheusCheck>(&check.what)) {
    json::object inner{{"url", origin_of(prometheus->server)}, {"query", prometheus->query}};
    inner["max"] = prometheus->max ? json::value(*prometheus->max) : json::value(nullptr);
    inner["min"] = prometheus->min ? json::value(*prometheus->min) : json::value(nullptr);
    inner["headers"] = header_names(prometheus->server);
    out["prometheus"] = std::move(inner);
  } else if (const auto* const webhook = std::get_if<check::WebhookCheck>(&check.what)) {
    out["webhook"] = json::object{{"url", origin_of(webhook->destination)},
                                  {"type", check::name(webhook->type)},
                                  {"headers", header_names(webhook->destination)}};
  }
  return out;
}

json::object notify_json(const notify::NotifyPolicy& notify) {
  json::array on;
  for (std::size_t i = 0; i < notify::kEventCount; ++i) {
    if (notify.on[i]) on.push_back(json::value(notify::name(static_cast<notify::Event>(i))));
  }
  return {{"webhook", json::object{{"url", origin_of(notify.destination)},
                                   {"format", notify.format == notify::Format::Json ? "json" : "slack"},
                                   {"timeout", duration_text(notify.timeout)},
                                   {"headers", header_names(notify.destination)}}},
          {"on", std::move(on)}};
}

}  // namespace tidegate::admin
