#include "app.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <fstream>
#include <future>
#include <stdexcept>
#include <thread>
#include <utility>

#include "admin/server.h"
#include "base/duration_text.h"
#include "check/runner.h"
#include "control/certificates.h"
#include "control/engine.h"
#include "facts.h"
#include "forward/client_limit.h"
#include "forward/worker.h"
#include "net/address.h"
#include "net/listener.h"
#include "net/unix_socket.h"
#include "notify/notifier.h"
#include "observe/access_log.h"
#include "observe/log.h"
#include "observe/metrics.h"
#include "route/snapshot.h"
#include "store/sqlite_store.h"
#include "store/writer.h"
#include "upstream/resolver.h"

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

Duration of_seconds(double s) { return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s)); }

/// What the gate says when it says something else than before; what it does is said as a decision.
void say_ruling(const std::string& route, const gate::Ruling& ruling, const std::string& sentence) {
  const std::string line = "route " + route + ": the gate says " + std::string(gate::name(gate::verdict(ruling))) + " (" +
                           std::string(gate::name(ruling.reason)) + "): " + sentence;
  switch (ruling.reason) {
    case gate::Reason::Attribution:
    case gate::Reason::SharedDegradation:
    case gate::Reason::WorseThanOld: return observe::log_warn(line);
    default: return observe::log_info(line);
  }
}

/// A descriptor for each worker: of a socket of its own for the same address, whose port, if it is 0, the first chooses; or
/// of the one socket that a unix-domain address can have.
struct OpenedListener {
  std::vector<int> descriptors;
  std::string address;
  net::Sharing sharing = net::Sharing::Each;
  std::optional<net::Address> file;  ///< of a unix-domain socket, which is ours to remove
};

/// Sockets that somebody else has opened, each for one listener.
class HandedOver {
 public:
  explicit HandedOver(std::vector<int> sockets) : sockets_(std::move(sockets)) {}
  HandedOver(const HandedOver&) = delete;
  HandedOver& operator=(const HandedOver&) = delete;
  ~HandedOver() {
    for (const int descriptor : sockets_) ::close(descriptor);
  }

  /// The one that listens on the address; -1: none does.
  int take(const net::Address& wanted) {
    for (std::size_t i = 0; i < sockets_.size(); ++i) {
      if (address_of(sockets_[i]) != wanted) continue;
      const int found = sockets_[i];
      sockets_.erase(sockets_.begin() + static_cast<std::ptrdiff_t>(i));
      return found;
    }
    return -1;
  }
  /// What is left over is a mistake of whoever handed it over.
  void refuse_rest() const {
    if (sockets_.empty()) return;
    throw std::runtime_error("a socket was handed over for " + net::text(address_of(sockets_.front())) +
                             ", and no listener has that address");
  }

 private:
  static net::Address address_of(int descriptor) {
    net::Address address;
    address.length = sizeof address.storage;
    ::getsockname(descriptor, address.get(), &address.length);
    return address;
  }
  std::vector<int> sockets_;
};

OpenedListener share_among(int descriptor, const net::Address& address, std::size_t workers) {
  OpenedListener opened;
  opened.address = net::text(address);
  opened.sharing = net::Sharing::One;
  opened.descriptors.push_back(descriptor);
  while (opened.descriptors.size() < workers) {
    opened.descriptors.push_back(net::Listener::duplicate(opened.descriptors.front()));
  }
  return opened;
}

OpenedListener open_unix_listener(const net::Address& address, std::optional<mode_t> mode, std::size_t workers) {
  OpenedListener opened = share_among(net::listen_unix(address, mode), address, workers);
  opened.file = address;
  return opened;
}

OpenedListener open_listener(const config::Listener& from, std::size_t workers, HandedOver& handed_over) {
  const config::SocketAddress& wanted = from.address;
  OpenedListener opened;
  std::optional<net::Address> address = net::make_address(wanted.host, wanted.port);
  if (!address) throw std::runtime_error("not an address: " + wanted.host);
  if (const int descriptor = handed_over.take(*address); descriptor >= 0) return share_among(descriptor, *address, workers);
  if (net::is_unix(*address)) return open_unix_listener(*address, from.mode, workers);
  if (wanted.port != 0) net::Listener::check_free(*address);
  for (std::size_t i = 0; i < workers; ++i) {
    opened.descriptors.push_back(net::Listener::open(*address));
    if (i > 0) continue;
    ::getsockname(opened.descriptors.front(), address->get(), &address->length);
    opened.address = net::text(*address);
  }
  return opened;
}

