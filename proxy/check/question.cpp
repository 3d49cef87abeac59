#include "check/question.h"

#include <algorithm>

#include "check/http_answer.h"
#include "check/prometheus_answer.h"

namespace tidegate::check {

using outbound::Request;

namespace {

Steps impossible(std::string why) { return {{}, Answer{gate::Verdict::Error, std::move(why)}}; }

/// What may stand in a request line (RFC 9112 §3.2), without judging its parts.
bool is_target(const std::string& path) {
  return !path.empty() && path.front() == '/' && path.size() <= outbound::kUrlBytes &&
         std::all_of(path.begin(), path.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

Steps http_steps(const Question& question, const HttpCheck& check) {
  if (check.requests.empty()) return impossible("the check has no request");
  if (question.endpoints.empty()) return impossible("the side has no endpoint");
  Steps out;
  for (const auto& [host, port] : question.endpoints) {
    for (const HttpRequest& asked : check.requests) {
      if (!is_target(asked.path)) return impossible("the path of a request must begin with / and have no blanks");
      Request request;
      request.url = {false, host, port, asked.path};
      const std::string endpoint = request.url.endpoint();
      request.method = asked.method;
      request.host = check.host.empty() ? question.host : check.host;
      out.steps.push_back({std::move(request), [&asked, endpoint](const outbound::Result& result) {
                             return http_answer(asked, endpoint, result);
                           }});
    }
  }
  return out;
}

Steps prometheus_steps(const CheckPolicy& policy, const PrometheusCheck& check) {
  auto url = outbound::parse_url(check.server.url);
  if (!url) return impossible("the URL of Prometheus: " + url.error().message);
  Request request;
  request.url = std::move(*url);
  std::string path(request.url.path());
  while (!path.empty() && path.back() == '/') path.pop_back();
  const std::string more(request.url.query());
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(policy.timeout).count();
  request.url.target = path + "/api/v1/query?" + more + (more.empty() ? "" : "&") +
                       "query=" + outbound::encode_query_value(check.query) + "&timeout=" + std::to_string(ms) + "ms";
  request.tls = check.server.tls;
  request.headers = check.server.headers;
  Steps out;
  out.steps.push_back({std::move(request), [bounds = Bounds{check.min, check.max}](const outbound::Result& result) {
                         return prometheus_answer(result, bounds);
                       }});
  return out;
}

Steps webhook_steps(const Question& question, const WebhookCheck& check) {
  auto url = outbound::parse_url(check.destination.url);
  if (!url) return impossible("the URL of the webhook: " + url.error().message);
  Request request;
  request.url = std::move(*url);
  request.method = "POST";
  request.content_type = "application/json";
  request.body = webhook_body(question.payload, check.metadata);
  request.tls = check.destination.tls;
  request.headers = check.destination.headers;
  Steps out;
  out.steps.push_back({std::move(request), [type = check.type](const outbound::Result& result) {
                         return webhook_answer(type, result);
                       }});
  return out;
}

}  // namespace

Steps steps_of(const Question& question) {
  const CheckPolicy& policy = *question.policy;
  Steps out;
  if (const auto* http = std::get_if<HttpCheck>(&policy.what)) out = http_steps(question, *http);
  if (const auto* prometheus = std::get_if<PrometheusCheck>(&policy.what)) out = prometheus_steps(policy, *prometheus);
  if (const auto* webhook = std::get_if<WebhookCheck>(&policy.what)) out = webhook_steps(question, *webhook);
  for (Step& step : out.steps) step.request.timeout = policy.timeout;
  return out;
}

}  // namespace tidegate::check
