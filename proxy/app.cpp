#include "app_parts.h"

#include <malloc.h>

#include <algorithm>
#include <future>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <utility>

#include "base/duration_text.h"
#include "base/memory_shares.h"
#include "config/token_file.h"
#include "facts.h"
#include "observe/log.h"

namespace tidegate {

namespace {

Duration of_seconds(double s) { return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s)); }

/// What the gate says when it says something else than before; what it does is said as a decision.
void say_ruling(const std::string& route, const gate::Ruling& ruling, const std::string& sentence) {
  const std::string line = "route " + route + ": the gate says " + std::string(gate::name(gate::verdict(ruling))) + ": " + sentence;
  switch (ruling.reason) {
    case gate::Reason::Attribution:
    case gate::Reason::SharedDegradation:
    case gate::Reason::WorseThanOld: return observe::log_warn(line);
    default: return observe::log_info(line);
  }
}

}  // namespace

App::Parts::Parts(config::Config from, Events to, std::vector<HandedSocket> sockets)
    : events(std::move(to)), handed_over(std::move(sockets)), started_ms(wall_clock_ms()), latency_bounds(latency_bounds_of(from)) {
  make_counters(from);
  current_.config = std::make_shared<const ActiveConfig>(std::move(from), nullptr, all_counters(), started_ms);
  posted.config = current_.config;
}

App::Parts::Current App::Parts::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

void App::Parts::replace(Current next) {
  const std::lock_guard lock(mutex_);
  std::swap(current_, next);
}

/// Each runs it on its own thread.
void App::Parts::on_every_worker(const std::function<void(forward::Worker&)>& f) {
  for (const auto& worker : workers) worker->post(f);
}

/// @param lock of the process that this one follows; -1: there is none.
void App::Parts::open_store(int lock) {
  const std::string path = config()->config.state.path;
  auto opened = lock >= 0 ? store::SqliteStore::take_over(path, lock) : store::SqliteStore::open(path);
  if (opened.has_error()) throw std::runtime_error(opened.error().message);
  store = std::move(opened.value());
}

/// What is found out for one configuration is not for another: its listeners and clusters have other places there.
std::shared_ptr<control::Certificates> App::Parts::read_certificates(const std::shared_ptr<const ActiveConfig>& config,
                                                                     const control::Certificates* before) {
  control::Certificates::Events told;
  told.on_listener = [this, of = config->number](std::size_t listener, const std::shared_ptr<const net::TlsServerContext>& context) {
    on_every_worker([=](forward::Worker& w) {
      if (w.serving().setup.number == of) w.set_listener_tls(listener, context);
    });
  };
  told.on_cluster = [this, of = config->number](std::size_t cluster, const std::shared_ptr<const net::TlsClientContext>& context) {
    on_every_worker([=](forward::Worker& w) {
      if (w.serving().setup.number == of) w.set_cluster_tls(cluster, context);
    });
  };
  told.on_admin = [this](std::shared_ptr<const net::TlsServerContext> context) { admin_server->set_tls(std::move(context)); };
  if (config::is_token_file_lasting(config->config.admin.token_file)) told.beside.push_back(config->config.admin.token_file);
  told.on_look = [this] { reread_tokens(); };
  told.on_news = [](const std::string& line) { observe::log_info(line); };
  told.on_problem = [](const std::string& line) { observe::log_error(line); };
  return std::make_shared<control::Certificates>(config->config, tickets, std::move(told), before);
}

std::shared_ptr<upstream::Resolver> App::Parts::make_resolver(const std::shared_ptr<const ActiveConfig>& config,
                                                              const upstream::Resolver* before) {
  const auto found = [this, config](std::size_t cluster, std::size_t endpoint, const std::vector<net::Address>& addresses) {
    const std::lock_guard lock(config->addresses.mutex);  // who changes over meanwhile has it, or is told of it
    config->addresses.found[cluster][endpoint] = addresses;
    keep_known(health, config->config.clusters[cluster].name, config->addresses.found[cluster]);
    on_every_worker([=, of = config->number](forward::Worker& w) {
      if (w.serving().setup.number == of) w.set_addresses(cluster, endpoint, addresses);
    });
  };
  const auto news = [](const std::string& line) { observe::log_info(line); };
  const auto problem = [](const std::string& line) { observe::log_warn(line); };
  return std::make_shared<upstream::Resolver>(config->config.clusters, config->config.dns,
                                              upstream::Resolver::Events{found, news, problem}, before);
}

