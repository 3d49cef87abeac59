// The configuration as plain structs: what the YAML file says after defaults are filled in and everything was checked.
// The policies of the data plane are the structs of their own folders; this file only gathers them. No YAML here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "check/policy.h"
#include "forward/policy.h"
#include "gate/parameters.h"
#include "net/tls_policy.h"
#include "notify/policy.h"
#include "rollout/plan.h"
#include "route/policy.h"
#include "upstream/policy.h"

namespace tidegate::config {

struct SocketAddress {
  std::string host;          ///< IPv4 or IPv6 literal, without brackets; of a listener also "unix:/run/tidegate.sock"
  std::uint16_t port = 0;    ///< 0 = any free port, told at start
  bool operator==(const SocketAddress&) const = default;
};

inline constexpr std::string_view kUnixSockets = "unix";  ///< the word for every peer on a unix-domain socket

/// An address range of trusted_proxies.
struct AddressRange {
  std::string address;       ///< IPv4 or IPv6 literal, or kUnixSockets
  std::uint8_t prefix = 32;  ///< bits
  bool operator==(const AddressRange&) const = default;
};

struct Listener {
  std::string name;          ///< default "listener-N"
  SocketAddress address;
  std::optional<std::uint32_t> mode;   ///< of a unix-domain socket's file; empty = what the umask leaves
  std::uint32_t connections = 20'000;  ///< accepted at a time, all workers together
  std::uint32_t connections_per_client = 0;  ///< of them, of one address; 0 = no limit
  std::uint32_t tls_handshakes = 0;    ///< a second, all workers together; 0 = no limit
  std::optional<net::TlsServerPolicy> tls;  ///< empty = plain
  forward::SessionPolicy session;
  bool operator==(const Listener&) const = default;
};

struct Route {
  route::RoutePolicy policy;
  gate::Parameters gate;            ///< of the errors stream
  gate::ErrorRule errors;
  std::optional<gate::SlowRule> slow;  ///< empty: slowness is not looked at
  gate::OnFail on_fail = gate::OnFail::Revert;
  std::optional<rollout::Plan> rollout;  ///< empty: weights are set by hand
  bool operator==(const Route&) const = default;
};

struct State {
  std::string path;          ///< the SQLite file, absolute or relative to the working directory
  bool operator==(const State&) const = default;
};

struct Admin {
  SocketAddress address{"127.0.0.1", 9900};
  std::string token_file;    ///< empty = no token; then only loopback addresses are allowed
  std::optional<net::TlsServerPolicy> tls;  ///< empty = plain; one certificate
  bool operator==(const Admin&) const = default;
};

struct AccessLog {
  std::string path = "off";  ///< off | stdout | FILE
  double sample = 1.0;       ///< 0..1
  bool operator==(const AccessLog&) const = default;
};

enum class LogLevel : std::uint8_t { Debug, Info, Warn, Error };

struct Log {
  AccessLog access;
  LogLevel level = LogLevel::Info;
  bool operator==(const Log&) const = default;
};

struct Drain {
  Duration delay = std::chrono::seconds(0);     ///< readiness is false, listeners still accept
  Duration timeout = std::chrono::seconds(30);  ///< exchanges in flight may finish
  bool operator==(const Drain&) const = default;
};

/// What all workers together may hold in buffers before new requests are refused.
struct Memory {
  std::uint64_t buffers = 0;  ///< bytes; never 0 after validation: "auto" is resolved

  bool operator==(const Memory&) const = default;
};

struct Config {
  std::uint32_t workers = 0;                    ///< never 0 after validation: "auto" is resolved
  std::vector<Listener> listeners;
  std::vector<AddressRange> trusted_proxies;
  upstream::DnsPolicy dns;
  std::vector<upstream::ClusterPolicy> clusters;
  std::vector<Route> routes;                    ///< first match wins
  std::vector<check::CheckPolicy> checks;
  std::vector<notify::NotifyPolicy> notify;
  State state;
  Admin admin;
  std::optional<SocketAddress> metrics;
  Log log;
  Memory memory;
  Drain drain;
};

}  // namespace tidegate::config
