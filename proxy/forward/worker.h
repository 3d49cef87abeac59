// One worker: a thread with its own event loop, listeners, pools, mirrors, counters and ledgers. It shares nothing that
// is written on the request path; from outside it is reached by messages (post) and by the live words of the snapshot.
//
// Built and started by the composition root, which outlives it. Everything here but post(), the drain, stop() and join()
// belongs to the worker's own thread once start() was called.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "forward/listener_tls.h"
#include "forward/policy.h"
#include "gate/counters.h"
#include "gate/parameters.h"
#include "mirror/mirror.h"
#include "net/address.h"
#include "net/listener.h"
#include "net/proxy_receive.h"
#include "net/reactor.h"
#include "observe/access_record.h"
#include "observe/counters.h"
#include "observe/failure_samples.h"
#include "observe/log_limit.h"
#include "route/snapshot.h"
#include "route/split.h"
#include "upstream/pool.h"
#include "upstream/prober.h"

namespace tidegate::forward {

class Exchange;
class Session;

/// A cluster as this worker sees it. Like all that a worker writes for a request it begins on a cache line: the heap puts
/// the parts of two workers beside each other (tests/budget/cache_line_test.cpp).
struct alignas(64) ClusterRuntime final : private upstream::PoolEvents {
  ClusterRuntime(net::Reactor& reactor, const upstream::ClusterPolicy& policy, upstream::PoolShare share,
                 observe::ClusterCounters& to)
      : counters(to), pool(reactor, policy, share, *this), mirror_pool(reactor, policy, share, *this), reactor_(reactor) {}

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
  TimePoint quiet_until_{};  // of complaints: one cause makes many
};

/// A route as this worker sees it.
struct alignas(64) RouteRuntime {
  const route::Route* route = nullptr;
  observe::RouteCounters* counters = nullptr;
  gate::Ledger* ledger = nullptr;
  gate::ErrorRule errors;
  observe::FailureSamples* samples = nullptr;  ///< may be null
  Duration slow_over{0};                   ///< `gate.slow.over`; 0: the route has no slow stream
  PerSide<ClusterRuntime*> clusters{{nullptr, nullptr}};
  std::unique_ptr<mirror::Mirror> mirror;  ///< nullptr: the route has none
  std::uint32_t in_flight = 0;
  std::uint32_t retrying = 0;              ///< of them, those whose attempt is a retry on the budget
};

/// What a listener's sessions need to know.
struct ListenerRuntime {
  SessionPolicy policy;
  std::unique_ptr<ListenerTls> tls;  ///< nullptr = plain
  std::unique_ptr<net::Listener> listener;
};

struct ListenerSetup {
  SessionPolicy policy;
  std::uint32_t connections = 0;  ///< all workers together
  int descriptor = -1;
  net::Sharing sharing = net::Sharing::Each;
  std::shared_ptr<const net::TlsServerContext> tls{};  ///< nullptr = plain
  std::uint32_t tls_handshakes = 0;                    ///< a second, all workers together; 0 = no limit
};

/// What one worker has found out about an address and the others are to know. Called on its thread.
struct AddressNews {
  std::function<void(std::size_t cluster, std::size_t endpoint, const net::Address&, bool healthy, const std::string& why)> on_health;
  std::function<void(std::size_t cluster, std::size_t endpoint, const net::Address&, Duration)> on_ejected;
};

struct WorkerSetup {
  std::size_t index = 0;
  std::size_t count = 1;                       ///< of workers: bounds are shared out evenly
  const route::Snapshot* snapshot = nullptr;
  const std::vector<upstream::ClusterPolicy>* clusters = nullptr;
  std::vector<gate::ErrorRule> errors;         ///< by route
  std::vector<Duration> slow_over;             ///< by route
  std::vector<gate::Ledger*> ledgers;          ///< by route
  std::vector<observe::FailureSamples*> samples{};  ///< by route; empty: none are kept
  observe::WorkerCounters* counters = nullptr;
  observe::AccessLogSink* access_log = nullptr;  ///< nullptr = off
  std::vector<net::AddressRange> trusted;
  std::vector<ListenerSetup> listeners;
  std::vector<std::shared_ptr<const net::TlsClientContext>> cluster_tls{};  ///< by cluster; nullptr or left out = plain
  AddressNews address_news{};
};

class alignas(64) Worker {
 public:
  explicit Worker(WorkerSetup setup);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  void start();
  void join();

  /// Any thread: runs f(*this) on the worker.
  void post(std::function<void(Worker&)> f);
  // Any thread: the steps of a drain, in order (RFC 9112 §9.6: a server that wants to close says so in a response first).
  void announce_close();    ///< every response from now on carries Connection: close and ends its connection; HTTP/2: a first GOAWAY
  void stop_accepting();    ///< what is queued is accepted, then no more
  void close_idle();        ///< connections without an exchange end
  /// Any thread: drops what is left and ends the thread.
  void stop();
  /// Any thread: client connections that are still open.
  std::int64_t sessions() const noexcept { return counters.sessions.read(); }

  // --- the worker's own thread
  void set_addresses(std::size_t cluster, std::size_t endpoint, const std::vector<net::Address>& addresses);
  void set_health(std::size_t cluster, std::size_t endpoint, const net::Address& address, bool healthy);
  void eject(std::size_t cluster, std::size_t endpoint, const net::Address& address, Duration length);
  /// For the connections from now on.
  void set_listener_tls(std::size_t listener, std::shared_ptr<const net::TlsServerContext> context);
  void set_cluster_tls(std::size_t cluster, const std::shared_ptr<const net::TlsClientContext>& context);
  bool is_trusted(const net::Address& peer) const noexcept;
  /// Responses announce the end of their connection.
  bool draining() const noexcept { return draining_; }
  /// Connections do not wait for another request.
  bool closing_idle() const noexcept { return closing_idle_; }
  std::unique_ptr<Exchange> take_exchange();
  void give_exchange(std::unique_ptr<Exchange> exchange);
  void retire(Session& session);
  /// A connection was closed because of its PROXY header, or the want of one: counted, and now and then logged.
  void on_proxy_refusal(net::ProxyRefusal why, const std::string& peer, std::string_view reason);

  /// A connection was closed because its client has too many: counted, and now and then logged.
  void on_client_refusal(const std::string& peer, std::uint32_t most);

  net::Reactor reactor;
  Random random;
  route::PositionSequence positions;
  const route::Snapshot& snapshot;
  observe::WorkerCounters& counters;
  observe::AccessLogSink* const access_log;
  std::vector<std::unique_ptr<ClusterRuntime>> clusters;
  std::vector<RouteRuntime> routes;

 private:
  void run();
  void accept(ListenerRuntime& from, int descriptor, const net::Address& peer);
  void end_everything();
  std::unique_ptr<upstream::Prober> make_prober(std::size_t index, ClusterRuntime& cluster);

  const WorkerSetup setup_;
  std::vector<std::unique_ptr<ListenerRuntime>> listeners_;
  std::vector<std::unique_ptr<Exchange>> spare_exchanges_;
  List<Session> sessions_;
  observe::LogLimit proxy_refusals_;
  observe::LogLimit client_refusals_;
  bool draining_ = false;
  bool closing_idle_ = false;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace tidegate::forward
