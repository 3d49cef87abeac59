// What the configuration says about a route, as plain values: the condition, the sides, retry, mirror, header edits.
// The live part (weight, latch, mirror percent) is in route/live.h; the gate's parameters travel beside it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/side.h"
#include "base/weight.h"

namespace tidegate::route {

struct PathMatch {
  enum class Kind : std::uint8_t { Any, Exact, Prefix } kind = Kind::Any;
  std::string value;  ///< Prefix matches whole segments: /api matches /api and /api/x, not /apis (Gateway API)
  bool operator==(const PathMatch&) const = default;
};

struct HeaderMatch {
  std::string name;  ///< lower case
  enum class Kind : std::uint8_t { Exact, Prefix, Present } kind = Kind::Exact;
  std::string value;
  bool operator==(const HeaderMatch&) const = default;
};

/// Every part that is given must hold; an empty part holds always.
struct MatchPolicy {
  std::vector<std::string> hosts;    ///< lower case, without port; "*.example.org" matches any subdomain
  PathMatch path;
  std::vector<std::string> methods;
  std::vector<HeaderMatch> headers;
  bool operator==(const MatchPolicy&) const = default;
};

/// How long an attempt waits that asks a side again: a random part of a time that doubles (retry.h).
struct BackoffPolicy {
  Duration base = std::chrono::milliseconds(25);   ///< before the first such attempt, at the most
  Duration most = std::chrono::milliseconds(250);  ///< before any
  bool operator==(const BackoffPolicy&) const = default;
};

struct RetryPolicy {
  std::uint32_t retries = 1;  ///< 0 = off
  bool on_connect = true;
  bool on_reset = true;
  bool on_timeout = false;
  std::vector<std::uint16_t> on_statuses;  ///< any of 502, 503, 504
  enum class Methods : std::uint8_t { Safe, Idempotent } methods = Methods::Safe;
  Duration per_try_timeout{0};             ///< of one attempt until its response's head; 0 = what the cluster's timeouts say
  double budget = 0.2;                     ///< share of the exchanges in flight that may be retries; at least 3 are allowed
  bool other_side = true;                  ///< the retry goes to the other side
  BackoffPolicy backoff;
  std::uint64_t buffer = 64 << 10;         ///< bytes of a request's body that are held so that it can be sent again; more is sent once
  bool operator==(const RetryPolicy&) const = default;
};

/// A second attempt beside the first, where that takes unusually long.
struct HedgePolicy {
  Duration after{0};  ///< 0: the 95th percentile of the side's own time until the response's head (forward/usual_time.h)
  bool operator==(const HedgePolicy&) const = default;
};

struct HeaderEdits {
  std::vector<std::pair<std::string, std::string>> set;  ///< replaces every field of that name
  std::vector<std::string> remove;                       ///< lower case
  bool operator==(const HeaderEdits&) const = default;
};

struct MirrorHost {
  enum class Kind : std::uint8_t { Preserve, Suffix, Literal } kind = Kind::Preserve;
  std::string value;
  bool operator==(const MirrorHost&) const = default;
};

struct MirrorPolicy {
  Weight percent;
  std::vector<std::string> methods{"GET", "HEAD"};
  double rate = 0;                           ///< copies a second, all workers together; 0 = no cap
  std::uint32_t concurrency = 200;           ///< copies in flight, all workers together
  std::uint64_t buffer = 64ull << 20;        ///< bytes held for all copies of the route, all workers together
  Duration timeout = std::chrono::seconds(10);
  MirrorHost host;
  bool operator==(const MirrorPolicy&) const = default;
};

/// Connections that stop being HTTP (RFC 9110 §7.8).
struct UpgradePolicy {
  std::vector<std::string> protocols{"websocket"};  ///< lower case; others are asked without Upgrade
  Duration idle_timeout = std::chrono::minutes(5);  ///< nothing moves in either direction; 0 = no limit
  bool close_on_revert = false;                     ///< those to new end once its weight is 0
  Duration close_jitter = std::chrono::seconds(5);  ///< they end within this time, not all at once
  bool operator==(const UpgradePolicy&) const = default;
};

struct RoutePolicy {
  std::string name;
  MatchPolicy match;
  PerSide<std::string> clusters{{"old", "new"}};
  Weight weight;                              ///< the file's weight of new
  Duration timeout{0};                        ///< whole exchange, retries included; 0 = no limit
  RetryPolicy retry;
  std::optional<HedgePolicy> hedge;
  HeaderEdits request_headers;
  UpgradePolicy upgrade;
  std::optional<MirrorPolicy> mirror;
  bool operator==(const RoutePolicy&) const = default;
};

}  // namespace tidegate::route