std::shared_ptr<notify::Notifier> App::Parts::make_notifier(const config::Config& of) const {
  if (of.notify.empty()) return nullptr;
  auto quiet_until = std::make_shared<TimePoint>();
  const auto failed = [quiet_until](const notify::Failure& failure) {
    const TimePoint now = Clock::now();
    if (now < *quiet_until && !failure.given_up) return;
    *quiet_until = now + std::chrono::minutes(1);
    observe::log_warn("a notification to " + failure.origin + " failed: " + failure.why +
                      (failure.given_up ? "; given up" : "; it is tried again"));
  };
  return std::make_shared<notify::Notifier>(of.notify, failed);
}

std::vector<const observe::WorkerCounters*> App::Parts::all_counters() const {
  std::vector<const observe::WorkerCounters*> out;
  for (const auto& of_worker : counters) out.push_back(of_worker.get());
  return out;
}

void App::Parts::make_counters(const config::Config& of) {
  for (std::size_t i = 0; i < of.workers; ++i) counters.push_back(std::make_unique<observe::WorkerCounters>(latency_bounds));
}

void App::Parts::open_access_log(const config::AccessLog& of) {
  if (of.path == "off") return;
  observe::AccessLog::Setup setup;
  setup.path = of.path;
  setup.sample = of.sample;
  for (const auto& of_worker : counters) setup.dropped.push_back(&of_worker->access_log_dropped);
  setup.on_error = [](std::string_view what) { observe::log_error(what); };
  access_log = std::make_unique<observe::AccessLog>(std::move(setup));
}

// --- workers

/// Called on a worker's thread: the others need not find out for themselves.
forward::AddressNews App::Parts::address_news() {
  forward::AddressNews news;
  news.on_health = [this](const forward::ClusterAddress& of, bool healthy, const std::string& why) {
    const std::lock_guard lock(posted.mutex);
    if (posted.config->cluster_since(of.cluster) != of.since) return;  // the one that came after it asks for itself
    const std::string place = posted.config->place(of.cluster, of.endpoint, of.address);
    health.set_health(of.cluster, net::text(of.address), healthy, why, wall_clock_ms());
    if (healthy) {
      observe::log_info(place + " is healthy again");
    } else {
      observe::log_warn(place + " is unhealthy: " + why);
    }
    on_every_worker([=](forward::Worker& w) { w.set_health(of.cluster, of.endpoint, of.address, healthy); });
  };
  news.on_ejected = [this](const forward::ClusterAddress& of, Duration length) {
    const std::lock_guard lock(posted.mutex);
    if (posted.config->cluster_since(of.cluster) != of.since) return;
    const upstream::ClusterPolicy* const cluster = posted.config->cluster_named(of.cluster);
    const std::string why = cluster->outlier ? std::to_string(cluster->outlier->consecutive_errors) + " failures in a row" : std::string();
    health.eject(of.cluster, net::text(of.address), why, Clock::now(), length, wall_clock_ms());
    observe::log_warn(posted.config->place(of.cluster, of.endpoint, of.address) + " is left out for " + duration_text(length) +
                      (why.empty() ? "" : ": ") + why);
    on_every_worker([=](forward::Worker& w) { w.eject(of.cluster, of.endpoint, of.address, length); });
  };
  return news;
}

forward::GenerationSetup App::Parts::generation(const std::shared_ptr<const ActiveConfig>& config, std::size_t worker,
                                                const control::Certificates& certificates) const {
  forward::GenerationSetup setup = config->generation(worker);
  setup.keep = config;
  for (std::size_t c = 0; c < config->config.clusters.size(); ++c) setup.cluster_tls.push_back(certificates.cluster(c));
  return setup;
}

