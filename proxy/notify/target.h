// One place that is told: its queue, in order, and the message that is being delivered. A message that fails stays in front
// while its pauses double, until it is delivered, given up, or the notifier flushes; so nothing overtakes.
//
//   tell() -> queue -> delivering --2xx--> delivered
//                        |  ^  \--never, or the last attempt--> failed
//                        v  | pause over
//                       waiting
//
// Owned by its notifier. tell() and stats() on any thread; the rest on the notifier's.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "notify/delivery.h"
#include "notify/limits.h"
#include "notify/message.h"
#include "outbound/client.h"

namespace tidegate::notify {

/// For status and metrics. told = delivered + failed + dropped + pending.
struct TargetStats {
  std::string origin;            ///< of the URL; never its path
  std::uint64_t delivered = 0;
  std::uint64_t failed = 0;      ///< given up
  std::uint64_t dropped = 0;     ///< never tried: the queue was full, or the end came
  std::uint64_t retries = 0;     ///< attempts beyond the first of a message
  std::size_t pending = 0;
  std::string last_error{};      ///< empty after a delivery
};

/// A try that failed.
struct Failure {
  std::string origin;
  std::string why;
  std::uint32_t attempt = 1;
  bool given_up = false;
};

class Target {
 public:
  using OnFailure = std::function<void(const Failure&)>;

  Target(boost::asio::io_context& io, outbound::Client& client, const NotifyPolicy& policy, const Limits& limits,
         const OnFailure& on_failure);

  /// @return false when the policy does not want it. @throws std::bad_alloc
  bool tell(const Message& message);
  TargetStats stats() const;

  /// Delivers what waits, if nothing is being delivered. Does nothing for a URL that is none: its messages fail.
  void pump();
  /// From now on every message has one more attempt, without pauses; `idle` is called when none is left.
  void flush(std::function<void()> idle);
  /// What is left is dropped. The client must have been stopped.
  void give_up();

 private:
  struct Current {
    Message message;
    std::uint32_t attempt = 1;
    Duration pause{0};
  };

  bool take_next();
  void attempt();
  void on_result(const outbound::Result& result);
  void fail(const std::string& why, bool never);
  void finish();

  outbound::Client& client_;
  const NotifyPolicy policy_;
  const Limits& limits_;
  const OnFailure& on_failure_;
  std::optional<outbound::Request> request_;  ///< without its body; empty = the URL is none
  std::string url_problem_;

  boost::asio::steady_timer pause_;
  std::optional<Current> current_;
  bool waiting_ = false;  ///< for the pause of current_
  std::function<void()> idle_;  ///< flushing

  mutable std::mutex mutex_;  // guards what follows
  std::deque<Message> queue_;
  TargetStats stats_;
};

}  // namespace tidegate::notify
