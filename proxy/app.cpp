#include "app.h"

#include <thread>
#include <utility>

#include "control/engine.h"
#include "forward/worker.h"
#include "net/address.h"
#include "net/listener.h"
#include "observe/log.h"
#include "route/snapshot.h"
#include "store/sqlite_store.h"
#include "store/writer.h"
#include "upstream/resolver.h"

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>

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

/// One socket a worker for the same address; a port of 0 is chosen by the first.
struct OpenedListener {
  std::vector<int> descriptors;
  std::string address;
};

OpenedListener open_listener(const config::SocketAddress& wanted, std::size_t workers) {
  OpenedListener opened;
  std::optional<net::Address> address = net::make_address(wanted.host, wanted.port);
  if (!address) throw std::runtime_error("not an address: " + wanted.host);
  for (std::size_t i = 0; i < workers; ++i) {
    opened.descriptors.push_back(net::Listener::open(*address));
    if (i > 0) continue;
    ::getsockname(opened.descriptors.front(), address->get(), &address->length);
    opened.address = net::text(*address);
  }
  return opened;
}

}  // namespace

struct App::Parts {
  Parts(config::Config from, Events to) : config(std::move(from)), events(std::move(to)), snapshot(make_snapshot(config)) {}

  config::Config config;
  Events events;
  route::Snapshot snapshot;
  std::unique_ptr<store::SqliteStore> store;
  std::unique_ptr<store::Writer> writer;
  std::vector<std::unique_ptr<observe::WorkerCounters>> counters;           // by worker
  std::vector<std::vector<std::unique_ptr<gate::Ledger>>> ledgers;          // by worker, by route
  std::vector<std::unique_ptr<forward::Worker>> workers;
  std::unique_ptr<upstream::Resolver> resolver;
  std::unique_ptr<control::Engine> engine;
  std::vector<BoundAddress> listeners;
  std::string admin_address;
  std::string metrics_address;
  std::atomic<bool> ready{false};

  void open_store();
  void make_workers();
  void make_engine(store::State saved);
  std::int64_t sessions() const;
};

void App::Parts::open_store() {
  auto opened = store::SqliteStore::open(config.state.path);
  if (opened.has_error()) throw std::runtime_error(opened.error().message);
  store = std::move(opened.value());
}

void App::Parts::make_workers() {
  const std::size_t count = config.workers;
  std::vector<OpenedListener> opened;
  for (const config::Listener& from : config.listeners) {
    opened.push_back(open_listener(from.address, count));
    listeners.push_back({from.name, opened.back().address});
  }
  std::vector<net::AddressRange> trusted;
  for (const config::AddressRange& range : config.trusted_proxies) {
    if (const auto made = net::AddressRange::make(range.address, range.prefix)) trusted.push_back(*made);
  }
  for (std::size_t i = 0; i < count; ++i) {
    counters.push_back(std::make_unique<observe::WorkerCounters>(config.routes.size(), config.clusters.size()));
    forward::WorkerSetup setup;
    setup.index = i;
    setup.count = count;
    setup.snapshot = &snapshot;
    setup.clusters = &config.clusters;
    setup.counters = counters.back().get();
    setup.trusted = trusted;
    ledgers.emplace_back();
    for (const config::Route& route : config.routes) {
      setup.errors.push_back(route.errors);
      ledgers.back().push_back(std::make_unique<gate::Ledger>());
      setup.ledgers.push_back(ledgers.back().back().get());
    }
    for (std::size_t l = 0; l < config.listeners.size(); ++l) {
      const auto total = config.listeners[l].connections;
      const auto share = static_cast<std::uint32_t>(total / count + (i < total % count ? 1 : 0));
      setup.listeners.push_back({config.listeners[l].session, share, opened[l].descriptors[i]});
    }
    workers.push_back(std::make_unique<forward::Worker>(std::move(setup)));
  }
}

void App::Parts::make_engine(store::State saved) {
  std::vector<std::vector<const gate::Ledger*>> by_route(config.routes.size());
  for (const auto& of_worker : ledgers) {
    for (std::size_t r = 0; r < of_worker.size(); ++r) by_route[r].push_back(of_worker[r].get());
  }
  const auto on_error = [](const std::string& message) {
    observe::log_error("decisions are not durable: " + message);
  };
  engine = std::make_unique<control::Engine>(
      control::EngineSetup{config, snapshot, std::move(by_route), *writer, std::move(saved), events.on_decision, on_error});
}

std::int64_t App::Parts::sessions() const {
  std::int64_t open = 0;
  for (const auto& worker : workers) open += worker->sessions();
  return open;
}

App::App(config::Config config, Events events) : parts_(std::make_unique<Parts>(std::move(config), std::move(events))) {}

App::~App() {
  Parts& p = *parts_;
  if (p.resolver) p.resolver->stop();
  for (const auto& worker : p.workers) worker->stop();
  for (const auto& worker : p.workers) worker->join();
  if (p.engine) p.engine->stop();
  p.writer.reset();
}

void App::start() {
  Parts& p = *parts_;
  p.open_store();
  auto saved = p.store->load();
  if (saved.has_error()) throw std::runtime_error(saved.error().message);
  p.writer = std::make_unique<store::Writer>(*p.store);
  p.make_workers();
  p.make_engine(std::move(saved.value()));
  p.resolver = std::make_unique<upstream::Resolver>(
      p.config.clusters,
      [&p](std::size_t cluster, std::size_t endpoint, const std::vector<net::Address>& addresses) {
        for (const auto& worker : p.workers) {
          worker->post([=](forward::Worker& w) { w.set_addresses(cluster, endpoint, addresses); });
        }
      },
      [](const upstream::EndpointAddress& endpoint, const std::string& why) {
        observe::log_warn("cannot resolve " + endpoint.text + ": " + why + "; the last good answer stays in use");
      });
  p.resolver->start();
  p.engine->start();
  for (const auto& worker : p.workers) worker->start();
  p.ready = true;
}

void App::drain_and_stop(const std::function<bool()>& hurry) {
  Parts& p = *parts_;
  constexpr auto kLook = std::chrono::milliseconds(20);
  p.ready = false;
  const TimePoint accept_until = Clock::now() + p.config.drain.delay;
  while (Clock::now() < accept_until && !hurry()) std::this_thread::sleep_for(kLook);
  for (const auto& worker : p.workers) worker->drain();
  const TimePoint end = Clock::now() + p.config.drain.timeout;
  while (p.sessions() > 0 && Clock::now() < end && !hurry()) std::this_thread::sleep_for(kLook);
  for (const auto& worker : p.workers) worker->stop();
  for (const auto& worker : p.workers) worker->join();
}

const std::vector<BoundAddress>& App::listeners() const noexcept { return parts_->listeners; }
const std::string& App::admin_address() const noexcept { return parts_->admin_address; }
const std::string& App::metrics_address() const noexcept { return parts_->metrics_address; }

}  // namespace tidegate
