// The sections of the file, one function each: YAML tree in, plain structs of the data plane's folders out. Each
// reports what is wrong inside its own section and goes on; what spans sections (references, names used twice) is
// validate.h's. append_*_keys list the keys of the section and of those inside it, by full path.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "config/value.h"

namespace tidegate::config {

using KeyList = std::vector<std::string>;

/// The whole file. Every list of `out` has as many elements as the file's, bad ones included, so that indices in paths
/// are those of the file.
void read_root(const Value& root, Config& out);
void append_root_keys(KeyList& out);

void read_listeners(const Value& value, std::vector<Listener>& out);
void append_listener_keys(KeyList& out);

/// listeners[].tls and clusters.NAME.tls; the keys of both.
void read_listener_tls(const Value& value, Listener& out);
void read_admin_tls(const Value& value, Admin& out);
void read_cluster_tls(const Value& value, upstream::ClusterPolicy& out);
void append_tls_keys(KeyList& out);

void read_dns(const Value& value, upstream::DnsPolicy& out);
void append_dns_keys(KeyList& out);

/// clusters.NAME.health and clusters.NAME.outlier; the keys of both.
void read_health(const Value& value, upstream::ClusterPolicy& out);
void read_outlier(const Value& value, upstream::ClusterPolicy& out);
void append_health_keys(KeyList& out);

void read_clusters(const Value& value, std::vector<upstream::ClusterPolicy>& out);
void append_cluster_keys(KeyList& out);

void read_routes(const Value& value, std::vector<Route>& out);
void append_route_keys(KeyList& out);

void read_match(const Value& value, route::MatchPolicy& out);
void append_match_keys(KeyList& out);

void read_retry(const Value& value, route::RetryPolicy& out);
void append_retry_keys(KeyList& out);

void read_hedge(const Value& value, std::optional<route::HedgePolicy>& out);
void append_hedge_keys(KeyList& out);

void read_request_headers(const Value& value, route::HeaderEdits& out);
void append_request_header_keys(KeyList& out);

void read_upgrade(const Value& value, route::UpgradePolicy& out);
void append_upgrade_keys(KeyList& out);

void read_mirror(const Value& value, std::optional<route::MirrorPolicy>& out);
void append_mirror_keys(KeyList& out);

void read_rollout(const Value& value, std::optional<rollout::Plan>& out);
void append_rollout_keys(KeyList& out);

void read_checks(const Value& value, std::vector<check::CheckPolicy>& out);
void append_check_keys(KeyList& out);

void read_notify(const Value& value, std::vector<notify::NotifyPolicy>& out);
void append_notify_keys(KeyList& out);

void read_gate(const Value& value, Route& out);
void append_gate_keys(KeyList& out);

/// state, admin, metrics, log, memory, drain
void read_state(const Value& value, State& out);
void read_admin(const Value& value, Admin& out);
void read_metrics(const Value& value, std::optional<SocketAddress>& out);
void read_log(const Value& value, Log& out);
void read_memory(const Value& value, Memory& out);
void read_drain(const Value& value, Drain& out);
void append_service_keys(KeyList& out);

/// Reads IPv4:port or [IPv6]:port.
void read_socket_address(const Value& value, SocketAddress& out);
void read_listener_address(const Value& value, SocketAddress& out);
/// Reads a list of method tokens (RFC 9110 §9.1: case counts, so `get` draws a warning).
void read_methods(const Value& value, std::vector<std::string>& out);

}  // namespace tidegate::config
