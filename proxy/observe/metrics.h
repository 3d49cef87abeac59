// Every metric of PRODUCT §5: folds the workers' plain counters and the facts of the control thread into one page when
// somebody asks. It counts nothing itself and is not on the request path; the cost is the scraper's. Owned by the
// composition root; the counters must outlive it. Immutable after construction: any thread, in general the admin's. Each configuration has one.
//
// Series that alerts need exist from the start at 0, because rate() sees nothing of a series that is born with its
// first error. A series that was shown is shown ever after, and counters never go back.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/side.h"
#include "observe/counters.h"
#include "observe/exposition.h"
#include "observe/live_facts.h"
#include "observe/request_totals.h"

namespace tidegate::observe {

/// What clients saw of a side since the process started.
struct SideTotals {
  std::uint64_t requests = 0;
  std::uint64_t failures = 0;        ///< 5xx
  std::optional<double> p50_ms;      ///< estimates (LatencyTotals::quantile); empty without requests
  std::optional<double> p99_ms;
};

struct MirrorTotals {
  std::uint64_t received = 0;
  std::uint64_t mirrored = 0;
  std::array<std::uint64_t, kMirrorDropCount> dropped{};  ///< by MirrorDrop
  std::int64_t in_flight = 0;
};

struct RouteTotals {
  PerSide<SideTotals> sides;
  std::int64_t in_flight = 0;
  MirrorTotals mirror;
};

class Metrics {
 public:
  struct Route {
    std::string name;
    PerSide<std::string> clusters;
    bool has_mirror = false;
  };
  struct Listener {
    std::string name;
    bool tls = false;
  };
  struct Setup {
    std::vector<Route> routes;                    ///< by route::Route::index
    std::vector<std::string> clusters;            ///< by index, as in ConfiguredCounters
    std::vector<bool> cluster_tls{};              ///< by cluster; left out: none
    std::vector<Listener> listeners{};            ///< by index, as in ConfiguredCounters
    std::vector<const WorkerCounters*> workers;
    std::vector<const ConfiguredCounters*> configured;  ///< by worker
    std::string version;
    std::int64_t started_ms = 0;                  ///< since the Unix epoch
  };

  explicit Metrics(Setup setup) : setup_(std::move(setup)) {}

  /// The page in Prometheus' text format 0.0.4: `text/plain; version=0.0.4; charset=utf-8`. Routes that `live` does not
  /// have (yet) are shown without their live facts.
  std::string text(const LiveFacts& live) const;

  /// For `tidegate status`. @param route an index of Setup::routes.
  RouteTotals totals(std::size_t route) const;

 private:
  // metrics_traffic.cpp: what workers count
  void add_requests(Exposition& page) const;
  void add_grpc(Exposition& page) const;
  void add_durations(Exposition& page) const;
  void add_retries(Exposition& page) const;
  void add_mirror(Exposition& page) const;
  void add_upstream(Exposition& page) const;
  void add_health(Exposition& page) const;
  void add_downstream(Exposition& page, std::uint64_t access_log_lost) const;

  // metrics_tls.cpp
  void add_handshakes(Exposition& page) const;
  void add_certificates(Exposition& page, const LiveFacts& live) const;

  // metrics_state.cpp: what control knows, and the process
  void add_weights(Exposition& page, const LiveFacts& live) const;
  void add_gate(Exposition& page, const LiveFacts& live) const;
  void add_evidence(Exposition& page, const LiveFacts& live) const;
  void add_reverts(Exposition& page, const LiveFacts& live) const;
  void add_notifications(Exposition& page, const LiveFacts& live) const;
  void add_rollouts(Exposition& page, const LiveFacts& live) const;
  void add_resolutions(Exposition& page, const LiveFacts& live) const;
  void add_endpoints(Exposition& page, const LiveFacts& live) const;
  void add_store(Exposition& page, const LiveFacts& live) const;
  void add_identity(Exposition& page) const;
  void add_process(Exposition& page) const;

  RequestTotals requests(std::size_t route, Side side) const;
  RequestTotals requests_without_side(std::size_t route) const;
  RequestTotals requests_without_route() const;
  SideTotals side_totals(std::size_t route, Side side) const;
  MirrorTotals mirror_totals(std::size_t route) const;

  /// Sums pick(counters of a worker) over the workers: WorkerCounters or ConfiguredCounters, as pick takes them.
  template <class Pick>
  auto sum(Pick pick) const {
    if constexpr (std::is_invocable_v<Pick, const ConfiguredCounters&>) {
      return sum_over(setup_.configured, pick);
    } else {
      return sum_over(setup_.workers, pick);
    }
  }
  template <class Counters, class Pick>
  static auto sum_over(const std::vector<const Counters*>& all, Pick pick) {
    decltype(pick(*all.front())) total{};
    for (const Counters* one : all) total += pick(*one);
    return total;
  }

  const Setup setup_;
};

}  // namespace tidegate::observe
