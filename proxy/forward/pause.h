// A wait of an exchange that holds nothing but its place: no connection, no memory. Ends with its time, or when it is ended. One at a
// time; whoever waits is resumed from the timer, or from inside end() and may be gone when that returns. One worker's thread.
#pragma once

#include <coroutine>
#include <utility>

#include "net/reactor.h"

namespace tidegate::forward {

class Pause {
 public:
  Pause() noexcept : timer_(&Pause::expired, this) {}
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;

  struct Wait {
    Pause& pause;
    net::Reactor& reactor;
    Duration length;
    bool await_ready() const noexcept { return length <= Duration::zero(); }
    void await_suspend(std::coroutine_handle<> handle) noexcept {
      pause.waiting_ = handle;
      reactor.arm(pause.timer_, length);
    }
    void await_resume() const noexcept {}
  };
  Wait wait(net::Reactor& reactor, Duration length) noexcept { return {*this, reactor, length}; }

  bool active() const noexcept { return static_cast<bool>(waiting_); }
  void end() noexcept {
    timer_.disarm();
    if (waiting_) std::exchange(waiting_, {}).resume();
  }

 private:
  static void expired(void* self) { static_cast<Pause*>(self)->end(); }

  net::Timer timer_;
  std::coroutine_handle<> waiting_;
};

}  // namespace tidegate::forward
