#include "admin/config_json.h"

#include <array>
#include <boost/json.hpp>

#include "admin/access_rule.h"
#include "admin/rollout_json.h"
#include "base/duration_text.h"
#include "config/addresses.h"

namespace tidegate::admin {

namespace json = boost::json;

namespace {

constexpr std::string_view kHidden = "(hidden)";

Duration of_seconds(double s) { return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s)); }

template <class Range>
json::array texts(const Range& range) {
  json::array out;
  for (const auto& text : range) out.push_back(json::value(text));
  return out;
}

std::string address_text(const config::SocketAddress& address) {
  return config::is_unix(address.host) ? address.host : authority(address.host, address.port);
}

// --- listeners, clusters

json::value mode_text(const std::optional<std::uint32_t>& mode) {
  if (!mode) return nullptr;
  std::string out = "0000";
  for (int digit = 0; digit < 3; ++digit) out[3 - digit] = static_cast<char>('0' + ((*mode >> (3 * digit)) & 7));
  return json::value(out);
}

std::string_view proxy_protocol(const std::optional<net::ProxyVersion>& version) {
  if (!version) return "off";
  return *version == net::ProxyVersion::V1 ? "v1" : "v2";
}

json::value path_or_null(const std::string& path) { return path.empty() ? json::value(nullptr) : json::value(path); }

/// Paths only: what is in the files stays there.
json::object listener_tls(const net::TlsServerPolicy& from) {
  json::array certificates;
  for (const net::CertificateFiles& one : from.certificates) {
    certificates.push_back(json::object{{"cert", one.cert}, {"key", one.key}, {"ocsp", path_or_null(one.ocsp)}});
  }
  return {{"certificates", std::move(certificates)},
          {"min_version", from.min_version == net::TlsVersion::V13 ? "1.3" : "1.2"},
          {"alpn", texts(from.alpn)},
          {"client_ca", path_or_null(from.client_ca)},
          {"client_auth", from.client_auth == net::ClientAuth::Require ? "require" : "optional"}};
}

json::value admin_tls(const std::optional<net::TlsServerPolicy>& from) {
  if (!from) return nullptr;
  const net::CertificateFiles& files = from->certificates.front();
  return json::object{{"cert", files.cert},
                      {"key", files.key},
                      {"min_version", from->min_version == net::TlsVersion::V13 ? "1.3" : "1.2"},
                      {"client_ca", path_or_null(from->client_ca)}};
}

json::object cluster_tls(const net::TlsClientPolicy& from) {
  return {{"sni", path_or_null(from.sni)},
          {"ca", from.ca.empty() ? "system" : from.ca},
          {"verify", from.verify},
          {"cert", path_or_null(from.cert)},
          {"key", path_or_null(from.key)}};
}

json::object path(const http::PathPolicy& from) {
  constexpr std::array<std::string_view, 3> kDots{"keep", "remove", "reject"};
  constexpr std::array<std::string_view, 3> kSlashes{"keep", "reject", "decode"};
  return {{"merge_slashes", from.merge_slashes},
          {"dot_segments", kDots[static_cast<std::size_t>(from.dot_segments)]},
          {"escaped_slashes", kSlashes[static_cast<std::size_t>(from.escaped_slashes)]},
          {"unreserved", from.decode_unreserved ? "decode" : "keep"}};
}

json::object listener(const config::Listener& from) {
  const forward::SessionPolicy& session = from.session;
  json::object out{{"name", from.name}, {"address", address_text(from.address)}};
  if (config::is_unix(from.address.host)) out["mode"] = mode_text(from.mode);
  out["proxy_protocol"] = session.proxy_protocol ? "accept" : "off";
  out["h2c"] = session.h2c;
  out["path"] = path(session.path);
  constexpr std::array<std::string_view, 3> kUnderscores{"keep", "drop", "reject"};
  out["header_underscores"] = kUnderscores[static_cast<std::size_t>(session.head.underscores)];
  out["limits"] = json::object{{"header_bytes", session.head.bytes},
                               {"headers", session.head.fields},
                               {"uri_bytes", session.head.uri_bytes},
                               {"body_bytes", session.body_bytes},
                               {"h2_streams", session.streams},
                               {"connections", from.connections},
                               {"connections_per_client", from.connections_per_client},
                               {"requests_per_connection", session.requests_per_connection},
                               {"min_request_rate", session.min_request_rate},
                               {"min_response_rate", session.min_response_rate},
                               {"tls_handshakes", from.tls_handshakes}};
  out["timeouts"] = json::object{{"header", duration_text(session.header_timeout)},
                                 {"idle", duration_text(session.idle_timeout)},
                                 {"body_idle", duration_text(session.body_idle_timeout)},
                                 {"rate_grace", duration_text(session.rate_grace)},
                                 {"max_connection_age", duration_text(session.max_connection_age)},
                                 {"tls_handshake", duration_text(session.tls_handshake_timeout)}};
  if (from.tls) out["tls"] = listener_tls(*from.tls);
  return out;
}