/// The first line of the token file, without surrounding blanks.
std::string read_token(const std::string& path) {
  if (path.empty()) return {};
  std::ifstream file(path);
  std::string token;
  if (!file || !std::getline(file, token)) throw std::runtime_error("cannot read the token file " + path);
  const std::size_t begin = token.find_first_not_of(" \t\r");
  const std::size_t end = token.find_last_not_of(" \t\r");
  if (begin == std::string::npos) throw std::runtime_error("the token file " + path + " begins with an empty line");
  return token.substr(begin, end - begin + 1);
}

}  // namespace

struct App::Parts {
  Parts(config::Config from, Events to, std::vector<int> sockets)
      : config(std::move(from)), events(std::move(to)), handed_over(std::move(sockets)), snapshot(make_snapshot(config)) {}

  config::Config config;
  Events events;
  HandedOver handed_over;
  route::Snapshot snapshot;
  std::unique_ptr<store::SqliteStore> store;
  std::unique_ptr<store::Writer> writer;
  std::unique_ptr<control::Certificates> certificates;
  std::unique_ptr<observe::AccessLog> access_log;
  std::unique_ptr<observe::Metrics> metrics;
  std::vector<double> latency_bounds;
  std::vector<std::unique_ptr<observe::WorkerCounters>> counters;           // by worker
  std::vector<std::vector<std::unique_ptr<gate::Ledger>>> ledgers;          // by worker, by route
  std::vector<std::deque<observe::FailureSamples>> samples;                 // by worker, by route
  std::vector<std::unique_ptr<forward::ClientLimit>> client_limits;         // by listener; none: no limit
  std::vector<std::unique_ptr<forward::Worker>> workers;
  struct SignOfLife {
    std::atomic<TimePoint> at{Clock::now()};
    std::atomic<bool> asked{false};
  };
  std::vector<std::shared_ptr<SignOfLife>> signs_of_life;                   // by worker
  std::unique_ptr<upstream::Resolver> resolver;
  std::unique_ptr<check::Runner> checks;
  std::unique_ptr<notify::Notifier> notifier;  // none without targets
  std::unique_ptr<control::Engine> engine;
  std::unique_ptr<admin::Server> admin_server;
  std::unique_ptr<admin::Server> metrics_server;
  std::vector<BoundAddress> listeners;
  std::vector<net::UnixSocketFile> socket_files;
  std::string admin_address;
  std::string metrics_address;
  std::atomic<bool> ready{false};

  void on_every_worker(const std::function<void(forward::Worker&)>& f);
  void open_store();
  void read_certificates();
  void make_counters();
  void make_workers();
  void make_metrics();
  void make_resolver();
  std::string place_of(std::size_t cluster, std::size_t endpoint, const net::Address& address) const;
  void tell_health(std::size_t cluster, std::size_t endpoint, const net::Address& address, bool healthy, const std::string& why);
  void tell_ejected(std::size_t cluster, std::size_t endpoint, const net::Address& address, Duration length);
  void make_admin();
  admin::Services services();
  void make_engine(store::State saved);
  std::int64_t sessions() const;
  void make_notifier();
  void decided(const store::Decision& made);
  std::uint64_t copies(std::size_t route) const;
  std::vector<observe::FailureSample> failures(std::size_t route, double seconds) const;
  check::Question question(const control::CheckQuestion& asked) const;
};

/// Each runs it on its own thread.
void App::Parts::on_every_worker(const std::function<void(forward::Worker&)>& f) {
  for (const auto& worker : workers) worker->post(f);
}

void App::Parts::open_store() {
  auto opened = store::SqliteStore::open(config.state.path);
  if (opened.has_error()) throw std::runtime_error(opened.error().message);
  store = std::move(opened.value());
}

