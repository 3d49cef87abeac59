#include <array>
#include <charconv>
#include <cmath>

#include "config/read.h"
#include "config/section.h"
#include "config/section_outbound.h"
#include "config/sections.h"
#include "config/text_rules.h"

namespace tidegate::config {
namespace {

using check::CheckPolicy;
using check::HttpCheck;
using check::HttpRequest;
using check::PrometheusCheck;
using check::WebhookCheck;
using check::WebhookType;

void read_path(const Value& value, HttpRequest& out) {
  const auto text = value.text("a path such as /health");
  if (!text) return;
  const bool clean = text->find_first_of(" \t\r\n#") == std::string_view::npos;
  if (!text->starts_with('/') || !clean) return value.fail(in_quotes(*text) + " is not a path: it begins with / and has no blanks");
  out.path = *text;
}

void read_method(const Value& value, HttpRequest& out) {
  const auto text = value.text("a method");
  if (!text) return;
  if (!is_token(*text)) return value.fail(in_quotes(*text) + " is not a method");
  out.method = *text;
}

void read_expect(const Value& value, HttpRequest& out) {
  read_list(value, [&](const Value& item) {
    std::uint32_t status = 0;
    read_integer(item, status, {"200", "599"});
    if (status != 0) out.expect.push_back(status);
  });
}

constexpr std::array kRequestFields{
    Field<HttpRequest>{"path", read_path, true},
    Field<HttpRequest>{"method", read_method},
    Field<HttpRequest>{"expect", read_expect},
    Field<HttpRequest>{"contains", [](In v, HttpRequest& out) { read_text(v, out.contains, "a text"); }},
};
constexpr Section<HttpRequest> kRequest{"checks.NAME.http[]", kRequestFields};

/// Any finite number, negative ones too.
void read_bound(const Value& value, std::optional<double>& out) {
  const auto text = value.text("a number");
  if (!text) return;
  double number = 0;
  const auto [stop, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || stop != text->data() + text->size() || !std::isfinite(number)) {
    return value.fail(in_quotes(*text) + " is not a number");
  }
  out = number;
}

constexpr std::array kPrometheusFields{
    Field<PrometheusCheck>{"url", [](In v, PrometheusCheck& out) { read_url(v, out.server.url); }, true},
    Field<PrometheusCheck>{"query", [](In v, PrometheusCheck& out) { read_text(v, out.query, "a query"); }, true},
    Field<PrometheusCheck>{"max",
                           [](In v, PrometheusCheck& out) { read_bound(v, out.max); }},
    Field<PrometheusCheck>{"min",
                           [](In v, PrometheusCheck& out) { read_bound(v, out.min); }},
    Field<PrometheusCheck>{"tls", [](In v, PrometheusCheck& out) { read_outbound_tls(v, out.server.tls); }},
    Field<PrometheusCheck>{"headers", [](In v, PrometheusCheck& out) { read_outbound_headers(v, out.server.headers); }},
};
constexpr Section<PrometheusCheck> kPrometheus{"checks.NAME.prometheus", kPrometheusFields};

constexpr std::array<Choice<WebhookType>, check::kWebhookTypeCount> kTypes{{
    {"confirm-rollout", WebhookType::ConfirmRollout},
    {"pre-rollout", WebhookType::PreRollout},
    {"rollout", WebhookType::Rollout},
    {"confirm-traffic-increase", WebhookType::ConfirmTrafficIncrease},
    {"confirm-promotion", WebhookType::ConfirmPromotion},
    {"post-rollout", WebhookType::PostRollout},
    {"rollback", WebhookType::Rollback},
    {"event", WebhookType::Event},
}};

void read_metadata(const Value& value, WebhookCheck& out) {
  if (!value.is_map()) return;
  for (const Entry& entry : value.node().entries) {
    const auto text = value.child(entry).text("a text");
    if (text) out.metadata.emplace_back(entry.key.text, std::string(*text));
  }
}

/// `timeout` may stand here as well, where Flagger has it.
struct WebhookInFile {
  WebhookCheck webhook;
  std::optional<Duration> timeout;
};

constexpr Range kTimeout{"10ms", "5m"};

constexpr std::array kWebhookFields{
    Field<WebhookInFile>{"url", [](In v, WebhookInFile& out) { read_url(v, out.webhook.destination.url); }, true},
    Field<WebhookInFile>{"type", [](In v, WebhookInFile& out) { read_choice(v, out.webhook.type, kTypes); }},
    Field<WebhookInFile>{"timeout", [](In v, WebhookInFile& out) { read_duration(v, out.timeout.emplace(), kTimeout); }},
    Field<WebhookInFile>{"metadata", [](In v, WebhookInFile& out) { read_metadata(v, out.webhook); }},
    Field<WebhookInFile>{"tls", [](In v, WebhookInFile& out) { read_outbound_tls(v, out.webhook.destination.tls); }},
    Field<WebhookInFile>{"headers",
                         [](In v, WebhookInFile& out) { read_outbound_headers(v, out.webhook.destination.headers); }},
};
constexpr Section<WebhookInFile> kWebhook{"checks.NAME.webhook", kWebhookFields};

struct CheckInFile {
  CheckPolicy check;
  HttpCheck http;
  int kinds = 0;
};

void read_http(const Value& value, CheckInFile& out) {
  ++out.kinds;
  read_list(value, [&](const Value& item) { read_section(item, kRequest, out.http.requests.emplace_back()); });
}

void read_prometheus(const Value& value, CheckInFile& out) {
  ++out.kinds;
  PrometheusCheck prometheus;
  if (read_section(value, kPrometheus, prometheus) && !value.has("min") && !value.has("max")) {
    value.fail("max or min is missing: without one every value would pass");
  }
  out.check.what = std::move(prometheus);
}

void read_webhook(const Value& value, CheckInFile& out) {
  ++out.kinds;
  WebhookInFile webhook;
  read_section(value, kWebhook, webhook);
  if (webhook.timeout) out.check.timeout = *webhook.timeout;
  out.check.what = std::move(webhook.webhook);
}

void read_side(const Value& value, CheckInFile& out) {
  constexpr std::array<Choice<Side>, 2> kSides{{{"old", Side::Old}, {"new", Side::New}}};
  read_choice(value, out.http.side, kSides);
}

void read_on_fail(const Value& value, CheckInFile& out) {
  constexpr std::array<Choice<check::OnFail>, 2> kActions{
      {{"revert", check::OnFail::Revert}, {"pause", check::OnFail::Pause}}};
  read_choice(value, out.check.on_fail, kActions);
}

constexpr std::array kFields{
    Field<CheckInFile>{"http", read_http},
    Field<CheckInFile>{"prometheus", read_prometheus},
    Field<CheckInFile>{"webhook", read_webhook},
    Field<CheckInFile>{"side", read_side},
    Field<CheckInFile>{"host", [](In v, CheckInFile& out) { read_text(v, out.http.host, "a host"); }},
    Field<CheckInFile>{"interval",
                       [](In v, CheckInFile& out) { read_duration(v, out.check.interval, {"100ms", "1d"}); }},
    Field<CheckInFile>{"timeout", [](In v, CheckInFile& out) { read_duration(v, out.check.timeout, kTimeout); }},
    Field<CheckInFile>{"retries", [](In v, CheckInFile& out) { read_integer(v, out.check.retries, {"0", "10"}); }},
    Field<CheckInFile>{"failures", [](In v, CheckInFile& out) { read_integer(v, out.check.failures, {"1", "1000"}); }},
    Field<CheckInFile>{"on_fail", read_on_fail},
};
constexpr Section<CheckInFile> kSection{"checks.NAME", kFields};

void read_check(const Value& value, CheckPolicy& out) {
  CheckInFile read;
  read.check.name = out.name;
  if (!read_section(value, kSection, read)) return;
  if (read.kinds != 1) return value.fail("a check is one of http, prometheus, webhook");
  const bool http = value.has("http");
  if (!http && (value.has("side") || value.has("host"))) return value.fail("side and host are for http checks only");
  if (http) read.check.what = std::move(read.http);
  out = std::move(read.check);
}

}  // namespace

void read_checks(const Value& value, std::vector<CheckPolicy>& out) {
  if (!value.is_map()) return;
  for (const Entry& entry : value.node().entries) {
    CheckPolicy& check = out.emplace_back();
    check.name = entry.key.text;
    if (std::string error = name_error(check.name); !error.empty()) value.fail_key(entry, std::move(error));
    read_check(value.child(entry), check);
  }
}

void append_check_keys(KeyList& out) {
  kSection.append_keys(out);
  kRequest.append_keys(out);
  kPrometheus.append_keys(out);
  append_outbound_tls_keys("checks.NAME.prometheus.tls", out);
  kWebhook.append_keys(out);
  append_outbound_tls_keys("checks.NAME.webhook.tls", out);
}

}  // namespace tidegate::config
