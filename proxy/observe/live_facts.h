// What metrics show and workers do not count: weights, the gate, the store. A copy, made by the composition root from
// the control thread's status for one scrape, because observe knows nothing of control. Plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/side.h"
#include "base/weight.h"
#include "gate/ruling.h"

namespace tidegate::observe {

struct ReasonCount {
  std::string_view reason;  ///< of static storage
  std::uint64_t count = 0;
};

/// The evidence of one stream of a gate.
struct LiveStream {
  gate::Stream stream = gate::Stream::Errors;
  gate::Statistics statistics;
  gate::Thresholds thresholds;
};

struct LiveRoute {
  std::string name;
  Weight wanted;
  Weight effective;
  gate::Verdict verdict = gate::Verdict::Inconclusive;
  gate::Reason reason = gate::Reason::Observing;
  std::vector<LiveStream> streams;
  bool old_suspect = false;
  bool latched = false;
  std::string_view rollout_state;          ///< of static storage; empty: the route has no rollout
  std::size_t rollout_step = 0;            ///< 1-based; 0: not in a step
  struct Check {
    std::string name;
    std::array<std::uint64_t, 4> verdicts{};  ///< by gate::Verdict
  };
  std::vector<Check> checks;
  Weight mirror;                           ///< share of requests that are copied
  std::vector<ReasonCount> reverts;        ///< every reason there is, those that never happened at 0
  std::vector<ReasonCount> holds;          ///< alarms that left the weight as it was
  PerSide<std::uint64_t> stale_failures;   ///< known after their step had ended: not judged
};

struct LiveStore {
  bool connected = true;
  std::uint64_t failures = 0;
  std::size_t pending = 0;
};

/// Who is told of decisions.
struct LiveTarget {
  std::string origin;  ///< "https://hooks.example.com"
  std::uint64_t delivered = 0;
  std::uint64_t failed = 0;   ///< given up
  std::uint64_t dropped = 0;  ///< too many waited
  std::size_t pending = 0;
};

struct LiveCertificate {
  std::string used_by;         ///< "listener/web", "admin", "upstream/old"
  std::string file;
  std::int64_t not_after = 0;  ///< seconds since the Unix epoch
};

/// The names of a cluster's endpoints.
struct LiveResolution {
  std::string cluster;
  std::vector<ReasonCount> results;  ///< every result there is
  std::size_t addresses = 0;         ///< that they have now
};

/// One address that requests for a cluster may go to.
struct LiveEndpoint {
  std::string cluster;
  std::string endpoint;  ///< as it is written
  std::string address;
  bool healthy = true;
  bool ejected = false;
};

struct LiveFacts {
  std::vector<LiveRoute> routes;
  LiveStore store;
  std::vector<LiveTarget> targets;         ///< in the order of the file
  std::vector<LiveCertificate> certificates;
  std::vector<LiveResolution> resolutions;  ///< of the clusters that have names
  std::vector<LiveEndpoint> endpoints;     ///< each once
  std::uint64_t certificate_reloads = 0;   ///< changes of files that are in force
  std::uint64_t certificate_failures = 0;  ///< changes that were not taken
  std::uint64_t reloads = 0;               ///< of the configuration, that are in force
  std::uint64_t failed_reloads = 0;
  std::int64_t reloaded_ms = 0;            ///< wall clock: the last that succeeded, or the start
  std::uint64_t epoch = 0;
  std::uint64_t access_log_lost = 0;       ///< AccessLog::lost()
};

}  // namespace tidegate::observe
