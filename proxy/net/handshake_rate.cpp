#include "net/handshake_rate.h"

#include <algorithm>
#include <utility>

#include "net/reactor.h"

namespace tidegate::net {

HandshakeRate::HandshakeRate(Reactor& reactor, double per_second) noexcept
    : reactor_(reactor),
      per_second_(per_second),
      most_(std::max(1.0, per_second * kBurstSeconds)),
      tokens_(most_),
      filled_(reactor.now()),
      timer_(&HandshakeRate::due, this) {}

void HandshakeRate::change(double per_second) noexcept {
  refill();
  per_second_ = per_second;
  most_ = std::max(1.0, per_second * kBurstSeconds);
  tokens_ = std::min(tokens_, most_);
  if (per_second_ != 0) return;
  while (HandshakeWaiter* const next = queue_.front()) {
    next->leave_queue();
    next->on_admitted();
  }
}

void HandshakeRate::refill() noexcept {
  tokens_ = std::min(most_, tokens_ + seconds(reactor_.now() - filled_) * per_second_);
  filled_ = reactor_.now();
}

void HandshakeWaiter::leave_queue() noexcept {
  if (waits_for == nullptr) return;
  unlink();
  --std::exchange(waits_for, nullptr)->waiting_;
}

HandshakeRate::Admission HandshakeRate::ask(HandshakeWaiter& who, Duration patience) noexcept {
  if (per_second_ == 0) return Admission::Now;
  refill();
  if (queue_.empty() && tokens_ >= 1) {
    tokens_ -= 1;
    return Admission::Now;
  }
  const double wait = (static_cast<double>(waiting_) + 1 - tokens_) / per_second_;
  if (wait > seconds(patience)) return Admission::Never;
  queue_.push_back(who);
  who.waits_for = this;
  ++waiting_;
  arm();
  return Admission::Later;
}

void HandshakeRate::arm() noexcept {
  if (queue_.empty() || timer_.armed()) return;
  const double wait = std::max(0.0, (1 - tokens_) / per_second_);
  reactor_.arm(timer_, std::chrono::duration_cast<Duration>(std::chrono::duration<double>(wait)));
}

void HandshakeRate::due(void* self) {
  auto& rate = *static_cast<HandshakeRate*>(self);
  rate.refill();
  while (rate.tokens_ >= 1) {
    HandshakeWaiter* const next = rate.queue_.front();
    if (next == nullptr) return;
    next->leave_queue();
    rate.tokens_ -= 1;
    next->on_admitted();
  }
  rate.arm();
}

}  // namespace tidegate::net