void App::Parts::read_certificates() {
  control::Certificates::Events told;
  told.on_listener = [this](std::size_t listener, const std::shared_ptr<const net::TlsServerContext>& context) {
    on_every_worker([=](forward::Worker& w) { w.set_listener_tls(listener, context); });
  };
  told.on_cluster = [this](std::size_t cluster, const std::shared_ptr<const net::TlsClientContext>& context) {
    on_every_worker([=](forward::Worker& w) { w.set_cluster_tls(cluster, context); });
  };
  told.on_news = [](const std::string& line) { observe::log_info(line); };
  told.on_problem = [](const std::string& line) { observe::log_error(line); };
  certificates = std::make_unique<control::Certificates>(config, std::move(told));
}

void App::Parts::make_counters() {
  std::vector<double> overs;
  for (const config::Route& route : config.routes) {
    if (route.slow) overs.push_back(route.slow->over_s);
  }
  latency_bounds = observe::latency_bounds(overs);
  for (std::size_t i = 0; i < config.workers; ++i) {
    counters.push_back(
        std::make_unique<observe::WorkerCounters>(config.routes.size(), config.clusters.size(), latency_bounds,
                                                  config.listeners.size()));
  }
  if (config.log.access.path == "off") return;
  observe::AccessLog::Setup setup;
  setup.path = config.log.access.path;
  setup.sample = config.log.access.sample;
  for (const auto& of_worker : counters) setup.dropped.push_back(&of_worker->access_log_dropped);
  setup.on_error = [](std::string_view what) { observe::log_error(what); };
  access_log = std::make_unique<observe::AccessLog>(std::move(setup));
}

