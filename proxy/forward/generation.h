// What a worker serves by: one configuration's routes and clusters, as this worker has them. A reload makes the next; an
// exchange goes on with the one that it began with, and a generation is destroyed when nothing uses it any more (worker.h).
// A cluster whose policy stays goes from generation to generation with its connections, its health and its checks.
//
// Owned by the worker, its thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "forward/usual_time.h"
#include "gate/counters.h"
#include "gate/parameters.h"
#include "mirror/mirror.h"
#include "net/address.h"
#include "observe/counters.h"
#include "observe/failure_samples.h"
#include "route/snapshot.h"
#include "route/split.h"
#include "upstream/pool.h"
#include "upstream/prober.h"

namespace tidegate::forward {

/// A cluster as this worker sees it. Like all that a worker writes for a request it begins on a cache line: the heap puts
/// the parts of two workers beside each other (tests/budget/cache_line_test.cpp).
struct alignas(64) ClusterRuntime final : private upstream::PoolEvents {
  ClusterRuntime(net::Reactor& reactor, const upstream::ClusterPolicy& from, std::uint64_t number, upstream::PoolShare share,
                 std::shared_ptr<observe::ClusterCounters> to)
      : policy(from),
        since(number),
        counters(*to),
        pool(reactor, policy, share, *this),
        mirror_pool(reactor, policy, share, *this),
        reactor_(reactor),
        counters_(std::move(to)) {}

  /// Nothing uses it any more: it is closed, and may be destroyed once this was true.
  bool close_down();
  /// An address of the cluster that it replaces is as healthy as it was there.
  void take_over_health(const ClusterRuntime& before);
  /// The same of an address that another process knew. Before set_addresses().
  void know(const upstream::Pool::Known& known);
  void set_addresses(std::size_t endpoint, const std::vector<net::Address>& addresses);
  void set_tls(const std::shared_ptr<const net::TlsClientContext>& context);

  const upstream::ClusterPolicy policy;
  const std::uint64_t since;  ///< the configuration that made the policy what it is
  observe::ClusterCounters& counters;
  upstream::Pool pool;
  upstream::Pool mirror_pool;  ///< copies never compete with originals for connections
  std::unique_ptr<upstream::Prober> prober;  ///< on one worker a cluster, where it is asked for
  std::function<void(std::size_t endpoint, const net::Address&, Duration)> tell_ejected;  ///< the other workers; may be empty

 private:
  void on_connections(int active_change, int idle_change) override {
    counters.active.add(active_change);
    counters.idle.add(idle_change);
  }
  void on_connect() override { counters.connects.add(); }
  void on_ejected(std::size_t endpoint, const net::Address& address, Duration length) override;
  void on_tls(std::string_view endpoint, const net::TlsLayer& tls) override;
  void on_tls_alert(std::string_view endpoint, const net::TlsLayer& tls) override;
  void complain(std::string_view endpoint, std::string_view what);

  net::Reactor& reactor_;
  const std::shared_ptr<observe::ClusterCounters> counters_;
  std::shared_ptr<const net::TlsClientContext> tls_;
  TimePoint quiet_until_{};  // of complaints: one cause makes many
};

struct Generation;

/// A route as this worker sees it.
struct alignas(64) RouteRuntime {
  Generation* generation = nullptr;
  const route::Route* route = nullptr;
  observe::RouteCounters* counters = nullptr;
  gate::Ledger* ledger = nullptr;
  gate::ErrorRule errors;
  observe::FailureSamples* samples = nullptr;  ///< may be null
  Duration slow_over{0};                   ///< `gate.slow.over`; 0: the route has no slow stream
  PerSide<ClusterRuntime*> clusters{{nullptr, nullptr}};
  std::unique_ptr<mirror::Mirror> mirror;  ///< nullptr: the route has none
  route::PositionSequence positions;       ///< its own: between two of its requests there may be any number of others
  std::uint32_t in_flight = 0;
  std::uint32_t retrying = 0;              ///< of them, those whose attempt is a retry on the budget, or has a hedge
  std::unique_ptr<PerSide<UsualTime>> usual;  ///< of requests that may be hedged; made when it is needed
};

/// What one worker is given of a configuration.
struct GenerationSetup {
  std::uint64_t number = 0;                    ///< of the configuration: what is found out for one is not for another
  std::shared_ptr<const void> keep{};          ///< what is pointed to lives as long as this
  const route::Snapshot* snapshot = nullptr;
  const std::vector<upstream::ClusterPolicy>* clusters = nullptr;
  std::vector<std::uint64_t> clusters_since;   ///< by cluster: the number of the configuration that made it what it is
  const observe::ConfiguredCounters* counters = nullptr;
  std::vector<gate::ErrorRule> errors;         ///< by route
  std::vector<Duration> slow_over;             ///< by route
  std::vector<double> bounds{};                ///< by route, or empty: a bound that the histogram must have; 0: none
  std::vector<gate::Ledger*> ledgers;          ///< by route
  std::vector<observe::FailureSamples*> samples{};  ///< by route; empty: none are kept
  std::vector<net::AddressRange> trusted{};
  std::vector<std::shared_ptr<const net::TlsClientContext>> cluster_tls{};  ///< by cluster; nullptr or left out = plain
  /// By cluster and endpoint; those that are left out or empty stay as they are.
  std::vector<std::vector<std::vector<net::Address>>> addresses{};
};

/// An address of a cluster as it has been since a configuration: after that cluster has changed, no news of it are about the next.
struct ClusterAddress {
  std::string cluster;
  std::uint64_t since = 0;
  std::size_t endpoint = 0;
  net::Address address;
};

/// What one worker has found out about an address and the others are to know. Called on its thread.
struct AddressNews {
  std::function<void(const ClusterAddress&, bool healthy, const std::string& why)> on_health;
  std::function<void(const ClusterAddress&, Duration)> on_ejected;
};

/// One of several equal parts; a share is never nothing unless the whole is, because a bound below the number of workers
/// must not shut some of them out.
struct Part {
  std::size_t index = 0;
  std::size_t count = 1;
  std::uint32_t of(std::uint32_t total) const noexcept;
};

struct Generation {
  /// @param before the one that it follows, or nullptr: what stays is taken from there.
  Generation(net::Reactor& reactor, GenerationSetup from, Part part, const AddressNews& news, Random& random, const Generation* before);
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  bool is_trusted(const net::Address& peer) const noexcept;
  /// nullptr: it has none of that name.
  ClusterRuntime* cluster_named(std::string_view name) const noexcept;
  /// Ends the checks of the clusters that the next one does not have.
  void stop_checks(const Generation& next);
  /// Every copy in flight is given up.
  void drop_copies(observe::MirrorDrop why);
  /// Neither an exchange nor a copy uses it, and the clusters that only it has are closed.
  bool close_down();

  const GenerationSetup setup;
  const route::Snapshot& snapshot;
  std::vector<std::shared_ptr<ClusterRuntime>> clusters;  ///< by their order in the file
  std::vector<RouteRuntime> routes;                       ///< by route::Route::index
  std::uint32_t exchanges = 0;                            ///< that are served by it now

 private:
  std::shared_ptr<ClusterRuntime> make_cluster(net::Reactor& reactor, std::size_t index, Part part, const AddressNews& news,
                                               const Generation* before);
  RouteRuntime make_route(net::Reactor& reactor, const route::Route& route, Part part, Random& random, const RouteRuntime* before);
};

}  // namespace tidegate::forward
