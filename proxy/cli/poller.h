// Asks again and again on a thread of its own, so that a slow answer never stops a clock on the screen. Keeps the newest
// answer until it is taken. Its end waits for the call in flight, which its caller bounds.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "base/clock.h"

namespace tidegate::cli {

template <class Answer>
class Poller {
 public:
  /// @param pause between an answer and the next question.
  Poller(std::function<Answer()> ask, Duration pause)
      : thread_([this, ask = std::move(ask), pause](const std::stop_token& stop) { run(stop, ask, pause); }) {}

  /// The newest answer, once.
  std::optional<Answer> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(newest_, std::nullopt);
  }

  /// Until there is something to take, or `most` is over.
  void wait(Duration most) {
    std::unique_lock lock(mutex_);
    came_.wait_for(lock, most, [this] { return newest_.has_value(); });
  }

 private:
  void run(const std::stop_token& stop, const std::function<Answer()>& ask, Duration pause) {
    while (!stop.stop_requested()) {
      Answer answer = ask();
      std::unique_lock lock(mutex_);
      newest_ = std::move(answer);
      came_.notify_all();
      came_.wait_for(lock, stop, pause, [] { return false; });
    }
  }

  std::mutex mutex_;
  std::condition_variable_any came_;
  std::optional<Answer> newest_;
  std::jthread thread_;  // last: ends before what it uses
};

}  // namespace tidegate::cli
