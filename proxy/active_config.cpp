#include "active_config.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace tidegate {

namespace {

route::Snapshot make_snapshot(const config::Config& config) {
  const auto cluster_index = [&](const std::string& wanted) {
    for (std::size_t i = 0; i < config.clusters.size(); ++i) {
      if (config.clusters[i].name == wanted) return i;
    }
    throw std::logic_error("cluster " + wanted + " was not checked");
  };
  std::vector<route::Route> routes;
  for (const config::Route& from : config.routes) {
    route::Route route;
    route.policy = from.policy;
    route.index = routes.size();
    for (const Side side : {Side::Old, Side::New}) route.clusters[side] = cluster_index(from.policy.clusters[side]);
    routes.push_back(std::move(route));
  }
  return route::Snapshot(std::move(routes));
}

const std::string& name_of(const config::Route& one) noexcept { return one.policy.name; }
template <class T>
const std::string& name_of(const T& one) noexcept {
  return one.name;
}

/// Where the same name is in `among`, or among.size().
template <class T>
std::size_t place_of(const T& one, const std::vector<T>& among) noexcept {
  const auto found = std::find_if(among.begin(), among.end(), [&](const T& other) { return name_of(other) == name_of(one); });
  return static_cast<std::size_t>(found - among.begin());
}

std::vector<net::AddressRange> ranges(const std::vector<config::AddressRange>& from) {
  std::vector<net::AddressRange> out;
  for (const config::AddressRange& range : from) {
    if (range.address == config::kUnixSockets) out.push_back(net::AddressRange::unix_sockets());
    if (const auto made = net::AddressRange::make(range.address, range.prefix)) out.push_back(*made);
  }
  return out;
}

Duration of_seconds(double s) { return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s)); }

}  // namespace

std::vector<double> latency_bounds_of(const config::Config& config) {
  std::vector<double> overs;
  for (const config::Route& route : config.routes) {
    if (route.slow) overs.push_back(route.slow->over_s);
  }
  return observe::latency_bounds(overs);
}

ActiveConfig::ActiveConfig(config::Config from, const ActiveConfig* before,
                           const std::vector<const observe::WorkerCounters*>& workers, std::int64_t started_ms)
    : number(before == nullptr ? 1 : before->number + 1),
      config(std::move(from)),
      snapshot(make_snapshot(config)),
      bounds_(std::make_shared<const std::vector<double>>(latency_bounds_of(config))),
      trusted_(ranges(config.trusted_proxies)) {
  for (const config::Listener& listener : config.listeners) {
    const auto place = before == nullptr ? std::nullopt : carried(listener, before->config);
    client_limits.push_back(place ? before->client_limits[*place]
                                  : std::make_shared<forward::ClientLimit>(listener.connections_per_client));
  }
  for (const upstream::ClusterPolicy& cluster : config.clusters) {
    const std::size_t place = before == nullptr ? 0 : place_of(cluster, before->config.clusters);
    const bool stays = before != nullptr && place < before->config.clusters.size() && before->config.clusters[place] == cluster;
    clusters_since_.push_back(stays ? before->clusters_since_[place] : number);
  }
  workers_.reserve(workers.size());
  for (std::size_t i = 0; i < workers.size(); ++i) add_worker(before == nullptr ? nullptr : &before->workers_[i], before);
  addresses.found.resize(config.clusters.size());
  for (std::size_t c = 0; c < config.clusters.size(); ++c) addresses.found[c].resize(config.clusters[c].endpoints.size());

  observe::Metrics::Setup setup;
  for (const config::Route& route : config.routes) {
    setup.routes.push_back({route.policy.name, route.policy.clusters, route.policy.mirror.has_value()});
  }
  for (const upstream::ClusterPolicy& cluster : config.clusters) {
    setup.clusters.push_back(cluster.name);
    setup.cluster_tls.push_back(cluster.tls.has_value());
  }
  for (const config::Listener& listener : config.listeners) setup.listeners.push_back({listener.name, listener.tls.has_value()});
  setup.workers = workers;
  for (const OfWorker& worker : workers_) setup.configured.push_back(&worker.counters);
  setup.version = TIDEGATE_VERSION;
  setup.started_ms = started_ms;
  metrics_ = std::make_unique<observe::Metrics>(std::move(setup));
}

void ActiveConfig::add_worker(const OfWorker* before, const ActiveConfig* old) {
  OfWorker& worker = workers_.emplace_back();
  for (const config::Route& route : config.routes) {
    const std::size_t place = old == nullptr ? 0 : place_of(route, old->config.routes);
    const bool known = old != nullptr && place < old->config.routes.size();
    worker.counters.routes.add(known ? before->counters.routes.share(place) : observe::make_route_counters(bounds_));
    worker.ledgers.push_back(known ? before->ledgers[place] : std::make_shared<gate::Ledger>());
    worker.samples.push_back(known ? before->samples[place] : std::make_shared<observe::FailureSamples>());
  }
  for (const upstream::ClusterPolicy& cluster : config.clusters) {
    const std::size_t place = old == nullptr ? 0 : place_of(cluster, old->config.clusters);
    const bool known = old != nullptr && place < old->config.clusters.size();
    worker.counters.clusters.add(known ? before->counters.clusters.share(place) : std::make_shared<observe::ClusterCounters>());
  }
  for (const config::Listener& listener : config.listeners) {
    const std::size_t place = old == nullptr ? 0 : place_of(listener, old->config.listeners);
    const bool known = old != nullptr && place < old->config.listeners.size();
    worker.counters.listeners.add(known ? before->counters.listeners.share(place) : std::make_shared<observe::TlsCounters>());
  }
}