/// What is the same for every worker.
std::vector<forward::ListenerSetup> App::Parts::listener_setups(const ActiveConfig& config,
                                                                const control::Certificates& certificates) const {
  std::vector<forward::ListenerSetup> out;
  for (std::size_t i = 0; i < config.config.listeners.size(); ++i) {
    const config::Listener& from = config.config.listeners[i];
    forward::ListenerSetup& setup = out.emplace_back();
    setup.policy = from.session;
    setup.connections = from.connections;
    setup.tls = certificates.listener(i);
    setup.tls_handshakes = from.tls_handshakes;
    setup.clients = config.client_limits[i];
  }
  return out;
}

void App::Parts::make_workers(const Current& of) {
  const config::Config& from = of.config->config;
  std::vector<OpenedListener> opened;
  for (const config::Listener& listener : from.listeners) {
    opened.push_back(OpenedListener::open(listener, from.workers, handed_over));
    listeners.push_back({listener.name, opened.back().address});
    if (opened.back().file && opened.back().handed) handed_files.push_back(*opened.back().file);
    if (opened.back().file && !opened.back().handed) socket_files.emplace(opened.back().address, *opened.back().file);
  }
  handed_over.refuse_rest();
  for (std::size_t i = 0; i < from.workers; ++i) {
    forward::WorkerSetup setup;
    setup.index = i;
    setup.count = from.workers;
    setup.counters = counters[i].get();
    if (access_log) setup.access_log = access_log->sink(i);
    setup.address_news = address_news();
    setup.serving = generation(of.config, i, *of.certificates);
    setup.listeners = listener_setups(*of.config, *of.certificates);
    for (std::size_t l = 0; l < opened.size(); ++l) {
      setup.listeners[l].descriptors = opened[l].take(i);
      setup.listeners[l].sharing = opened[l].sharing;
    }
    workers.push_back(std::make_unique<forward::Worker>(std::move(setup)));
    signs_of_life.push_back(std::make_shared<SignOfLife>());
  }
}

// --- the engine

control::Reconfiguration App::Parts::reconfiguration(const std::shared_ptr<const ActiveConfig>& config) {
  return {config->config,
          config->snapshot,
          config->ledgers(),
          config,
          [this, config](const control::CheckQuestion& asked, std::function<void(const check::Answer&)> answered) {
            checks->ask(question(asked, config->config), std::move(answered));
          },
          [config](std::size_t route, double seconds) { return config->failures(route, Clock::now() - of_seconds(seconds)); },
          [config](std::size_t route) { return config->copies(route); }};
}

void App::Parts::make_engine(store::State saved) {
  const auto on_error = [](const std::string& message) { observe::log_error("decisions are not durable: " + message); };
  checks = std::make_unique<check::Runner>();
  control::Reconfiguration first = reconfiguration(config());
  engine = std::make_unique<control::Engine>(
      control::EngineSetup{first.config, first.snapshot, std::move(first.ledgers), *writer, std::move(saved),
                           [this](const store::Decision& made) { decided(made); }, on_error,
                           [](const std::string& notice) { observe::log_warn(notice); }, say_ruling, std::move(first.ask),
                           std::move(first.samples), std::move(first.copies), std::move(first.keep)});
}

/// Control thread.
void App::Parts::decided(const store::Decision& made) {
  if (events.on_decision) events.on_decision(made);
  const std::shared_ptr<notify::Notifier> notifier = current().notifier;
  if (notifier == nullptr) return;
  if (const std::optional<notify::Message> message = notification(made)) notifier->tell(*message);
}

