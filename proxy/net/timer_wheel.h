// Timers of one worker: a hashed wheel with ticks of 10 ms. Arming, moving and disarming are O(1) and usually one store:
// a timer that is pushed back stays in its slot and is looked at again when the slot comes up. That is what makes a
// deadline per read and per write affordable.
//
// A timer never fires early, and at most one tick late while the loop turns. One thread.
// Source: G. Varghese, T. Lauck, "Hashed and hierarchical timing wheels", 1987 (scheme 6).
#pragma once

#include <array>
#include <cstdint>

#include "base/clock.h"
#include "base/intrusive_list.h"

namespace tidegate::net {

class TimerWheel;

class Timer : public Link<> {
 public:
  using Callback = void (*)(void* context);
  Timer(Callback callback, void* context) noexcept : callback_(callback), context_(context) {}

  bool armed() const noexcept { return expiry_ != kNever; }
  void disarm() noexcept { expiry_ = kNever; }  // left in its slot: the wheel drops it when it gets there

 private:
  friend class TimerWheel;
  static constexpr std::uint64_t kNever = ~0ull;
  Callback callback_;
  void* context_;
  std::uint64_t expiry_ = kNever;  // tick
  std::uint64_t slot_tick_ = 0;    // tick at which the wheel will look at it
};

class TimerWheel {
 public:
  static constexpr Duration kTick = std::chrono::milliseconds(10);
  static constexpr std::uint64_t kSlots = 1024;

  explicit TimerWheel(TimePoint start) noexcept : start_(start) {}

  /// Calls the timer's callback once, `after` from `now` or up to a tick later. Re-arming moves it.
  void arm(Timer& timer, TimePoint now, Duration after) noexcept;
  /// Fires what is due.
  void advance(TimePoint now);
  /// How long the loop may sleep; negative: for ever.
  Duration until_next(TimePoint now) const noexcept;

 private:
  std::uint64_t tick_of(TimePoint when) const noexcept {
    return static_cast<std::uint64_t>((when - start_) / kTick);
  }
  void link(Timer& timer, std::uint64_t tick) noexcept;

  TimePoint start_;
  std::uint64_t current_ = 0;  // every tick up to here was looked at
  std::array<List<Timer>, kSlots> slots_;
  std::array<std::uint64_t, kSlots / 64> occupied_{};
};

}  // namespace tidegate::net
