// What a listener says about the client connections that it accepts: bounds and timeouts (PRODUCT §2 `limits`,
// `timeouts`).
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "http/limits.h"
#include "http/path.h"

namespace tidegate::forward {

class ClientLimit;
struct ListenerTls;

struct SessionPolicy {
  http::HeadLimits head;
  http::PathPolicy path;                                  ///< of requests, before they are routed
  std::uint32_t streams = 100;                            ///< of one HTTP/2 connection at a time
  std::uint32_t requests_per_connection = 0;              ///< then a connection is sent away in peace; 0 = no limit
  Duration max_connection_age = Duration::zero();         ///< the same, within a tenth of it; zero = no limit
  bool h2c = false;                                       ///< without TLS: what begins with HTTP/2's preface is HTTP/2
  std::uint64_t body_bytes = 0;                           ///< longest request body; 0 = no limit; more is 413
  Duration header_timeout = std::chrono::seconds(10);     ///< whole head, from its first byte; 408
  Duration idle_timeout = std::chrono::seconds(60);       ///< between requests
  Duration body_idle_timeout = std::chrono::seconds(30);  ///< no progress of a body on the client's side
  std::uint64_t min_request_rate = 0;                     ///< bytes a second of a body that is waited for; 0 = any; 408
  std::uint64_t min_response_rate = 0;                    ///< the same of a response that could go out
  Duration rate_grace = std::chrono::seconds(10);         ///< how long nothing may move, where there is a rate
  bool proxy_protocol = false;                            ///< connections begin with a PROXY header, from trusted peers only
  Duration tls_handshake_timeout = std::chrono::seconds(5);
  ClientLimit* clients = nullptr;                         ///< of all workers (client_limit.h); nullptr = no limit
  ListenerTls* tls = nullptr;                             ///< the worker's own (listener_tls.h); nullptr = plain
  bool operator==(const SessionPolicy&) const = default;
};

}  // namespace tidegate::forward
