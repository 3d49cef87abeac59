// One worker: a thread with its own event loop, listeners, pools, mirrors, counters and ledgers. It shares nothing that
// is written on the request path; from outside it is reached by messages (post) and by the live words of the snapshot.
//
// A reload gives it the next configuration (generation.h); its connections stay.
//
// Built and started by the composition root, which outlives it. Everything here but post(), the drain, stop() and join()
// belongs to the worker's own thread once start() was called.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "forward/client_limit.h"
#include "forward/date_line.h"
#include "forward/generation.h"
#include "forward/listener_tls.h"
#include "forward/policy.h"
#include "net/address.h"
#include "net/listener.h"
#include "net/proxy_receive.h"
#include "net/reactor.h"
#include "observe/access_record.h"
#include "observe/counters.h"
#include "observe/log_limit.h"
#include "route/split.h"

namespace tidegate::forward {

class Exchange;
class Session;

/// What a listener's sessions need to know. It stays where it is as long as it has sessions; a reload changes what it says.
struct ListenerRuntime {
  SessionPolicy policy;
  std::shared_ptr<ClientLimit> clients;
  std::unique_ptr<ListenerTls> tls;  ///< nullptr: it never had any
  std::vector<std::unique_ptr<net::Listener>> sockets;  ///< one; more were handed over by a process that had more workers

  bool is_closed = false;            ///< the configuration does not have it any more

  std::uint32_t connections() const noexcept;
};

struct ListenerSetup {
  SessionPolicy policy;
  std::uint32_t connections = 0;  ///< all workers together
  std::vector<int> descriptors{}; ///< of a new one
  net::Sharing sharing = net::Sharing::Each;
  std::shared_ptr<const net::TlsServerContext> tls{};  ///< nullptr = plain
  std::uint32_t tls_handshakes = 0;                    ///< a second, all workers together; 0 = no limit
  std::shared_ptr<ClientLimit> clients{};              ///< of all workers; nullptr = no limit
  std::optional<std::size_t> carried{};                ///< it goes on: its place among the listeners before
};

struct WorkerSetup {
  std::size_t index = 0;
  std::size_t count = 1;                         ///< of workers: bounds are shared out evenly
  observe::WorkerCounters* counters = nullptr;
  observe::AccessLogSink* access_log = nullptr;  ///< nullptr = off
  AddressNews address_news{};
  GenerationSetup serving{};
  std::vector<ListenerSetup> listeners{};
};

class alignas(64) Worker {
 public:
  /// Idle connections of a listener that is no more are closed after this: a request that is on its way is answered.
  static constexpr Duration kIdleGrace = std::chrono::seconds(1);

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
  /// Connections without an exchange end. @param tunnels are told to end, too; else they go on
  void close_idle(bool tunnels = true);
  /// Any thread: drops what is left and ends the thread.
  void stop();
  /// Any thread: client connections that are still open.
  std::int64_t sessions() const noexcept { return counters.sessions.read(); }

  // --- the worker's own thread
  /// From now on exchanges begin with this configuration. @param listeners as a whole: those that are not carried over end
  void adopt(GenerationSetup next, std::vector<ListenerSetup> listeners);
  Generation& serving() noexcept { return *serving_; }
  /// Those that listen, by their order in the file.
  const std::vector<std::unique_ptr<ListenerRuntime>>& listeners() const noexcept { return listeners_; }
  // Of the configuration that is served.
  void set_addresses(std::size_t cluster, std::size_t endpoint, const std::vector<net::Address>& addresses);
  void set_health(const std::string& cluster, std::size_t endpoint, const net::Address& address, bool healthy);
  void eject(const std::string& cluster, std::size_t endpoint, const net::Address& address, Duration length);
  /// For the connections from now on.
  void set_listener_tls(std::size_t listener, std::shared_ptr<const net::TlsServerContext> context);
  void set_cluster_tls(std::size_t cluster, const std::shared_ptr<const net::TlsClientContext>& context);
  /// The worker's buffers hold more than they may (`memory.buffers`, less what the others hold), also without the copies, which
  /// are given up first: new requests are refused.
  bool is_short_of_memory() { return reactor.is_short_of_memory() && !copies_make_room(); }
  /// Responses announce the end of their connection.
  bool draining() const noexcept { return draining_; }
  /// Connections do not wait for another request.
  bool closing_idle() const noexcept { return closing_idle_; }
  bool ending_tunnels() const noexcept { return ending_tunnels_; }
  std::unique_ptr<Exchange> take_exchange();
  void give_exchange(std::unique_ptr<Exchange> exchange);
  void retire(Session& session);
  /// A connection was closed because of its PROXY header, or the want of one: counted, and now and then logged.
  void on_proxy_refusal(net::ProxyRefusal why, const std::string& peer, std::string_view reason);

  /// A connection was closed because its client has too many: counted, and now and then logged.
  void on_client_refusal(const std::string& peer, std::uint32_t most);

  net::Reactor reactor;
  Random random;
  DateLine date;
  observe::WorkerCounters& counters;
  observe::AccessLogSink* const access_log;

 private:
  /// Retired generations and listeners are looked at so often, while there are any.
  static constexpr Duration kSweep = std::chrono::milliseconds(100);

  void run();
  void adopt_listeners(std::vector<ListenerSetup> listeners);
  void update(ListenerRuntime& listener, const ListenerSetup& to, std::size_t number);
  void listen(ListenerRuntime& listener, const ListenerSetup& from);
  static void stop(const ListenerRuntime& listener);
  void end_listener(std::unique_ptr<ListenerRuntime> listener);
  static void sweep(void* self);
  void accept(ListenerRuntime& from, net::Listener& socket, int descriptor, const net::Address& peer);
  std::vector<Generation*> generations() const;
  bool copies_make_room();
  void end_everything();

  const std::size_t index_;
  const Part part_;
  const AddressNews address_news_;
  std::unique_ptr<Generation> serving_;
  std::vector<std::unique_ptr<Generation>> retired_;           // that something still uses
  std::vector<std::unique_ptr<ListenerRuntime>> listeners_;    // by their order in the file
  struct EndingListener {
    std::unique_ptr<ListenerRuntime> listener;
    TimePoint closes_idle_at;
  };
  std::vector<EndingListener> ending_listeners_;
  net::Timer sweep_{&Worker::sweep, this};
  std::vector<ListenerSetup> first_listeners_;                 // until the thread runs
  std::vector<std::unique_ptr<Exchange>> spare_exchanges_;
  List<Session> sessions_;
  observe::LogLimit proxy_refusals_;
  observe::LogLimit client_refusals_;
  bool draining_ = false;
  bool closing_idle_ = false;
  bool ending_tunnels_ = false;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace tidegate::forward
