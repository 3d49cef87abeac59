// What the admin API asks of the rest of the program, filled in by the composition root, so that admin depends on
// control and store but not on forward. Everything that is referred to must outlive the server. The functions are
// called on the server's thread, one at a time for each server (the admin and the metrics listener have a thread each);
// they must not wait and not throw.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/side.h"
#include "config/config.h"
#include "control/engine.h"
#include "control/status.h"
#include "notify/target.h"
#include "observe/counters.h"
#include "store/store.h"

namespace tidegate::admin {

/// What clients saw of a side since the start.
struct SideTraffic {
  std::uint64_t requests = 0;
  std::uint64_t failures = 0;      ///< answered with 5xx
  std::optional<double> p50_ms{};  ///< empty: nothing to say yet
  std::optional<double> p99_ms{};
};

/// received = mirrored + in_flight + the sum of dropped.
struct MirrorTraffic {
  std::uint64_t received = 0;
  std::uint64_t mirrored = 0;
  std::array<std::uint64_t, observe::kMirrorDropCount> dropped{};  ///< by observe::MirrorDrop
  std::int64_t in_flight = 0;
};

struct RouteTraffic {
  std::string route;
  PerSide<SideTraffic> sides;
  std::int64_t in_flight = 0;
  MirrorTraffic mirror{};
};

struct EndpointHealth {
  std::string endpoint;            ///< as it is written
  std::string address;             ///< empty: its name has none yet
  bool healthy = true;
  bool ejected = false;
  std::string why;                 ///< of what keeps it from requests
  std::int64_t since_ms = 0;       ///< 0: from the start
};

struct ClusterHealth {
  std::string name;
  bool checked = false;            ///< else it is healthy because nobody asks
  std::vector<EndpointHealth> endpoints;
};

struct ReloadAnswer {
  std::vector<std::string> problems;  ///< not empty: nothing was changed
  std::vector<std::string> changed;
};

struct Services {
  control::Engine& engine;
  store::Store& store;  ///< history() and decision() only
  std::function<std::string(const control::Status&)> metrics_text{};
  std::function<std::shared_ptr<const config::Config>()> config{};  ///< the one in force
  std::function<bool()> ready{};
  std::function<void()> drain{};                         ///< begins it, and returns
  std::function<void(std::function<void(const ReloadAnswer&)>)> reload{};  ///< begins it, and returns; answers on any thread
  std::function<std::vector<RouteTraffic>()> traffic{};  ///< in any order
  std::function<std::vector<ClusterHealth>()> clusters{};  ///< in the order of the file
  std::function<std::vector<notify::TargetStats>()> notifications{};  ///< in the order of the file
  std::string version{};
  std::int64_t started_at_ms = 0;  ///< wall clock
};

}  // namespace tidegate::admin