json::object health(const upstream::HealthPolicy& from) {
  json::array expect;
  for (const std::uint16_t status : from.expect) expect.push_back(json::value(status));
  const std::string_view type = from.kind == upstream::HealthKind::Tcp ? "tcp" : from.kind == upstream::HealthKind::Grpc ? "grpc" : "http";
  return {{"type", type},
          {"path", from.path},
          {"host", from.host},
          {"service", from.service},
          {"interval", duration_text(from.interval)},
          {"timeout", duration_text(from.timeout)},
          {"healthy", from.healthy},
          {"unhealthy", from.unhealthy},
          {"expect", std::move(expect)}};
}

json::object cluster(const upstream::ClusterPolicy& from) {
  json::array endpoints;
  for (const upstream::EndpointAddress& endpoint : from.endpoints) endpoints.push_back(json::value(endpoint.text));
  json::object out{{"endpoints", std::move(endpoints)}, {"host", from.host.value_or("preserve")}};
  out["proxy_protocol"] = proxy_protocol(from.proxy_protocol);
  out["pool"] = json::object{{"connections", from.pool.connections},
                             {"pending", from.pool.pending},
                             {"idle_timeout", duration_text(from.pool.idle_timeout)},
                             {"requests_per_connection", from.pool.requests_per_connection}};
  out["slow_start"] = duration_text(from.slow_start);
  out["timeouts"] = json::object{{"connect", duration_text(from.timeouts.connect)},
                                 {"response_header", duration_text(from.timeouts.response_header)},
                                 {"idle", duration_text(from.timeouts.idle)}};
  if (from.tls) out["tls"] = cluster_tls(*from.tls);
  if (from.health) out["health"] = health(*from.health);
  if (from.outlier) {
    out["outlier"] = json::object{{"consecutive_errors", from.outlier->consecutive_errors},
                                  {"ejection", duration_text(from.outlier->ejection)},
                                  {"max_ejected", from.outlier->max_ejected}};
  }
  out["panic_threshold"] = from.panic_threshold;
  return out;
}

// --- routes

json::object match(const route::MatchPolicy& from) {
  json::object out{{"hosts", texts(from.hosts)}, {"methods", texts(from.methods)}};
  using Path = route::PathMatch::Kind;
  out["path"] = from.path.kind == Path::Any
                    ? json::value(nullptr)
                    : json::object{{from.path.kind == Path::Exact ? "exact" : "prefix", from.path.value}};
  json::object headers;
  for (const route::HeaderMatch& header : from.headers) {
    using Kind = route::HeaderMatch::Kind;
    headers[header.name] = header.kind == Kind::Present ? json::object{{"present", true}}
                           : header.kind == Kind::Exact ? json::object{{"exact", kHidden}}
                                                        : json::object{{"prefix", kHidden}};
  }
  out["headers"] = std::move(headers);
  return out;
}

json::object retry(const route::RetryPolicy& from) {
  json::array on;
  if (from.on_connect) on.push_back("connect");
  if (from.on_reset) on.push_back("reset");
  if (from.on_timeout) on.push_back("timeout");
  for (const std::uint16_t status : from.on_statuses) on.push_back(status);
  return {{"retries", from.retries},
          {"on", std::move(on)},
          {"methods", from.methods == route::RetryPolicy::Methods::Safe ? "safe" : "idempotent"},
          {"per_try_timeout", from.per_try_timeout.count() == 0 ? json::value(nullptr) : json::value(duration_text(from.per_try_timeout))},
          {"budget", from.budget},
          {"buffer", from.buffer},
          {"backoff", {{"base", duration_text(from.backoff.base)}, {"max", duration_text(from.backoff.most)}}},
          {"other_side", from.other_side}};
}

json::value hedge(const std::optional<route::HedgePolicy>& from) {
  if (!from) return nullptr;
  return json::object{{"after", from->after.count() == 0 ? "p95" : duration_text(from->after)}, {"methods", "safe"}};
}

json::object edits(const route::HeaderEdits& from) {
  json::object set;
  for (const auto& field : from.set) set[field.first] = kHidden;
  return {{"set", std::move(set)}, {"remove", texts(from.remove)}};
}

std::string mirror_host(const route::MirrorHost& host) {
  using Kind = route::MirrorHost::Kind;
  if (host.kind == Kind::Preserve) return "preserve";
  return host.kind == Kind::Suffix ? "suffix " + host.value : host.value;
}

json::value mirror(const std::optional<route::MirrorPolicy>& from) {
  if (!from) return nullptr;
  return json::object{{"percent", from->percent.percent()},
                      {"methods", texts(from->methods)},
                      {"rate", from->rate > 0 ? json::value(from->rate) : json::value(nullptr)},
                      {"concurrency", from->concurrency},
                      {"buffer", from->buffer},
                      {"timeout", duration_text(from->timeout)},
                      {"host", mirror_host(from->host)}};
}

json::value slow(const std::optional<gate::SlowRule>& from) {
  if (!from) return nullptr;
  return json::object{{"over", duration_text(of_seconds(from->over_s))}, {"max_rate", from->max_rate}, {"margin", from->margin}};
}