void App::Parts::make_workers() {
  const std::size_t count = config.workers;
  std::vector<OpenedListener> opened;
  for (const config::Listener& from : config.listeners) {
    opened.push_back(open_listener(from, count, handed_over));
    if (opened.back().file) socket_files.emplace_back(*opened.back().file);
    listeners.push_back({from.name, opened.back().address});
    const std::uint32_t most = from.connections_per_client;
    client_limits.push_back(most > 0 ? std::make_unique<forward::ClientLimit>(most) : nullptr);
  }
  handed_over.refuse_rest();
  std::vector<net::AddressRange> trusted;
  for (const config::AddressRange& range : config.trusted_proxies) {
    if (range.address == config::kUnixSockets) trusted.push_back(net::AddressRange::unix_sockets());
    if (const auto made = net::AddressRange::make(range.address, range.prefix)) trusted.push_back(*made);
  }
  for (std::size_t i = 0; i < count; ++i) {
    forward::WorkerSetup setup;
    setup.index = i;
    setup.count = count;
    setup.snapshot = &snapshot;
    setup.clusters = &config.clusters;
    setup.counters = counters[i].get();
    if (access_log) setup.access_log = access_log->sink(i);
    setup.trusted = trusted;
    ledgers.emplace_back();
    samples.emplace_back(config.routes.size());
    for (observe::FailureSamples& of_route : samples.back()) setup.samples.push_back(&of_route);
    for (const config::Route& route : config.routes) {
      setup.errors.push_back(route.errors);
      setup.slow_over.push_back(route.slow ? of_seconds(route.slow->over_s) : Duration::zero());
      ledgers.back().push_back(std::make_unique<gate::Ledger>());
      setup.ledgers.push_back(ledgers.back().back().get());
    }
    for (std::size_t l = 0; l < config.listeners.size(); ++l) {
      setup.listeners.push_back({config.listeners[l].session, config.listeners[l].connections, opened[l].descriptors[i],
                                 opened[l].sharing,
                                 certificates->listener(l), config.listeners[l].tls_handshakes});
      setup.listeners.back().policy.clients = client_limits[l].get();
    }
    setup.address_news.on_health = [this](std::size_t cluster, std::size_t endpoint, const net::Address& address, bool healthy,
                                          const std::string& why) { tell_health(cluster, endpoint, address, healthy, why); };
    setup.address_news.on_ejected = [this](std::size_t cluster, std::size_t endpoint, const net::Address& address, Duration length) {
      tell_ejected(cluster, endpoint, address, length);
    };
    for (std::size_t c = 0; c < config.clusters.size(); ++c) setup.cluster_tls.push_back(certificates->cluster(c));
    workers.push_back(std::make_unique<forward::Worker>(std::move(setup)));
    signs_of_life.push_back(std::make_shared<SignOfLife>());
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
  checks = std::make_unique<check::Runner>();
  engine = std::make_unique<control::Engine>(
      control::EngineSetup{config, snapshot, std::move(by_route), *writer, std::move(saved),
                           [this](const store::Decision& made) { decided(made); }, on_error,
                           [](const std::string& notice) { observe::log_warn(notice); }, say_ruling,
                           [this](const control::CheckQuestion& asked, std::function<void(const check::Answer&)> answered) {
                             checks->ask(question(asked), std::move(answered));
                           },
                           [this](std::size_t route, double seconds) { return failures(route, seconds); },
                           [this](std::size_t route) { return copies(route); }});
}

void App::Parts::make_metrics() {
  observe::Metrics::Setup setup;
  for (const config::Route& route : config.routes) {
    setup.routes.push_back({route.policy.name, route.policy.clusters, route.policy.mirror.has_value()});
  }
  for (const upstream::ClusterPolicy& cluster : config.clusters) {
    setup.clusters.push_back(cluster.name);
    setup.cluster_tls.push_back(cluster.tls.has_value());
  }
  for (const config::Listener& listener : config.listeners) setup.listeners.push_back({listener.name, listener.tls.has_value()});
  for (const auto& of_worker : counters) setup.workers.push_back(of_worker.get());
  setup.version = TIDEGATE_VERSION;
  setup.started_ms = wall_clock_ms();
  metrics = std::make_unique<observe::Metrics>(std::move(setup));
}

std::string App::Parts::place_of(std::size_t cluster, std::size_t endpoint, const net::Address& address) const {
  const upstream::ClusterPolicy& of = config.clusters[cluster];
  const std::string where = net::text(address);
  const std::string& written = of.endpoints[endpoint].text;
  return "cluster " + of.name + ": " + (written == where ? where : written + " (" + where + ")");
}

/// A worker's thread.
void App::Parts::tell_health(std::size_t cluster, std::size_t endpoint, const net::Address& address, bool healthy,
                             const std::string& why) {
  const std::string place = place_of(cluster, endpoint, address);
  if (healthy) {
    observe::log_info(place + " is healthy again");
  } else {
    observe::log_warn(place + " is unhealthy: " + why);
  }
  on_every_worker([=](forward::Worker& w) { w.set_health(cluster, endpoint, address, healthy); });
}

/// A worker's thread: the others need not find out for themselves.
void App::Parts::tell_ejected(std::size_t cluster, std::size_t endpoint, const net::Address& address, Duration length) {
  observe::log_warn(place_of(cluster, endpoint, address) + " is left out for " + duration_text(length) + ": " +
                    std::to_string(config.clusters[cluster].outlier->consecutive_errors) + " failures in a row");
  on_every_worker([=](forward::Worker& w) { w.eject(cluster, endpoint, address, length); });
}

void App::Parts::make_resolver() {
  const auto found = [this](std::size_t cluster, std::size_t endpoint, const std::vector<net::Address>& addresses) {
    on_every_worker([=](forward::Worker& w) { w.set_addresses(cluster, endpoint, addresses); });
  };
  const auto news = [](const std::string& line) { observe::log_info(line); };
  const auto problem = [](const std::string& line) { observe::log_warn(line); };
  resolver = std::make_unique<upstream::Resolver>(config.clusters, config.dns, upstream::Resolver::Events{found, news, problem});
}

admin::Services App::Parts::services() {
  const auto text = [this](const control::Status& status) {
    observe::LiveFacts facts = live_facts(status, access_log ? access_log->lost() : 0);
    if (notifier) add_targets(facts, notifier->stats());
    add_certificates(facts, certificates->facts());
    add_resolutions(facts, config.clusters, resolver->counts());
    return metrics->text(facts);
  };
  return {*engine,
          *store,
          config,
          text,
          [this] { return ready.load(); },
          [this] { if (events.on_drain) events.on_drain(); },
          [this] { return route_traffic(*metrics, config); },
          [this] { return notifier ? notifier->stats() : std::vector<notify::TargetStats>(); },
          TIDEGATE_VERSION,
          wall_clock_ms()};
}

void App::Parts::make_admin() {
  const std::string token = read_token(config.admin.token_file);
  admin_server = std::make_unique<admin::Server>(
      admin::Setup{config.admin.address.host, config.admin.address.port, token, false, services(), {}});
  admin_server->start();
  admin_address = admin_server->address();
  if (!config.metrics) return;
  metrics_server =
      std::make_unique<admin::Server>(admin::Setup{config.metrics->host, config.metrics->port, {}, true, services(), {}});
  metrics_server->start();
  metrics_address = metrics_server->address();
}

void App::Parts::make_notifier() {
  if (config.notify.empty()) return;
  auto quiet_until = std::make_shared<TimePoint>();
  const auto failed = [quiet_until](const notify::Failure& failure) {
    const TimePoint now = Clock::now();
    if (now < *quiet_until && !failure.given_up) return;
    *quiet_until = now + std::chrono::minutes(1);
    observe::log_warn("a notification to " + failure.origin + " failed: " + failure.why +
                      (failure.given_up ? "; given up" : "; it is tried again"));
  };
  notifier = std::make_unique<notify::Notifier>(config.notify, failed);
}

/// Control thread.
void App::Parts::decided(const store::Decision& made) {
  if (events.on_decision) events.on_decision(made);
  if (!notifier) return;
  if (const std::optional<notify::Message> message = notification(made)) notifier->tell(*message);
}

/// Where a check goes: the endpoints of the side that the route has, with the Host that its clients send.
check::Question App::Parts::question(const control::CheckQuestion& asked) const {
  check::Question out;
  out.policy = std::make_shared<const check::CheckPolicy>(asked.policy);
  out.payload = {asked.route.policy.name, "tidegate", asked.phase, asked.checksum, asked.metadata};
  const auto* const http = std::get_if<check::HttpCheck>(&asked.policy.what);
  if (http == nullptr) return out;
  for (const upstream::ClusterPolicy& cluster : config.clusters) {
    if (cluster.name != asked.route.policy.clusters[http->side]) continue;
    for (const upstream::EndpointAddress& endpoint : cluster.endpoints) out.endpoints.emplace_back(endpoint.host, endpoint.port);
    out.host = cluster.host.value_or("");
  }
  if (!http->host.empty()) out.host = http->host;
  for (const std::string& host : asked.route.policy.match.hosts) {
    if (out.host.empty() && host.find('*') == std::string::npos) out.host = host;
  }
  return out;
}

std::vector<observe::FailureSample> App::Parts::failures(std::size_t route, double seconds) const {
  std::vector<observe::FailureSample> out;
  const TimePoint since = Clock::now() - of_seconds(seconds);
  for (const auto& of_worker : samples) {
    for (observe::FailureSample& one : of_worker[route].since(since)) out.push_back(std::move(one));
  }
  return out;
}

/// What the mirror of a route has sent, all workers together.
std::uint64_t App::Parts::copies(std::size_t route) const {
  std::uint64_t sum = 0;
  for (const auto& of_worker : counters) sum += of_worker->routes[route].mirror.mirrored.read();
  return sum;
}

std::int64_t App::Parts::sessions() const {
  std::int64_t open = 0;
  for (const auto& worker : workers) open += worker->sessions();
  return open;
}

App::App(config::Config config, Events events, std::vector<int> sockets)
    : parts_(std::make_unique<Parts>(std::move(config), std::move(events), std::move(sockets))) {}

App::~App() {
  Parts& p = *parts_;
  if (p.admin_server) p.admin_server->stop();
  if (p.metrics_server) p.metrics_server->stop();
  if (p.resolver) p.resolver->stop();
  if (p.certificates) p.certificates->stop();
  for (const auto& worker : p.workers) worker->stop();
  for (const auto& worker : p.workers) worker->join();
  if (p.checks) p.checks->stop();  // before the engine: an answer is posted to it
  if (p.engine) p.engine->stop();
  if (p.notifier) p.notifier->stop();  // after the engine: its last decision is told, too
  p.writer.reset();
  p.workers.clear();
  p.access_log.reset();
}

void App::start() {
  Parts& p = *parts_;
  p.open_store();
  auto saved = p.store->load();
  if (saved.has_error()) throw std::runtime_error(saved.error().message);
  p.writer = std::make_unique<store::Writer>(*p.store);
  p.read_certificates();
  p.make_counters();
  p.make_workers();
  p.make_metrics();
  p.make_notifier();
  p.make_engine(std::move(saved.value()));
  p.make_resolver();
  p.make_admin();
  p.engine->start();
  p.resolver->start();
  p.certificates->start();
  for (const auto& worker : p.workers) worker->start();
  p.ready = true;
}

std::vector<std::size_t> App::stuck_workers(Duration longest) {
  Parts& p = *parts_;
  std::vector<std::size_t> stuck;
  const TimePoint now = Clock::now();
  for (std::size_t i = 0; i < p.workers.size(); ++i) {
    const std::shared_ptr<Parts::SignOfLife>& sign = p.signs_of_life[i];
    if (now - sign->at.load() > longest) stuck.push_back(i);
    if (sign->asked.exchange(true)) continue;
    p.workers[i]->post([sign](forward::Worker&) {
      sign->at.store(Clock::now());
      sign->asked.store(false);
    });
  }
  return stuck;
}

void App::drain_and_stop(const std::function<bool()>& hurry) {
  constexpr auto kLook = std::chrono::milliseconds(20);
  constexpr Duration kIdleGrace = std::chrono::seconds(1);  // a request that is on its way on a kept connection is answered
  Parts& p = *parts_;
  bool hurried = false;
  const auto wait = [&](Duration most, bool for_sessions) {
    const TimePoint end = Clock::now() + most;
    while (Clock::now() < end && !(for_sessions && p.sessions() == 0)) {
      hurried = hurried || hurry();
      if (hurried) return;
      std::this_thread::sleep_for(kLook);
    }
  };
  p.ready = false;
  for (const auto& worker : p.workers) worker->announce_close();
  wait(p.config.drain.delay, false);
  for (net::UnixSocketFile& file : p.socket_files) file.remove();  // first: who comes now must not wait in a backlog
  for (const auto& worker : p.workers) worker->stop_accepting();
  wait(std::min(kIdleGrace, p.config.drain.timeout), true);
  for (const auto& worker : p.workers) worker->close_idle();
  wait(p.config.drain.timeout, true);
  for (const auto& worker : p.workers) worker->stop();
  for (const auto& worker : p.workers) worker->join();
}

void App::reread_certificates() { parts_->certificates->reread(); }

void App::reopen_logs() {
  if (parts_->access_log) parts_->access_log->reopen();
}

std::vector<std::string> App::summary() const {
  const Parts& p = *parts_;
  std::promise<control::Status> answer;
  p.engine->status([&answer](control::Status now) { answer.set_value(std::move(now)); });
  std::vector<std::string> lines{"tidegate " TIDEGATE_VERSION ", " + std::to_string(p.config.workers) +
                                 " workers, state in " + p.config.state.path};
  for (const control::RouteStatus& route : answer.get_future().get().routes) {
    std::string line = "route " + route.name + ": weight " + route.wanted.text() + " %";
    if (route.wanted != route.file_weight) line += " (the file says " + route.file_weight.text() + " %)";
    if (route.latched) line += ", latched: " + route.latch_reason;
    lines.push_back(std::move(line));
  }
  return lines;
}

const std::vector<BoundAddress>& App::listeners() const noexcept { return parts_->listeners; }
const std::string& App::admin_address() const noexcept { return parts_->admin_address; }
const std::string& App::metrics_address() const noexcept { return parts_->metrics_address; }

}  // namespace tidegate