/// Where a check goes: the endpoints of the side that the route has, with the Host that its clients send.
check::Question App::Parts::question(const control::CheckQuestion& asked, const config::Config& config) {
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

// --- the admin API

admin::Services App::Parts::services() {
  const auto text = [this](const control::Status& status) {
    const Current now = current();
    observe::LiveFacts facts = live_facts(status, access_log ? access_log->lost() : 0);
    facts.reloads = reloads;
    facts.failed_reloads = failed_reloads;
    facts.reloaded_ms = reloaded_ms;
    if (now.notifier) add_targets(facts, now.notifier->stats());
    add_certificates(facts, now.certificates->facts());
    add_resolutions(facts, now.config->config.clusters, now.resolver->counts());
    add_endpoints(facts, cluster_health(*now.config, health, Clock::now()));
    return now.config->metrics().text(facts);
  };
  admin::Services out{*engine, *store, text};
  out.config = [this] {
    const std::shared_ptr<const ActiveConfig> now = config();
    return std::shared_ptr<const config::Config>(now, &now->config);
  };
  out.ready = [this] { return ready.load(); };
  out.drain = [this] {
    if (events.on_drain) events.on_drain();
  };
  out.reload = [this](std::function<void(const admin::ReloadAnswer&)> answer) {
    if (!events.on_reload) return answer({{"this process does not reload"}, {}});
    events.on_reload([answer = std::move(answer)](const Reloaded& came) { answer({came.problems, came.changed}); });
  };
  out.traffic = [this] {
    const std::shared_ptr<const ActiveConfig> now = config();
    return route_traffic(now->metrics(), now->config);
  };
  out.clusters = [this] { return cluster_health(*config(), health, Clock::now()); };
  out.notifications = [this] {
    const std::shared_ptr<notify::Notifier> notifier = current().notifier;
    return notifier ? notifier->stats() : std::vector<notify::TargetStats>();
  };
  out.version = TIDEGATE_VERSION;
  out.started_at_ms = started_ms;
  return out;
}

// --- App

/// What was posted to the workers before now is done.
bool App::Parts::await_workers() {
  auto done = std::make_shared<Countdown>(workers.size());
  on_every_worker([done](forward::Worker&) { done->arrive(); });
  return done->wait(kWorkerPatience);
}

std::int64_t App::Parts::sessions() const {
  std::int64_t open = 0;
  for (const auto& worker : workers) open += worker->sessions();
  return open;
}

App::App(config::Config config, Events events, std::vector<HandedSocket> sockets)
    : parts_(std::make_unique<Parts>(std::move(config), std::move(events), std::move(sockets))) {}

App::~App() {
  Parts& p = *parts_;
  const Parts::Current now = p.current();
  if (p.admin_server) p.admin_server->stop();
  if (p.metrics_server) p.metrics_server->stop();
  if (now.resolver) now.resolver->stop();
  if (now.certificates) now.certificates->stop();
  for (const auto& worker : p.workers) worker->stop();
  for (const auto& worker : p.workers) worker->join();
  if (p.checks) p.checks->stop();  // before the engine: an answer is posted to it
  if (p.engine) p.engine->stop();
  if (now.notifier) now.notifier->stop();  // after the engine: its last decision is told, too
  p.writer.reset();
  p.workers.clear();
  p.access_log.reset();
}

/// Who follows another process opens the store when that one writes no more.
void App::start(const Before* before) {
  Parts& p = *parts_;
  if (before == nullptr) p.open_store(-1);
  Parts::Current now = p.current();
  now.certificates = p.read_certificates(now.config, nullptr);
  p.open_access_log(now.config->config.log.access);
  p.make_workers(now);
  now.notifier = p.make_notifier(now.config->config);
  now.resolver = p.make_resolver(now.config, nullptr);
  p.replace(now);
  p.take_admin_sockets();
  p.left_over = p.handed_over.close_rest();
  if (before != nullptr) {
    for (const auto& [host, addresses] : before->names) now.resolver->seed(host, addresses);
    p.restore_health(before->health);
  }
  now.resolver->start();
  boost::json::object state;
  if (before != nullptr) {
    p.open_store(before->lock);  // and checks all of it: the one before writes meanwhile, this one does not
    state = before->take_state();
  }
  auto saved = p.store->load();
  if (saved.has_error()) throw std::runtime_error(saved.error().message);
  p.writer = std::make_unique<store::Writer>(*p.store);
  p.make_engine(std::move(saved.value()));
  p.engine->go_on_with(state);
  p.make_admin(*now.certificates);
  p.engine->start();
  now.certificates->start();
  for (const auto& worker : p.workers) worker->start();
  share_out_memory();
  p.reloaded_ms = wall_clock_ms();
  p.ready = true;
}

std::vector<std::size_t> App::stuck_workers(Duration longest) {
  Parts& p = *parts_;
  std::vector<std::size_t> stuck;
  const TimePoint now = Clock::now();
  for (std::size_t i = 0; i < p.workers.size(); ++i) {
    const std::shared_ptr<Parts::SignOfLife>& sign = p.signs_of_life[i];
    if (sign->asked.load()) {
      if (now - sign->asked_at.load() > longest) stuck.push_back(i);
      continue;
    }
    sign->asked_at.store(now);
    sign->asked.store(true);
    p.workers[i]->post([sign](forward::Worker&) { sign->asked.store(false); });
  }
  return stuck;
}

void App::drain_and_stop(const std::function<bool()>& hurry, bool at_once) {
  constexpr auto kLook = std::chrono::milliseconds(20);
  constexpr Duration kIdleGrace = std::chrono::seconds(1);  // a request that is on its way on a kept connection is answered
  Parts& p = *parts_;
  const config::Drain drain = p.config()->config.drain;
  bool hurried = false;
  const auto wait = [&](Duration most, bool for_sessions) {
    const TimePoint end = Clock::now() + most;
    while (Clock::now() < end && !(for_sessions && p.sessions() == 0)) {
      share_out_memory();
      hurried = hurried || hurry();
      if (hurried) return;
      std::this_thread::sleep_for(kLook);
    }
  };
  p.ready = false;
  for (const auto& worker : p.workers) worker->announce_close();
  if (!at_once) wait(drain.delay, false);
  for (auto& [address, file] : p.socket_files) file.remove();  // first: who comes now must not wait in a backlog
  for (const auto& worker : p.workers) worker->stop_accepting();
  p.await_workers();  // those that they have accepted last count
  wait(std::min(kIdleGrace, drain.timeout), true);
  for (const auto& worker : p.workers) worker->close_idle(!at_once);
  wait(drain.timeout, true);
  if (at_once) {  // tunnels had all of the time
    for (const auto& worker : p.workers) worker->close_idle();
    wait(kIdleGrace, true);
  }
  for (const auto& worker : p.workers) worker->stop();
  for (const auto& worker : p.workers) worker->join();
  p.engine->tell_the_last();
}

void App::share_out_memory() {
  constexpr std::size_t kWorthIt = 32u << 20;
  constexpr Duration kPause = std::chrono::seconds(10);
  Parts& p = *parts_;
  std::vector<std::size_t> readings;
  for (const auto& worker : p.workers) readings.push_back(worker->reactor.lent_bytes());
  const std::vector<MemoryShare> shares = share_out(p.config()->config.memory.buffers, readings);
  for (std::size_t i = 0; i < shares.size(); ++i) p.workers[i]->reactor.allow_bytes(shares[i]);
  const std::size_t lent = std::accumulate(readings.begin(), readings.end(), std::size_t{0});
  p.most_lent = std::max(p.most_lent, lent);
  const TimePoint now = Clock::now();
  if (p.most_lent - lent < kWorthIt || now - p.gave_back < kPause) return;
  ::malloc_trim(0);  // each arena for itself: a worker that allocates meanwhile waits for its own
  p.most_lent = lent;
  p.gave_back = now;
}

void App::reread_certificates() { parts_->current().certificates->reread(); }

void App::reopen_logs() {
  if (parts_->access_log) parts_->access_log->reopen();
}

std::vector<std::string> App::summary() const {
  const Parts& p = *parts_;
  const std::shared_ptr<const ActiveConfig> config = p.config();
  std::promise<control::Status> answer;
  p.engine->status([&answer](control::Status now) { answer.set_value(std::move(now)); });
  std::vector<std::string> lines{"tidegate " TIDEGATE_VERSION ", " + std::to_string(config->config.workers) +
                                 " workers, state in " + config->config.state.path};
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
