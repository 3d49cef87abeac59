#include "forward/worker.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "forward/exchange.h"
#include "forward/session.h"
#include "net/tls_layer.h"
#include "observe/log.h"

namespace tidegate::forward {

namespace {

constexpr std::size_t kSpareExchanges = 256;
constexpr Duration kQuiet = std::chrono::seconds(10);  // between two complaints of a worker about a cluster

/// Bounds hold for all workers together: what does not divide goes to the first ones.
template <class T>
T share_of(T total, std::size_t index, std::size_t count) {
  return total / static_cast<T>(count) + (index < total % count ? 1 : 0);
}

/// A share that is never nothing unless the whole is: a bound below the number of workers must not shut some of them out.
std::uint32_t least_one_share(std::uint32_t total, std::size_t index, std::size_t count) {
  return total == 0 ? 0 : std::max<std::uint32_t>(1, share_of(total, index, count));
}

std::string and_unsaid(std::uint64_t lines) {
  return lines == 0 ? std::string() : " (and " + std::to_string(lines) + " more like it since the last such line)";
}

std::unique_ptr<mirror::Mirror> make_mirror(Worker& worker, const WorkerSetup& setup, RouteRuntime& runtime) {
  const std::optional<route::MirrorPolicy>& policy = runtime.route->policy.mirror;
  if (!policy) return nullptr;
  mirror::Share share;
  share.rate = policy->rate / static_cast<double>(setup.count);
  share.concurrency = least_one_share(policy->concurrency, setup.index, setup.count);
  share.buffer = share_of(policy->buffer, setup.index, setup.count);
  const auto start = static_cast<std::uint32_t>(setup.index * Weight::kWhole / setup.count);
  return std::make_unique<mirror::Mirror>(worker.reactor, *policy, *runtime.route->live,
                                          runtime.clusters[Side::New]->mirror_pool, runtime.counters->mirror, share, start);
}

}  // namespace

void ClusterRuntime::complain(std::string_view endpoint, std::string_view what) {
  if (reactor_.now() < quiet_until_) return;
  quiet_until_ = reactor_.now() + kQuiet;
  observe::log_warn("cluster " + pool.policy().name + ": TLS with " + std::string(endpoint) + ": " + std::string(what));
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

Worker::Worker(WorkerSetup setup)
    : positions(static_cast<std::uint32_t>(random.next() % Weight::kWhole)),  // or every fresh process began with new
      snapshot(*setup.snapshot),
      counters(*setup.counters),
      access_log(setup.access_log),
      setup_(std::move(setup)) {
  for (std::size_t i = 0; i < setup_.clusters->size(); ++i) {
    const upstream::ClusterPolicy& policy = (*setup_.clusters)[i];
    upstream::PoolShare share;
    share.connections = least_one_share(policy.pool.connections, setup_.index, setup_.count);
    share.pending = least_one_share(policy.pool.pending, setup_.index, setup_.count);
    clusters.push_back(std::make_unique<ClusterRuntime>(reactor, policy, share, counters.clusters[i]));
    ClusterRuntime& cluster = *clusters.back();
    if (setup_.address_news.on_ejected) {
      cluster.tell_ejected = [this, i](std::size_t endpoint, const net::Address& address, Duration length) {
        setup_.address_news.on_ejected(i, endpoint, address, length);
      };
    }
    if (policy.health && i % setup_.count == setup_.index) cluster.prober = make_prober(i, cluster);
    if (i < setup_.cluster_tls.size()) set_cluster_tls(i, setup_.cluster_tls[i]);
  }
  for (const route::Route& route : snapshot.routes()) {
    RouteRuntime runtime;
    runtime.route = &route;
    runtime.counters = &counters.routes[route.index];
    runtime.ledger = setup_.ledgers[route.index];
    runtime.errors = setup_.errors[route.index];
    if (!setup_.samples.empty()) runtime.samples = setup_.samples[route.index];
    runtime.slow_over = setup_.slow_over[route.index];
    for (const Side side : {Side::Old, Side::New}) runtime.clusters[side] = clusters[route.clusters[side]].get();
    runtime.mirror = make_mirror(*this, setup_, runtime);
    routes.push_back(std::move(runtime));
  }
  for (const ListenerSetup& from : setup_.listeners) {
    auto listener = std::make_unique<ListenerRuntime>();
    listener->policy = from.policy;
    if (from.tls) {
      const double share = static_cast<double>(from.tls_handshakes) / static_cast<double>(setup_.count);
      listener->tls = std::make_unique<ListenerTls>(reactor, share, counters.listeners.at(listeners_.size()), from.tls);
      listener->policy.tls = listener->tls.get();
    }
    ListenerRuntime* const self = listener.get();
    auto accepted = [this, self](int descriptor, const net::Address& peer) { accept(*self, descriptor, peer); };
    listener->listener = std::make_unique<net::Listener>(
        reactor, std::move(accepted), least_one_share(from.connections, setup_.index, setup_.count));
    listeners_.push_back(std::move(listener));
  }
}

Worker::~Worker() {
  stop();
  join();
}

void Worker::start() {
  thread_ = std::thread([this] { run(); });
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::run() {
  const std::string thread_name = "worker-" + std::to_string(setup_.index);
  ::pthread_setname_np(::pthread_self(), thread_name.c_str());
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    listeners_[i]->listener->start(setup_.listeners[i].descriptor, setup_.listeners[i].sharing);
  }
  reactor.run();
  for (const auto& listener : listeners_) listener->listener->stop();
}

void Worker::post(std::function<void(Worker&)> f) {
  auto message = [this, f = std::move(f)] { f(*this); };
  reactor.post(std::move(message));
}

void Worker::announce_close() {
  post([](Worker& worker) {
    worker.draining_ = true;
    worker.sessions_.for_each([](Session& session) { session.announce_close(); });
  });
}

void Worker::stop_accepting() {
  post([](Worker& worker) {
    for (const auto& listener : worker.listeners_) listener->listener->stop();
  });
}

void Worker::close_idle() {
  post([](Worker& worker) {
    worker.closing_idle_ = true;
    worker.sessions_.for_each([](Session& session) { session.drain(); });
  });
}

void Worker::stop() {
  post([](Worker& worker) { worker.end_everything(); });
}

/// Cuts off what is left: every coroutine is cancelled, so that each ends by itself and gives back what it holds.
void Worker::end_everything() {
  if (ending_) return;
  ending_ = draining_ = closing_idle_ = true;
  for (const auto& listener : listeners_) listener->listener->stop();
  for (const RouteRuntime& route : routes) {
    if (route.mirror != nullptr) route.mirror->drop_all();
  }
  while (Session* session = sessions_.pop_front()) session->abort();  // one may end another that waits for its connection
  for (const auto& cluster : clusters) {
    if (cluster->prober) cluster->prober->stop();
    cluster->pool.close_idle();
    cluster->mirror_pool.close_idle();
  }
  reactor.stop();
}

void Worker::set_addresses(std::size_t cluster, std::size_t endpoint, const std::vector<net::Address>& addresses) {
  clusters[cluster]->pool.set_addresses(endpoint, addresses);
  clusters[cluster]->mirror_pool.set_addresses(endpoint, addresses);
  if (clusters[cluster]->prober) clusters[cluster]->prober->set_addresses(endpoint, addresses);
}

void Worker::set_health(std::size_t cluster, std::size_t endpoint, const net::Address& address, bool healthy) {
  clusters[cluster]->pool.set_health(endpoint, address, healthy);
  clusters[cluster]->mirror_pool.set_health(endpoint, address, healthy);
}

void Worker::eject(std::size_t cluster, std::size_t endpoint, const net::Address& address, Duration length) {
  clusters[cluster]->pool.eject(endpoint, address, length);
}

std::unique_ptr<upstream::Prober> Worker::make_prober(std::size_t index, ClusterRuntime& cluster) {
  upstream::Prober::Events told;
  told.on_check = [&cluster](bool passed) { (passed ? cluster.counters.checks_passed : cluster.counters.checks_failed).add(); };
  told.on_change = [this, index](std::size_t endpoint, const net::Address& address, bool healthy, const std::string& why) {
    if (setup_.address_news.on_health) setup_.address_news.on_health(index, endpoint, address, healthy, why);
  };
  return std::make_unique<upstream::Prober>(reactor, cluster.pool.policy(), std::move(told));
}

void Worker::set_listener_tls(std::size_t listener, std::shared_ptr<const net::TlsServerContext> context) {
  listeners_[listener]->tls->context = std::move(context);
}

void Worker::set_cluster_tls(std::size_t cluster, const std::shared_ptr<const net::TlsClientContext>& context) {
  clusters[cluster]->pool.set_tls(context);
  clusters[cluster]->mirror_pool.set_tls(context);
  if (clusters[cluster]->prober) clusters[cluster]->prober->set_tls(context);
}

bool Worker::is_trusted(const net::Address& peer) const noexcept {
  return std::any_of(setup_.trusted.begin(), setup_.trusted.end(),
                     [&](const net::AddressRange& range) { return range.contains(peer); });
}

void Worker::accept(ListenerRuntime& from, int descriptor, const net::Address& peer) {
  auto* session = new Session(*this, from.policy, *from.listener, peer);
  sessions_.push_back(*session);
  counters.sessions.add(1);
  counters.accepted.add();
  session->start(descriptor);
}

void Worker::on_proxy_refusal(net::ProxyRefusal why, const std::string& peer, std::string_view reason) {
  using net::ProxyRefusal;
  counters.proxy_refused[static_cast<std::size_t>(why)].add();
  const std::optional<std::uint64_t> unsaid = proxy_refusals_.pass(reactor.now());
  if (!unsaid) return;
  std::string line = "closed the connection of " + peer + ": ";
  switch (why) {
    case ProxyRefusal::Untrusted: line += "a PROXY header is required here, and it is not in trusted_proxies"; break;
    case ProxyRefusal::Timeout: line += "its PROXY header did not come within timeouts.header"; break;
    case ProxyRefusal::Incomplete: line += "it ended in the middle of its PROXY header"; break;
    default: line += "its PROXY header is malformed: " + std::string(reason); break;
  }
  observe::log_warn(line + and_unsaid(*unsaid));
}

void Worker::on_client_refusal(const std::string& peer, std::uint32_t most) {
  counters.client_refused.add();
  const std::optional<std::uint64_t> unsaid = client_refusals_.pass(reactor.now());
  if (!unsaid) return;
  observe::log_warn("closed the connection of " + peer + ": its client has " + std::to_string(most) +
                    " already (limits.connections_per_client)" + and_unsaid(*unsaid));
}

void Worker::retire(Session& session) {
  session.unlink();
  counters.sessions.add(-1);
  reactor.retire(std::unique_ptr<net::Retirable>(&session));
}

std::unique_ptr<Exchange> Worker::take_exchange() {
  if (spare_exchanges_.empty()) return std::make_unique<Exchange>(*this);
  std::unique_ptr<Exchange> exchange = std::move(spare_exchanges_.back());
  spare_exchanges_.pop_back();
  return exchange;
}

void Worker::give_exchange(std::unique_ptr<Exchange> exchange) {
  if (spare_exchanges_.size() < kSpareExchanges) {
    spare_exchanges_.push_back(std::move(exchange));
  } else {
    reactor.retire(std::move(exchange));  // what resumed it may still be on the stack
  }
}

}  // namespace tidegate::forward
