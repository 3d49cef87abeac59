// Asks checks, on a thread of its own ("checks"), so that no server can delay a decision or a request. When to ask and what
// an answer does is control's. Owned by the composition root.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <thread>

#include "check/question.h"
#include "outbound/client.h"

namespace tidegate::check {

class Runner {
 public:
  /// On the thread of the checks; it must not throw, not wait and not stop the runner.
  using Done = std::function<void(Answer)>;

  /// Questions at a time. Each asks one thing after the other, so it is as many connections. A configuration with more
  /// checks than that whose servers all hang would otherwise hold descriptors that the workers need.
  static constexpr std::size_t kQuestions = 64;

  explicit Runner(outbound::Lookup::Ask lookup = outbound::Lookup::system_lookup);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  /// Any thread. `done` is called exactly once, unless stop() comes first; an Error when kQuestions are being asked.
  void ask(Question question, Done done);
  /// Closes every connection. When it returns nobody is called any more; ask() then does nothing.
  void stop();

 private:
  void begin(Question question, Done done);

  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  outbound::Client client_;
  std::size_t asking_ = 0;  // on its thread
  std::atomic<bool> stopped_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace tidegate::check
