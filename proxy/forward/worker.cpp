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

std::string and_unsaid(std::uint64_t lines) {
  return lines == 0 ? std::string() : " (and " + std::to_string(lines) + " more like it since the last such line)";
}

}  // namespace

std::uint32_t ListenerRuntime::connections() const noexcept {
  std::uint32_t all = 0;
  for (const auto& socket : sockets) all += socket->connections();
  return all;
}

Worker::Worker(WorkerSetup setup)
    : counters(*setup.counters),
      access_log(setup.access_log),
      index_(setup.index),
      part_{setup.index, setup.count},
      address_news_(std::move(setup.address_news)),
      serving_(std::make_unique<Generation>(reactor, std::move(setup.serving), part_, address_news_, random, nullptr)),
      first_listeners_(std::move(setup.listeners)) {}

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
  const std::string thread_name = "worker-" + std::to_string(index_);
  ::pthread_setname_np(::pthread_self(), thread_name.c_str());
  adopt_listeners(std::exchange(first_listeners_, {}));
  reactor.run();
  for (const auto& listener : listeners_) stop(*listener);
}

// --- configurations

void Worker::adopt(GenerationSetup next, std::vector<ListenerSetup> listeners) {
  if (ending_) return;
  auto made = std::make_unique<Generation>(reactor, std::move(next), part_, address_news_, random, serving_.get());
  serving_->stop_checks(*made);
  retired_.push_back(std::exchange(serving_, std::move(made)));
  adopt_listeners(std::move(listeners));
  if (!sweep_.armed()) reactor.arm(sweep_, kSweep);
}

void Worker::adopt_listeners(std::vector<ListenerSetup> listeners) {
  std::vector<std::unique_ptr<ListenerRuntime>> next;
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    const ListenerSetup& from = listeners[i];
    next.push_back(from.carried ? std::move(listeners_[*from.carried]) : std::make_unique<ListenerRuntime>());
    update(*next.back(), from, i);
    if (!from.carried) listen(*next.back(), from);
  }
  listeners_.swap(next);
  for (std::unique_ptr<ListenerRuntime>& listener : next) {
    if (listener != nullptr) end_listener(std::move(listener));
  }
}

/// What its sessions refer to is changed where it is; what they may still be in the middle of (a handshake) stays.
void Worker::update(ListenerRuntime& listener, const ListenerSetup& to, std::size_t number) {
  listener.policy = to.policy;
  if (to.clients) listener.clients = to.clients;
  listener.policy.clients = to.clients.get();
  if (to.tls) {
    const double share = static_cast<double>(to.tls_handshakes) / static_cast<double>(part_.count);
    const std::shared_ptr<observe::TlsCounters>& counted = serving_->setup.counters->listeners.share(number);
    if (listener.tls) {
      listener.tls->change(share, counted, to.tls);
    } else {
      listener.tls = std::make_unique<ListenerTls>(reactor, share, counted, to.tls);
    }
    listener.policy.tls = listener.tls.get();
  }
  const Part of_sockets{0, listener.sockets.size()};
  for (const auto& socket : listener.sockets) socket->set_most(of_sockets.of(part_.of(to.connections)));
}

void Worker::listen(ListenerRuntime& listener, const ListenerSetup& from) {
  for (std::size_t i = 0; i < from.descriptors.size(); ++i) {
    const std::uint32_t most = Part{i, from.descriptors.size()}.of(part_.of(from.connections));
    auto socket = std::make_unique<net::Listener>(reactor, most);
    socket->start(from.descriptors[i], from.sharing, [this, &listener, self = socket.get()](int descriptor, const net::Address& peer) {
      accept(listener, *self, descriptor, peer);
    });
    listener.sockets.push_back(std::move(socket));
  }
}

void Worker::stop(const ListenerRuntime& listener) {
  for (const auto& socket : listener.sockets) socket->stop();
}

void Worker::end_listener(std::unique_ptr<ListenerRuntime> listener) {
  stop(*listener);
  listener->is_closed = true;
  sessions_.for_each([&](Session& session) {
    if (&session.listener() == listener.get()) session.announce_close();
  });
  ending_listeners_.push_back({std::move(listener), reactor.now() + kIdleGrace});
}

