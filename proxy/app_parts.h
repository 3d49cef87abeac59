// What an App is made of. Included by app*.cpp only.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "active_config.h"
#include "admin/server.h"
#include "app.h"
#include "check/runner.h"
#include "config/token_file.h"
#include "control/certificates.h"
#include "control/engine.h"
#include "countdown.h"
#include "forward/worker.h"
#include "net/tls_tickets.h"
#include "net/unix_socket.h"
#include "notify/notifier.h"
#include "observe/access_log.h"
#include "observe/health_board.h"
#include "sockets.h"
#include "store/sqlite_store.h"
#include "store/writer.h"
#include "upstream/resolver.h"

namespace tidegate {

inline constexpr Duration kWorkerPatience = std::chrono::seconds(10);

// What no listener can be called.
inline constexpr const char* kAdminSocket = "/admin";
inline constexpr const char* kMetricsSocket = "/metrics";

struct App::Parts {
  Parts(config::Config from, Events to, std::vector<HandedSocket> sockets);

  const Events events;
  HandedOver handed_over;
  const std::int64_t started_ms;
  const std::vector<double> latency_bounds;      // of what no route counts
  std::vector<std::unique_ptr<observe::WorkerCounters>> counters;  // by worker
  net::TicketKeys tickets;
  std::unique_ptr<store::SqliteStore> store;
  std::unique_ptr<store::Writer> writer;
  std::unique_ptr<observe::AccessLog> access_log;
  std::vector<std::unique_ptr<forward::Worker>> workers;
  struct SignOfLife {
    std::atomic<TimePoint> asked_at{};
    std::atomic<bool> asked{false};
  };
  std::vector<std::shared_ptr<SignOfLife>> signs_of_life;  // by worker
  std::unique_ptr<check::Runner> checks;
  std::unique_ptr<control::Engine> engine;
  std::unique_ptr<admin::Server> admin_server;
  std::unique_ptr<admin::Server> metrics_server;
  std::vector<BoundAddress> listeners;                                   // by their order in the file
  std::unordered_map<std::string, net::UnixSocketFile> socket_files;     // by address
  std::size_t most_lent = 0;       // since memory was given back
  TimePoint gave_back{};
  std::vector<net::Address> handed_files;  // of unix-domain sockets: ours once the process before has let them go
  std::vector<std::string> left_over;
  int admin_socket = -1;    // that was handed over
  int metrics_socket = -1;
  struct Tokens {
    std::mutex mutex;
    std::vector<config::Token> last;  // that were good
    std::string told;                 // what is wrong with the file
    bool is_read_once = false;        // a pipe
  };
  Tokens tokens;            // of the admin API
  std::string admin_address;
  std::string metrics_address;
  observe::HealthBoard health;                   // of addresses, for people
  std::atomic<bool> ready{false};
  std::atomic<std::uint64_t> reloads{0};
  std::atomic<std::uint64_t> failed_reloads{0};
  std::atomic<std::int64_t> reloaded_ms{0};      // the last time that it succeeded; the start counts

  /// What belongs to one configuration. Others hold what they use: it may be replaced meanwhile.
  struct Current {
    std::shared_ptr<const ActiveConfig> config;
    std::shared_ptr<control::Certificates> certificates;
    std::shared_ptr<upstream::Resolver> resolver;
    std::shared_ptr<notify::Notifier> notifier;  // none without targets
  };
  /// The configuration that every worker was told to serve by last. Who tells all of them something that is about it holds the mutex: they
  /// hear it either before they change over or after.
  struct Posted {
    std::mutex mutex;
    std::shared_ptr<const ActiveConfig> config;
  };
  Posted posted;
  Current current() const;
  std::shared_ptr<const ActiveConfig> config() const { return current().config; }
  void replace(Current next);

  bool await_workers();
  void on_every_worker(const std::function<void(forward::Worker&)>& f);
  void open_store(int lock);
  std::shared_ptr<control::Certificates> read_certificates(const std::shared_ptr<const ActiveConfig>& config,
                                                           const control::Certificates* before);
  std::shared_ptr<upstream::Resolver> make_resolver(const std::shared_ptr<const ActiveConfig>& config,
                                                    const upstream::Resolver* before);
  std::shared_ptr<notify::Notifier> make_notifier(const config::Config& of) const;
  std::vector<const observe::WorkerCounters*> all_counters() const;
  void make_counters(const config::Config& of);
  void open_access_log(const config::AccessLog& of);
  forward::AddressNews address_news();
  forward::GenerationSetup generation(const std::shared_ptr<const ActiveConfig>& config, std::size_t worker,
                                      const control::Certificates& certificates) const;
  std::vector<forward::ListenerSetup> listener_setups(const ActiveConfig& config, const control::Certificates& certificates) const;
  void make_workers(const Current& of);
  void take_admin_sockets();
  void make_admin(const control::Certificates& certificates);
  void reread_tokens();
  admin::Services services();
  control::Reconfiguration reconfiguration(const std::shared_ptr<const ActiveConfig>& config);
  void make_engine(store::State saved);
  std::int64_t sessions() const;
  void decided(const store::Decision& made);
  static check::Question question(const control::CheckQuestion& asked, const config::Config& config);

  // app_upgrade.cpp
  void restore_health(const std::vector<observe::HealthBoard::Record>& known);

  // app_reload.cpp
  std::vector<std::optional<OpenedListener>> open_new_listeners(const config::Config& now, const config::Config& before);
  void change_over(const Current& next, std::vector<std::optional<OpenedListener>>& opened, const config::Config& before);
  void settle_listeners(const config::Config& now, const config::Config& before, const std::vector<std::optional<OpenedListener>>& opened);

 private:
  mutable std::mutex mutex_;
  Current current_;
};

}  // namespace tidegate
