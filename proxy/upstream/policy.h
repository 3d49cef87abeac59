// What the configuration says about a cluster: its endpoints and how connections to them are kept. Plain values,
// immutable once serving; pools copy what they need.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "net/proxy_protocol.h"
#include "net/tls_policy.h"

namespace tidegate::upstream {

struct EndpointAddress {
  std::string host;  ///< IPv4, IPv6 (without brackets), a name, or a unix-domain socket: "unix:/run/app.sock"
  std::uint16_t port = 0;
  std::string text;  ///< as written, for logs and metrics: "old-lb.example.com:443"

  /// The Host for a request that has none (HTTP/1.0): a path is no authority (RFC 9110 §7.2).
  std::string_view authority() const noexcept {
    return host.starts_with(net::kUnixPrefix) ? std::string_view("localhost") : std::string_view(text);
  }
  bool operator==(const EndpointAddress&) const = default;
};

struct PoolPolicy {
  std::uint32_t connections = 1024;             ///< a cluster, over all workers
  std::uint32_t pending = 1024;                 ///< requests that wait for a connection, over all workers; more is 503
  Duration idle_timeout = std::chrono::seconds(60);
  std::uint32_t requests_per_connection = 0;    ///< 0 = no limit
  bool operator==(const PoolPolicy&) const = default;
};

struct ClusterTimeouts {
  Duration connect = std::chrono::seconds(1);   ///< with the TLS handshake
  Duration response_header = std::chrono::seconds(30);
  Duration idle = std::chrono::seconds(60);     ///< no progress of a body in either direction
  bool operator==(const ClusterTimeouts&) const = default;
};

/// What is spoken on connections to a cluster. Auto: what TLS agrees on (ALPN), and HTTP/1.1 without TLS.
enum class Protocol : std::uint8_t { Http1, Http2, Auto };

/// How names of endpoints are resolved, for all clusters.
struct DnsPolicy {
  std::vector<std::string> servers;             ///< "10.0.0.2:53", "[2001:db8::1]:53"; empty = those of /etc/resolv.conf
  Duration timeout = std::chrono::seconds(2);   ///< for the answer of one server; the second time it is asked, twice that
  bool operator==(const DnsPolicy&) const = default;
};

enum class HealthKind : std::uint8_t { Http, Tcp, Grpc };

/// Active health checks (prober.h).
struct HealthPolicy {
  HealthKind kind = HealthKind::Http;
  std::string path = "/";
  std::string host;                             ///< to send; empty = the cluster's, else the endpoint's
  std::string service;                          ///< that gRPC is asked for; empty = the server as a whole
  Duration interval = std::chrono::seconds(2);  ///< from the end of one check to the next, a tenth more or less
  Duration timeout = std::chrono::seconds(1);
  std::uint32_t healthy = 2;                    ///< successes in a row that bring an address back
  std::uint32_t unhealthy = 3;                  ///< failures in a row that take it out
  std::vector<std::uint16_t> expect{200};
  bool operator==(const HealthPolicy&) const = default;
};

/// What requests tell of an address: it is left out for a while after so many failures in a row.
struct OutlierPolicy {
  std::uint32_t consecutive_errors = 5;
  Duration ejection = std::chrono::seconds(30);  ///< the first time; each time in a row by as much longer, up to ten times
  double max_ejected = 0.5;                     ///< of the addresses, at the most: of one none
  bool operator==(const OutlierPolicy&) const = default;
};

struct ClusterPolicy {
  std::string name;
  std::vector<EndpointAddress> endpoints;
  Protocol protocol = Protocol::Http1;
  std::optional<std::string> host;              ///< a literal Host to send; empty = preserve the client's
  PoolPolicy pool;
  Duration slow_start{};                        ///< a new address gets its full share after so long; 0 = at once
  ClusterTimeouts timeouts;
  std::optional<net::ProxyVersion> proxy_protocol;  ///< sent first on each connection; empty = off
  std::optional<net::TlsClientPolicy> tls;          ///< empty = plain
  std::optional<HealthPolicy> health;               ///< empty = never asked
  std::optional<OutlierPolicy> outlier;             ///< empty = off
  double panic_threshold = 0.5;  ///< with fewer addresses than this share left, but some, all are used: those left could not bear it

  /// Of the requests that go there.
  std::string_view scheme() const noexcept { return tls ? "https" : "http"; }
  /// A connection that was announced for a client is no other's, so it does not carry many: nothing but HTTP/1.1 is to be
  /// offered on it (config/validate.cpp refuses http2, ALPN leaves h2 out).
  bool may_carry_many() const noexcept { return protocol != Protocol::Http1 && !proxy_protocol; }
  bool operator==(const ClusterPolicy&) const = default;
};

}  // namespace tidegate::upstream
