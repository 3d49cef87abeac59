// The composition root: makes every part from a configuration, connects them, starts them in order and ends them in
// order. The only file that knows every folder. The demo runs the same App as `tidegate run`.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "control/other_process.h"
#include "control/status.h"
#include "observe/health_board.h"
#include "sockets.h"
#include "store/store.h"

namespace tidegate {

/// A listening address as it came out, with the port that was chosen where the configuration said 0.
struct BoundAddress {
  std::string name;
  std::string address;  ///< "127.0.0.1:8080"
};

/// What came of a reload.
struct Reloaded {
  std::vector<std::string> problems;  ///< not empty: nothing was changed
  std::vector<std::string> changed;   ///< "route api: changed"
};

class App {
 public:
  struct Events {
    std::function<void(const store::Decision&)> on_decision;  ///< control thread; may be empty
    std::function<void()> on_drain;                           ///< admin thread: somebody asked for it; may be empty
    /// Admin thread: somebody asked for a reload, and is to be told what came of it, on any thread. May be empty.
    std::function<void(std::function<void(const Reloaded&)>)> on_reload;
  };

  /// @param sockets listening ones that were handed over: a listener with the address of one takes it. Owned from here on.
  App(config::Config config, Events events, std::vector<HandedSocket> sockets = {});
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  /// What a process that this one follows has still to give.
  struct Before {
    std::vector<std::pair<std::string, std::vector<net::Address>>> names;  ///< what endpoints' names resolved to
    std::vector<observe::HealthBoard::Record> health;                      ///< and what was known of addresses
    int lock = -1;                                   ///< of the state file; this object's
    /// Called once everything is made that can fail. @return what it knew of the gates. @throws std::runtime_error
    std::function<boost::json::object()> take_state;
  };

  /// Opens the store and every port, then serves.
  /// @throws std::runtime_error saying what could not be opened; nothing is left running.
  void start(const Before* before = nullptr);

  // To be followed by another process, in this order.
  std::vector<std::pair<std::string, std::vector<net::Address>>> names() const;
  std::vector<observe::HealthBoard::Record> health() const;
  /// What listens, the admin API included; the descriptors stay this object's.
  std::vector<HandedSocket> listening() const;
  int lock_descriptor() const noexcept;
  /// Does it while no worker closes a descriptor: a new process has copies of all for a moment, and the kernel would go on to tell
  /// of one that was closed meanwhile. @throws std::runtime_error when a worker does not turn.
  void while_workers_stand_still(const std::function<void()>& what);
  /// Decides nothing more, and takes no new connections of the API. @return what the other one needs to know.
  /// @throws std::runtime_error because something is not durable; then all is as before.
  boost::json::object hold();
  void go_on();                                      ///< the other one did not come to it
  /// The other one serves: what it has taken is not to be removed here, and the API is its own.
  /// @param left listeners that it does not have. @param next it, as long as this one drains
  void let_go(const std::vector<std::string>& left, std::shared_ptr<control::OtherProcess> next);

  /// The process before has let go: what it had to remove at its end is this one's. @param before it, as long as it drains
  void own_files(std::shared_ptr<control::OtherProcess> before);
  /// Listeners of the process before that this one does not have. After start().
  const std::vector<std::string>& left_over() const noexcept;
  /// What it runs with, for the log: version, workers, state, and each route's weight and latch. After start().
  std::vector<std::string> summary() const;
  /// Asks every worker for a sign of life. @return those that have given none for so long, by their index
  std::vector<std::size_t> stuck_workers(Duration longest);
  /// Goes on with another configuration, as a whole or not at all. The exchanges in flight go on with theirs; no connection is
  /// dropped. Returns once every worker serves by it; may wait for DNS (Resolver::kStartWait).
  Reloaded reload(config::Config next);
  /// A reload was not tried, because the file is bad: for the metrics.
  void note_failed_reload();
  /// Called now and then: shares memory.buffers out to the workers by what they hold, and gives back what a peak has left.
  void share_out_memory();
  /// Looks at the files of certificates and keys now, not only when they change.
  void reread_certificates();
  /// The access log was moved away: open its path again.
  void reopen_logs();
  /// Announces the end in every response, stops accepting, lets exchanges finish within drain.timeout, ends. `hurry` is asked now and then: true = at once.
  /// @param at_once others take the new connections already: there is no drain.delay.
  void drain_and_stop(const std::function<bool()>& hurry, bool at_once = false);

  const std::vector<BoundAddress>& listeners() const noexcept;
  const std::string& admin_address() const noexcept;
  const std::string& metrics_address() const noexcept;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tidegate
