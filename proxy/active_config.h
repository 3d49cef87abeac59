// A configuration in force, with what is made from it and is read by several threads: the snapshot of routes, the counters of
// each worker, the ledgers, the metrics page. Immutable, but for what is said otherwise. A reload makes the next one; what is
// counted under a name goes on there. Whoever uses one holds it: the workers' generations, the engine, the admin API.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "forward/client_limit.h"
#include "forward/generation.h"
#include "gate/counters.h"
#include "net/address.h"
#include "observe/counters.h"
#include "observe/failure_samples.h"
#include "observe/metrics.h"
#include "route/snapshot.h"

namespace tidegate {

class ActiveConfig {
 public:
  /// @param before nullptr: there was none. @param workers what each counts whatever the configuration is; outlive it
  ActiveConfig(config::Config from, const ActiveConfig* before, const std::vector<const observe::WorkerCounters*>& workers,
               std::int64_t started_ms);
  ActiveConfig(const ActiveConfig&) = delete;
  ActiveConfig& operator=(const ActiveConfig&) = delete;

  /// The place that the listener had in `before`: it goes on with its sockets.
  static std::optional<std::size_t> carried(const config::Listener& listener, const config::Config& before);

  /// For one worker; `keep`, addresses and TLS contexts are the caller's to add.
  forward::GenerationSetup generation(std::size_t worker) const;
  /// By route, of every worker.
  std::vector<std::vector<const gate::Ledger*>> ledgers() const;
  std::vector<observe::FailureSample> failures(std::size_t route, TimePoint since) const;
  /// What the mirror of a route has sent, all workers together.
  std::uint64_t copies(std::size_t route) const;
  /// Where an address is, for people: "cluster new: new-lb:443 (10.0.0.1:443)".
  std::string place(const std::string& cluster, std::size_t endpoint, const net::Address& address) const;
  const upstream::ClusterPolicy* cluster_named(const std::string& name) const noexcept;

  const std::uint64_t number;  ///< 1, and one more with each reload
  const config::Config config;
  const route::Snapshot snapshot;
  std::vector<std::shared_ptr<forward::ClientLimit>> client_limits;  ///< by listener
  /// The number of the configuration that made the cluster what it is here; nullopt: there is none of that name.
  std::optional<std::uint64_t> cluster_since(const std::string& name) const noexcept;
  const observe::Metrics& metrics() const noexcept { return *metrics_; }

  /// What the endpoints' names resolve to, by cluster and endpoint; guarded.
  struct Addresses {
    std::mutex mutex;
    std::vector<std::vector<std::vector<net::Address>>> found;
  };
  mutable Addresses addresses;

 private:
  struct OfWorker {
    observe::ConfiguredCounters counters;
    std::vector<std::shared_ptr<gate::Ledger>> ledgers;                    // by route
    std::vector<std::shared_ptr<observe::FailureSamples>> samples;         // by route
  };
  void add_worker(const OfWorker* before, const ActiveConfig* old);

  std::shared_ptr<const std::vector<double>> bounds_;  // of the histograms of new routes
  std::vector<OfWorker> workers_;
  std::vector<net::AddressRange> trusted_;
  std::vector<std::uint64_t> clusters_since_;
  std::unique_ptr<observe::Metrics> metrics_;
};

/// Of histograms: each gate's `slow.over` is among them.
std::vector<double> latency_bounds_of(const config::Config& config);
/// What is another, a line each: "route api: changed", "cluster blue: added". Empty: nothing.
std::vector<std::string> changes(const config::Config& before, const config::Config& now);
/// Keys that no reload can change, and are another: "workers", "admin". Empty: none.
std::vector<std::string> beyond_reload(const config::Config& before, const config::Config& now);

}  // namespace tidegate
