#include "forward/generation.h"

#include <algorithm>
#include <unordered_map>

#include "net/tls_layer.h"
#include "observe/log.h"

namespace tidegate::forward {

namespace {

constexpr Duration kQuiet = std::chrono::seconds(10);  // between two complaints of a worker about a cluster

/// Bounds hold for all workers together: what does not divide goes to the first ones.
template <class T>
T share_of(T total, Part part) noexcept {
  return total / static_cast<T>(part.count) + (part.index < total % part.count ? 1 : 0);
}

}  // namespace

std::uint32_t Part::of(std::uint32_t total) const noexcept {
  return total == 0 ? 0 : std::max<std::uint32_t>(1, share_of(total, *this));
}

// --- ClusterRuntime

void ClusterRuntime::complain(std::string_view endpoint, std::string_view what) {
  if (reactor_.now() < quiet_until_) return;
  quiet_until_ = reactor_.now() + kQuiet;
  observe::log_warn("cluster " + policy.name + ": TLS with " + std::string(endpoint) + ": " + std::string(what));
}

void ClusterRuntime::on_tls(std::string_view endpoint, const net::TlsLayer& tls) {
  counters.tls.count(tls.result());
  if (tls.result() == net::TlsResult::Canceled) return;
  if (tls.result() != net::TlsResult::Ok) return complain(endpoint, tls.failure());
  if (tls.resumed()) counters.tls.resumed.add();
}

void ClusterRuntime::on_ejected(std::size_t endpoint, const net::Address& address, Duration length) {
  counters.ejections.add();
  if (tell_ejected) tell_ejected(endpoint, address, length);
}

/// A TLS 1.3 server says what it thinks of the client's certificate after the client's handshake is done.
void ClusterRuntime::on_tls_alert(std::string_view endpoint, const net::TlsLayer& tls) { complain(endpoint, tls.failure()); }

bool ClusterRuntime::close_down() {
  if (prober) prober->stop();
  pool.close_idle();
  mirror_pool.close_idle();
  return pool.connections() == 0 && mirror_pool.connections() == 0 && (prober == nullptr || prober->is_idle());
}

void ClusterRuntime::take_over_health(const ClusterRuntime& before) {
  pool.take_over_health(before.pool);
  mirror_pool.take_over_health(before.mirror_pool);
  if (!prober || !before.policy.health) return;
  for (const net::Address& address : before.pool.unhealthy()) prober->begin_unhealthy(address);
}

void ClusterRuntime::know(const upstream::Pool::Known& known) {
  pool.know(known);
  mirror_pool.know(known);
  if (prober && !known.healthy) prober->begin_unhealthy(known.address);
}

void ClusterRuntime::set_addresses(std::size_t endpoint, const std::vector<net::Address>& addresses) {
  pool.set_addresses(endpoint, addresses);
  mirror_pool.set_addresses(endpoint, addresses);
  if (prober) prober->set_addresses(endpoint, addresses);
}

void ClusterRuntime::set_tls(const std::shared_ptr<const net::TlsClientContext>& context) {
  if (context == tls_) return;
  tls_ = context;
  pool.set_tls(context);
  mirror_pool.set_tls(context);
  if (prober) prober->set_tls(context);
}

// --- Generation

Generation::Generation(net::Reactor& reactor, GenerationSetup from, Part part, const AddressNews& news, Random& random, const Generation* before)
    : setup(std::move(from)), snapshot(*setup.snapshot) {
  for (std::size_t i = 0; i < setup.clusters->size(); ++i) clusters.push_back(make_cluster(reactor, i, part, news, before));
  routes.reserve(snapshot.routes().size());
  std::unordered_map<std::string_view, const RouteRuntime*> known;
  if (before != nullptr) {
    for (const RouteRuntime& one : before->routes) known.emplace(one.route->policy.name, &one);
  }
  for (const route::Route& route : snapshot.routes()) {
    const auto same = known.find(route.policy.name);
    routes.push_back(make_route(reactor, route, part, random, same == known.end() ? nullptr : same->second));
  }
}

std::shared_ptr<ClusterRuntime> Generation::make_cluster(net::Reactor& reactor, std::size_t index, Part part,
                                                         const AddressNews& news, const Generation* before) {
  const upstream::ClusterPolicy& policy = (*setup.clusters)[index];
  std::shared_ptr<ClusterRuntime> same;  // of that name
  for (std::size_t i = 0; before != nullptr && i < before->clusters.size(); ++i) {
    if (before->clusters[i]->policy.name == policy.name) same = before->clusters[i];
  }
  const std::uint64_t since = setup.clusters_since[index];
  const bool stays = same != nullptr && same->since == since;
  std::shared_ptr<ClusterRuntime> cluster = same;
  if (!stays) {
    const upstream::PoolShare share{part.of(policy.pool.connections), part.of(policy.pool.pending)};
    cluster = std::make_shared<ClusterRuntime>(reactor, policy, since, share, setup.counters->clusters.share(index));
    ClusterRuntime* const self = cluster.get();
    if (news.on_ejected) {
      cluster->tell_ejected = [self, told = news.on_ejected](std::size_t endpoint, const net::Address& address, Duration length) {
        told({self->policy.name, self->since, endpoint, address}, length);
      };
    }
    if (policy.health && index % part.count == part.index) {
      upstream::Prober::Events told;
      told.on_check = [self](bool passed) { (passed ? self->counters.checks_passed : self->counters.checks_failed).add(); };
      told.on_change = [self, tell = news.on_health](std::size_t endpoint, const net::Address& address, bool healthy,
                                                     const std::string& why) {
        if (tell) tell({self->policy.name, self->since, endpoint, address}, healthy, why);
      };
      cluster->prober = std::make_unique<upstream::Prober>(reactor, self->policy, std::move(told));
    }
  }
  if (index < setup.cluster_tls.size()) cluster->set_tls(setup.cluster_tls[index]);
  if (!stays && same != nullptr) cluster->take_over_health(*same);
  if (index < setup.addresses.size()) {
    for (std::size_t endpoint = 0; endpoint < setup.addresses[index].size(); ++endpoint) {
      const std::vector<net::Address>& addresses = setup.addresses[index][endpoint];
      if (!addresses.empty()) cluster->set_addresses(endpoint, addresses);
    }
  }
  return cluster;
}

/// Shares are counted on where the route was; one that is new begins anywhere, or the first of every fresh process went to new.
RouteRuntime Generation::make_route(net::Reactor& reactor, const route::Route& route, Part part, Random& random,
                                    const RouteRuntime* before) {
  RouteRuntime runtime;
  const auto anywhere = [&random] { return route::PositionSequence(static_cast<std::uint32_t>(random.next() % Weight::kWhole)); };
  runtime.positions = before != nullptr ? before->positions : anywhere();
  runtime.generation = this;
  runtime.route = &route;
  runtime.counters = &setup.counters->routes[route.index];
  runtime.ledger = setup.ledgers[route.index];
  runtime.errors = setup.errors[route.index];
  if (!setup.samples.empty()) runtime.samples = setup.samples[route.index];
  runtime.slow_over = setup.slow_over[route.index];
  const double bound = setup.bounds.empty() ? 0.0 : setup.bounds[route.index];
  if (bound > 0.0) {
    for (observe::SideCounters* const counted :
         {&runtime.counters->sides[Side::Old], &runtime.counters->sides[Side::New], &runtime.counters->no_side}) {
      counted->latency.add_bound(bound);
    }
  }
  for (const Side side : {Side::Old, Side::New}) runtime.clusters[side] = clusters[route.clusters[side]].get();
  const std::optional<route::MirrorPolicy>& mirrored = route.policy.mirror;
  if (!mirrored) return runtime;
  mirror::Share share;
  share.rate = mirrored->rate / static_cast<double>(part.count);
  share.concurrency = part.of(mirrored->concurrency);
  share.buffer = share_of(mirrored->buffer, part);
  const bool was_mirrored = before != nullptr && before->mirror != nullptr;
  runtime.mirror = std::make_unique<mirror::Mirror>(reactor, *mirrored, *route.live, runtime.clusters[Side::New]->mirror_pool,
                                                    runtime.counters->mirror, share,
                                                    was_mirrored ? before->mirror->sequence() : anywhere());
  return runtime;
}

bool Generation::is_trusted(const net::Address& peer) const noexcept {
  return std::any_of(setup.trusted.begin(), setup.trusted.end(),
                     [&](const net::AddressRange& range) { return range.contains(peer); });
}

ClusterRuntime* Generation::cluster_named(std::string_view name) const noexcept {
  const auto found = std::find_if(clusters.begin(), clusters.end(), [&](const auto& one) { return one->policy.name == name; });
  return found == clusters.end() ? nullptr : found->get();
}

void Generation::stop_checks(const Generation& next) {
  for (const auto& cluster : clusters) {
    const bool stays = std::find(next.clusters.begin(), next.clusters.end(), cluster) != next.clusters.end();
    if (!stays && cluster->prober) cluster->prober->stop();
  }
}

void Generation::drop_copies(observe::MirrorDrop why) {
  for (const RouteRuntime& route : routes) {
    if (route.mirror != nullptr) route.mirror->drop_all(why);
  }
}

bool Generation::close_down() {
  if (exchanges != 0) return false;
  for (const RouteRuntime& route : routes) {
    if (route.mirror != nullptr && !route.mirror->is_idle()) return false;
  }
  bool closed = true;
  for (const auto& cluster : clusters) {
    if (cluster.use_count() == 1) closed = cluster->close_down() && closed;
  }
  return closed;
}

}  // namespace tidegate::forward
