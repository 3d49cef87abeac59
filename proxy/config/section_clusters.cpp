#include <array>

#include "config/addresses.h"
#include "config/read.h"
#include "config/section.h"
#include "config/sections.h"
#include "config/text_rules.h"

namespace tidegate::config {
namespace {

using upstream::ClusterPolicy;

void read_endpoints(const Value& value, ClusterPolicy& out) {
  read_list(value, [&](const Value& item) {
    const auto text = item.text("an address such as lb.example.com:443");
    if (!text) return;
    Parsed<upstream::EndpointAddress> endpoint = parse_endpoint(*text);
    if (!endpoint) return item.fail(std::move(endpoint.error));
    for (const upstream::EndpointAddress& other : out.endpoints) {
      const bool same = other.host == endpoint.value->host && other.port == endpoint.value->port;
      if (same) return item.fail(in_quotes(*text) + " is listed twice");
    }
    out.endpoints.push_back(std::move(*endpoint.value));
  });
}

void read_protocol(const Value& value, ClusterPolicy& out) {
  using upstream::Protocol;
  constexpr std::array<Choice<Protocol>, 3> kProtocols{
      {{"http1", Protocol::Http1}, {"http2", Protocol::Http2}, {"auto", Protocol::Auto}}};
  read_choice(value, out.protocol, kProtocols);
}

void read_proxy_protocol(const Value& value, ClusterPolicy& out) {
  using Version = std::optional<net::ProxyVersion>;
  constexpr std::array<Choice<Version>, 3> kWords{
      {{"off", std::nullopt}, {"v1", net::ProxyVersion::V1}, {"v2", net::ProxyVersion::V2}}};
  read_choice(value, out.proxy_protocol, kWords);
}

/// RFC 9110 §7.2: uri-host [":" port].
bool is_authority(std::string_view text) {
  if (is_host_name(text) || is_ipv4(text)) return true;
  const bool bracketed = text.starts_with('[') && text.ends_with(']');
  return bracketed ? is_ipv6(text.substr(1, text.size() - 2)) : !is_unix(text) && parse_endpoint(text).value.has_value();
}

void read_host(const Value& value, ClusterPolicy& out) {
  const auto text = value.text("preserve or a host");
  if (!text || *text == "preserve") return;
  if (!is_authority(*text)) return value.fail(in_quotes(*text) + " is neither preserve nor a host to send");
  out.host = *text;
}

constexpr std::array kPoolFields{
    Field<ClusterPolicy>{"connections",
                         [](In v, ClusterPolicy& out) { read_integer(v, out.pool.connections, {"1", "1000000"}); }},
    Field<ClusterPolicy>{"pending",
                         [](In v, ClusterPolicy& out) { read_integer(v, out.pool.pending, {"0", "1000000"}); }},
    Field<ClusterPolicy>{"idle_timeout",
                         [](In v, ClusterPolicy& out) { read_duration(v, out.pool.idle_timeout, {"1ms", "1d"}); }},
    Field<ClusterPolicy>{"requests_per_connection",
                         [](In v, ClusterPolicy& out) {
                           read_integer(v, out.pool.requests_per_connection, {"0", "1000000000"});
                         }},
};
constexpr Section<ClusterPolicy> kPool{"clusters.NAME.pool", kPoolFields};

constexpr std::array kTimeoutFields{
    Field<ClusterPolicy>{"connect",
                         [](In v, ClusterPolicy& out) { read_duration(v, out.timeouts.connect, {"1ms", "5m"}); }},
    Field<ClusterPolicy>{"response_header",
                         [](In v, ClusterPolicy& out) {
                           read_duration(v, out.timeouts.response_header, {"1ms", "1d"});
                         }},
    Field<ClusterPolicy>{"idle",
                         [](In v, ClusterPolicy& out) { read_duration(v, out.timeouts.idle, {"1ms", "1d"}); }},
};
constexpr Section<ClusterPolicy> kTimeouts{"clusters.NAME.timeouts", kTimeoutFields};

constexpr std::array kFields{
    Field<ClusterPolicy>{"endpoints", read_endpoints, true},
    Field<ClusterPolicy>{"protocol", read_protocol},
    Field<ClusterPolicy>{"tls", read_cluster_tls},
    Field<ClusterPolicy>{"host", read_host},
    Field<ClusterPolicy>{"proxy_protocol", read_proxy_protocol},
    Field<ClusterPolicy>{"pool", [](In v, ClusterPolicy& out) { read_section(v, kPool, out); }},
    Field<ClusterPolicy>{"slow_start",
                         [](In v, ClusterPolicy& out) { read_duration(v, out.slow_start, {"0s", "1h"}); }},
    Field<ClusterPolicy>{"timeouts", [](In v, ClusterPolicy& out) { read_section(v, kTimeouts, out); }},
    Field<ClusterPolicy>{"health", read_health},
    Field<ClusterPolicy>{"outlier", read_outlier},
    Field<ClusterPolicy>{"panic_threshold", [](In v, ClusterPolicy& out) { read_share(v, out.panic_threshold, {"0%", "100%"}); }},
};
constexpr Section<ClusterPolicy> kSection{"clusters.NAME", kFields};

}  // namespace

void read_clusters(const Value& value, std::vector<ClusterPolicy>& out) {
  if (!value.is_map()) return;
  if (value.node().entries.empty()) value.fail("no cluster is given");
  for (const Entry& entry : value.node().entries) {
    ClusterPolicy& cluster = out.emplace_back();
    cluster.name = entry.key.text;
    if (std::string error = name_error(cluster.name); !error.empty()) value.fail_key(entry, std::move(error));
    read_section(value.child(entry), kSection, cluster);
  }
}

void append_cluster_keys(KeyList& out) {
  kSection.append_keys(out);
  kPool.append_keys(out);
  kTimeouts.append_keys(out);
  append_health_keys(out);
}

}  // namespace tidegate::config