/// Destroys what nothing uses any more.
void Worker::sweep(void* self) {
  auto* const worker = static_cast<Worker*>(self);
  for (EndingListener& ending : worker->ending_listeners_) {
    if (worker->reactor.now() < ending.closes_idle_at) continue;
    ending.closes_idle_at = TimePoint::max();
    worker->sessions_.for_each([&](Session& session) {
      if (&session.listener() == ending.listener.get()) session.close_idle();
    });
  }
  std::erase_if(worker->ending_listeners_, [](const EndingListener& ending) { return ending.listener->connections() == 0; });
  for (auto one = worker->retired_.begin(); one != worker->retired_.end();) {  // each is gone before the next is asked: who is the last to have a cluster closes it
    one = (*one)->close_down() ? worker->retired_.erase(one) : std::next(one);
  }
  if (!worker->retired_.empty() || !worker->ending_listeners_.empty()) worker->reactor.arm(worker->sweep_, kSweep);
}

// --- messages

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
    for (const auto& listener : worker.listeners_) stop(*listener);
  });
}

void Worker::close_idle(bool tunnels) {
  post([tunnels](Worker& worker) {
    worker.closing_idle_ = true;
    worker.ending_tunnels_ = tunnels;
    worker.sessions_.for_each([tunnels](Session& session) { tunnels ? session.drain() : session.close_idle(); });
  });
}

std::vector<Generation*> Worker::generations() const {
  std::vector<Generation*> all{serving_.get()};
  for (const auto& one : retired_) all.push_back(one.get());
  return all;
}

/// A copy never costs an original anything (PRODUCT §3): what copies hold is given up before a request is refused.
/// @return whether that was enough
bool Worker::copies_make_room() {
  for (Generation* const generation : generations()) generation->drop_copies(observe::MirrorDrop::Buffer);
  return !reactor.is_short_of_memory();
}

void Worker::stop() {
  post([](Worker& worker) { worker.end_everything(); });
}

/// Cuts off what is left: every coroutine is cancelled, so that each ends by itself and gives back what it holds.
void Worker::end_everything() {
  if (ending_) return;
  ending_ = draining_ = closing_idle_ = ending_tunnels_ = true;
  for (const auto& listener : listeners_) stop(*listener);
  for (Generation* const generation : generations()) generation->drop_copies(observe::MirrorDrop::Shutdown);
  while (Session* session = sessions_.pop_front()) session->abort();  // one may end another that waits for its connection
  for (Generation* const generation : generations()) {
    for (const auto& cluster : generation->clusters) (void)cluster->close_down();
  }
  reactor.stop();
}

void Worker::set_addresses(std::size_t cluster, std::size_t endpoint, const std::vector<net::Address>& addresses) {
  serving_->clusters[cluster]->set_addresses(endpoint, addresses);
}

void Worker::set_health(const std::string& cluster, std::size_t endpoint, const net::Address& address, bool healthy) {
  ClusterRuntime* const of = serving_->cluster_named(cluster);
  if (of == nullptr) return;
  of->pool.set_health(endpoint, address, healthy);
  of->mirror_pool.set_health(endpoint, address, healthy);
}

void Worker::eject(const std::string& cluster, std::size_t endpoint, const net::Address& address, Duration length) {
  ClusterRuntime* const of = serving_->cluster_named(cluster);
  if (of != nullptr && of->policy.outlier) of->pool.eject(endpoint, address, length);
}

void Worker::set_listener_tls(std::size_t listener, std::shared_ptr<const net::TlsServerContext> context) {
  listeners_[listener]->tls->context = std::move(context);
}

void Worker::set_cluster_tls(std::size_t cluster, const std::shared_ptr<const net::TlsClientContext>& context) {
  serving_->clusters[cluster]->set_tls(context);
}

void Worker::accept(ListenerRuntime& from, net::Listener& socket, int descriptor, const net::Address& peer) {
  auto* session = new Session(*this, from, socket, peer);
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