std::optional<std::size_t> ActiveConfig::carried(const config::Listener& listener, const config::Config& before) {
  for (std::size_t i = 0; i < before.listeners.size(); ++i) {
    const config::Listener& was = before.listeners[i];
    if (was.address != listener.address) continue;
    const bool any_port = listener.address.port == 0 && !listener.address.host.starts_with(net::kUnixPrefix);
    if (!any_port || was.name == listener.name) return i;
  }
  return std::nullopt;
}

forward::GenerationSetup ActiveConfig::generation(std::size_t worker) const {
  const OfWorker& of = workers_[worker];
  forward::GenerationSetup setup;
  setup.number = number;
  setup.snapshot = &snapshot;
  setup.clusters = &config.clusters;
  setup.clusters_since = clusters_since_;
  setup.counters = &of.counters;
  setup.trusted = trusted_;
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    const config::Route& route = config.routes[i];
    setup.errors.push_back(route.errors);
    setup.bounds.push_back(route.slow ? route.slow->over_s : 0.0);
    setup.slow_over.push_back(route.slow ? of_seconds(route.slow->over_s) : Duration::zero());
    setup.ledgers.push_back(of.ledgers[i].get());
    setup.samples.push_back(of.samples[i].get());
  }
  return setup;
}

std::vector<std::vector<const gate::Ledger*>> ActiveConfig::ledgers() const {
  std::vector<std::vector<const gate::Ledger*>> by_route(config.routes.size());
  for (const OfWorker& worker : workers_) {
    for (std::size_t r = 0; r < by_route.size(); ++r) by_route[r].push_back(worker.ledgers[r].get());
  }
  return by_route;
}

std::vector<observe::FailureSample> ActiveConfig::failures(std::size_t route, TimePoint since) const {
  std::vector<observe::FailureSample> out;
  for (const OfWorker& worker : workers_) {
    for (observe::FailureSample& one : worker.samples[route]->since(since)) out.push_back(std::move(one));
  }
  return out;
}

std::uint64_t ActiveConfig::copies(std::size_t route) const {
  std::uint64_t sum = 0;
  for (const OfWorker& worker : workers_) sum += worker.counters.routes[route].mirror.mirrored.read();
  return sum;
}

std::optional<std::uint64_t> ActiveConfig::cluster_since(const std::string& name) const noexcept {
  const upstream::ClusterPolicy* const of = cluster_named(name);
  if (of == nullptr) return std::nullopt;
  return clusters_since_[static_cast<std::size_t>(of - config.clusters.data())];
}

const upstream::ClusterPolicy* ActiveConfig::cluster_named(const std::string& name) const noexcept {
  const auto found = std::find_if(config.clusters.begin(), config.clusters.end(), [&](const auto& one) { return one.name == name; });
  return found == config.clusters.end() ? nullptr : &*found;
}

std::string ActiveConfig::place(const std::string& cluster, std::size_t endpoint, const net::Address& address) const {
  const std::string where = net::text(address);
  const upstream::ClusterPolicy* const of = cluster_named(cluster);
  if (of == nullptr || endpoint >= of->endpoints.size()) return "cluster " + cluster + ": " + where;
  const std::string& written = of->endpoints[endpoint].text;
  return "cluster " + cluster + ": " + (written == where ? where : written + " (" + where + ")");
}

// --- what is another

namespace {

template <class T>
void compare_named(std::vector<std::string>& out, const std::string& kind, const std::vector<T>& before, const std::vector<T>& now) {
  for (const T& one : now) {
    const std::size_t place = place_of(one, before);
    if (place == before.size()) {
      out.push_back(kind + " " + name_of(one) + ": added");
    } else if (!(before[place] == one)) {
      out.push_back(kind + " " + name_of(one) + ": changed");
    }
  }
  for (const T& one : before) {
    if (place_of(one, now) == now.size()) out.push_back(kind + " " + name_of(one) + ": removed");
  }
}

/// Of those that both have.
bool same_order(const std::vector<config::Route>& before, const std::vector<config::Route>& now) {
  std::size_t last = 0;
  for (const config::Route& one : now) {
    const std::size_t place = place_of(one, before);
    if (place == before.size()) continue;
    if (place < last) return false;
    last = place;
  }
  return true;
}

}  // namespace

std::vector<std::string> changes(const config::Config& before, const config::Config& now) {
  std::vector<std::string> out;
  compare_named(out, "listener", before.listeners, now.listeners);
  compare_named(out, "cluster", before.clusters, now.clusters);
  compare_named(out, "route", before.routes, now.routes);
  if (!same_order(before.routes, now.routes)) out.push_back("routes: in another order");
  compare_named(out, "check", before.checks, now.checks);
  if (before.trusted_proxies != now.trusted_proxies) out.push_back("trusted_proxies: changed");
  if (before.dns != now.dns) out.push_back("dns: changed");
  if (before.notify != now.notify) out.push_back("notify: changed");
  if (before.log.level != now.log.level) out.push_back("log.level: changed");
  if (before.memory != now.memory) out.push_back("memory: changed");
  if (before.drain != now.drain) out.push_back("drain: changed");
  return out;
}

std::vector<std::string> beyond_reload(const config::Config& before, const config::Config& now) {
  std::vector<std::string> out;
  if (before.workers != now.workers) out.push_back("workers");
  if (before.state != now.state) out.push_back("state");
  if (before.admin != now.admin) out.push_back("admin");
  if (before.metrics != now.metrics) out.push_back("metrics");
  if (before.log.access != now.log.access) out.push_back("log.access");
  return out;
}

}  // namespace tidegate
