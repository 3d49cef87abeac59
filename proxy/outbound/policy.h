// What the file says about a connection that Tidegate makes for itself (checks, webhooks, notifications): the URL and how
// its server is trusted. Plain values, read by config/, used by client.h.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace tidegate::outbound {

struct TlsPolicy {
  bool verify = true;      ///< false: any certificate will do
  std::string ca;          ///< a PEM file; empty = the system's
  std::string cert, key;   ///< PEM files of the client's certificate; both or none
  bool operator==(const TlsPolicy&) const = default;
};

/// Where a question goes: http:// or https://, no user information, no fragment.
struct Destination {
  std::string url;
  TlsPolicy tls{};
  std::vector<std::pair<std::string, std::string>> headers{};  ///< sent with it, as Authorization
  bool operator==(const Destination&) const = default;
};

}  // namespace tidegate::outbound
