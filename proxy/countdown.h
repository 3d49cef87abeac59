// Waiting for several threads to come to a point. Part of the composition root.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

#include "base/clock.h"

namespace tidegate {

/// Counts what is still to come. Whoever comes late finds it here.
class Countdown {
 public:
  explicit Countdown(std::size_t from) : left_(from) {}
  void arrive() {
    const std::lock_guard lock(mutex_);
    if (--left_ == 0) arrived_.notify_all();
  }
  bool wait(Duration most) {
    std::unique_lock lock(mutex_);
    return arrived_.wait_for(lock, most, [this] { return left_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::size_t left_;
};

}  // namespace tidegate