json::object gate(const config::Route& route) {
  const gate::Parameters& p = route.gate;
  const gate::ErrorRule& errors = route.errors;
  json::object out{{"max_error_rate", p.max_error_rate},
                   {"comparison_margin", p.comparison_margin},
                   {"baseline_factor", p.baseline_factor},
                   {"false_revert_budget", p.false_revert_budget},
                   {"budget_period", duration_text(of_seconds(p.budget_period_s))},
                   {"burst_tolerance", duration_text(of_seconds(p.burst_tolerance_s))},
                   {"attribution_grace", duration_text(of_seconds(p.attribution_grace_s))},
                   {"min_requests", p.min_requests},
                   {"promote_error", p.promote_error},
                   {"no_data", duration_text(of_seconds(p.no_data_s))}};
  out["breaker"] = json::object{{"share", p.breaker.share},
                                {"requests", p.breaker.requests},
                                {"for", duration_text(of_seconds(p.breaker.for_s))}};
  json::array counted;
  if (errors.server_errors) counted.push_back("5xx");
  if (errors.connect) counted.push_back("connect");
  if (errors.timeout) counted.push_back("timeout");
  if (errors.reset) counted.push_back("reset");
  for (std::uint32_t code = 1; code <= gate::kHighestGrpcCode; ++code) {
    if ((errors.grpc & gate::grpc_bit(code)) != 0) counted.push_back(json::value("grpc:" + std::to_string(code)));
  }
  out["errors"] = std::move(counted);
  out["slow"] = slow(route.slow);
  out["on_fail"] = gate::name(route.on_fail);
  return out;
}

json::object upgrade(const route::UpgradePolicy& from) {
  return {{"protocols", texts(from.protocols)},
          {"idle_timeout", duration_text(from.idle_timeout)},
          {"on_revert", from.close_on_revert ? "close" : "keep"},
          {"close_jitter", duration_text(from.close_jitter)}};
}

json::object route(const config::Route& from) {
  const route::RoutePolicy& policy = from.policy;
  return {{"name", policy.name},
          {"match", match(policy.match)},
          {"old", policy.clusters[Side::Old]},
          {"new", policy.clusters[Side::New]},
          {"weight", policy.weight.percent()},
          {"timeout", policy.timeout.count() == 0 ? json::value(nullptr) : json::value(duration_text(policy.timeout))},
          {"retry", retry(policy.retry)},
          {"hedge", hedge(policy.hedge)},
          {"request_headers", edits(policy.request_headers)},
          {"upgrade", upgrade(policy.upgrade)},
          {"mirror", mirror(policy.mirror)},
          {"gate", gate(from)},
          {"rollout", plan_json(from.rollout)}};
}

json::object log(const config::Log& from) {
  constexpr std::array<std::string_view, 4> kLevels{"debug", "info", "warn", "error"};
  return {{"access", {{"path", from.access.path}, {"sample", from.access.sample}}},
          {"level", kLevels[static_cast<std::size_t>(from.level)]}};
}

}  // namespace

json::object config_json(const config::Config& from) {
  json::object out{{"workers", from.workers}};
  json::array listeners, trusted, routes;
  json::object clusters;
  for (const config::Listener& one : from.listeners) listeners.push_back(listener(one));
  for (const config::AddressRange& range : from.trusted_proxies) {
    trusted.push_back(json::value(config::to_string(range)));
  }
  out["dns"] = json::object{{"servers", from.dns.servers.empty() ? json::value("system") : json::value(texts(from.dns.servers))},
                            {"timeout", duration_text(from.dns.timeout)}};
  for (const upstream::ClusterPolicy& one : from.clusters) clusters[one.name] = cluster(one);
  for (const config::Route& one : from.routes) routes.push_back(route(one));
  out["listeners"] = std::move(listeners);
  out["trusted_proxies"] = std::move(trusted);
  out["clusters"] = std::move(clusters);
  out["routes"] = std::move(routes);
  json::object checks;
  for (const check::CheckPolicy& one : from.checks) checks[one.name] = check_json(one);
  out["checks"] = std::move(checks);
  json::array notify;
  for (const notify::NotifyPolicy& one : from.notify) notify.push_back(notify_json(one));
  out["notify"] = std::move(notify);
  out["state"] = json::object{{"store", "sqlite"}, {"path", from.state.path}};
  out["admin"] = json::object{
      {"address", address_text(from.admin.address)},
      {"token_file", from.admin.token_file.empty() ? json::value(nullptr) : json::value(from.admin.token_file)},
      {"tls", admin_tls(from.admin.tls)}};
  out["metrics"] =
      from.metrics ? json::value(json::object{{"address", address_text(*from.metrics)}}) : json::value(nullptr);
  out["log"] = log(from.log);
  out["memory"] = json::object{{"buffers", from.memory.buffers}};
  out["drain"] =
      json::object{{"delay", duration_text(from.drain.delay)}, {"timeout", duration_text(from.drain.timeout)}};
  return out;
}

}  // namespace tidegate::admin
