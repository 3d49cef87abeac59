#include "net/timer_wheel.h"

#include <bit>

namespace tidegate::net {

void TimerWheel::link(Timer& timer, std::uint64_t tick) noexcept {
  if (tick <= current_) tick = current_ + 1;
  if (tick >= current_ + kSlots) tick = current_ + kSlots - 1;  // further away than one turn: looked at again then
  timer.slot_tick_ = tick;
  const std::uint64_t slot = tick % kSlots;
  slots_[slot].push_back(timer);
  occupied_[slot / 64] |= 1ull << (slot % 64);
}

void TimerWheel::arm(Timer& timer, TimePoint now, Duration after) noexcept {
  timer.expiry_ = tick_of(now + after) + 1;
  if (timer.linked() && timer.slot_tick_ <= timer.expiry_) return;
  link(timer, timer.expiry_);
}

void TimerWheel::advance(TimePoint now) {
  const std::uint64_t target = tick_of(now);
  if (target > current_ + kSlots) current_ = target - kSlots;  // the loop was stopped: every slot once is enough
  while (current_ < target) {
    ++current_;
    const std::uint64_t slot = current_ % kSlots;
    const std::uint64_t bit = 1ull << (slot % 64);
    if ((occupied_[slot / 64] & bit) == 0) continue;
    occupied_[slot / 64] &= ~bit;
    List<Timer> due;  // callbacks may arm and unlink any timer, also those of this slot
    while (Timer* timer = slots_[slot].pop_front()) due.push_back(*timer);
    while (Timer* timer = due.pop_front()) {
      if (timer->expiry_ == Timer::kNever) continue;
      if (timer->expiry_ > target) {
        link(*timer, timer->expiry_);
        continue;
      }
      timer->expiry_ = Timer::kNever;
      timer->callback_(timer->context_);
    }
  }
}

Duration TimerWheel::until_next(TimePoint now) const noexcept {
  for (std::uint64_t ahead = 1; ahead < kSlots;) {
    const std::uint64_t slot = (current_ + ahead) % kSlots;
    const std::uint64_t word = occupied_[slot / 64] >> (slot % 64);
    if (word != 0) {
      const std::uint64_t tick = current_ + ahead + static_cast<std::uint64_t>(std::countr_zero(word));
      const Duration wait = start_ + kTick * static_cast<Duration::rep>(tick) - now;
      return wait > Duration::zero() ? wait : Duration::zero();
    }
    ahead += 64 - slot % 64;
  }
  return Duration(-1);
}

}  // namespace tidegate::net
