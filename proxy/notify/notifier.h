// Tells people's systems what happened to a rollout or a gate, on a thread of its own ("notify"). Telling is never in the
// way: it takes no time, a target that is down delays no other one, and what can't be told is counted. Targets hear
// messages in order and at least once. Owned by the composition root.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <thread>
#include <vector>

#include "notify/target.h"

namespace tidegate::notify {

class Notifier {
 public:
  /// @param on_failure every try that failed, on the notifier's thread; it must not throw, not wait and not stop the
  /// notifier. Who logs limits the rate.
  explicit Notifier(const std::vector<NotifyPolicy>& policies, Target::OnFailure on_failure = {},
                    const Limits& limits = {}, outbound::Lookup::Ask lookup = outbound::Lookup::system_lookup);
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  /// Any thread; never waits for a server. Without effect after stop().
  void tell(const Message& message) noexcept;
  /// Any thread. In the order of the policies.
  std::vector<TargetStats> stats() const;
  /// What is pending is tried once more, for `Limits::flush` in all; the rest is dropped.
  void stop();

 private:
  void pump_all();
  void flush();
  void end();

  const Limits limits_;
  const Target::OnFailure on_failure_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  outbound::Client client_;
  boost::asio::steady_timer patience_{io_};
  std::vector<std::unique_ptr<Target>> targets_;
  std::size_t busy_ = 0;  ///< targets that are not flushed; on its thread
  std::atomic<bool> awake_ = false;  ///< pump_all() is on its way
  std::atomic<bool> stopped_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace tidegate::notify
