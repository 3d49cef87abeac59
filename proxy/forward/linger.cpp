#include "forward/linger.h"

#include <algorithm>

#include "forward/pace.h"

namespace tidegate::forward {

namespace {
constexpr Duration kLingerTime = std::chrono::seconds(2);      // nginx lingers 5 s, Envoy 1 s
constexpr std::size_t kLingerBytes = 256 * 1024;
constexpr Duration kLook = std::chrono::milliseconds(250);     // no event tells of an acknowledgement

/// Often enough for the policy's times to mean what they say.
Duration look_every(const SessionPolicy& policy) noexcept {
  const Duration shortest = policy.min_response_rate > 0 ? std::min(policy.body_idle_timeout, policy.rate_grace) : policy.body_idle_timeout;
  return std::clamp<Duration>(shortest / 8, net::TimerWheel::kTick, kLook);
}
}  // namespace

Task<Taken> await_taken(net::Stream& stream, Buffer& scratch, const SessionPolicy& policy, Pause& pause) {
  net::Reactor& reactor = stream.reactor();
  const Duration look = look_every(policy);
  const std::int64_t all = stream.unsent();
  std::int64_t left = all;
  TimePoint looked_at = reactor.now();
  TimePoint moved_at = looked_at;
  Pace pace;
  pace.start(policy.min_response_rate, policy.rate_grace, Pace::kWindowBytes, looked_at);
  std::size_t discarded = 0;
  while (left > 0) {
    scratch.clear();
    if (discarded >= kLingerBytes) {
      scratch.release();
      co_await pause.wait(reactor, look);
    }
    const Duration rest = std::max<Duration>(looked_at + look - reactor.now(), net::TimerWheel::kTick);
    const net::IoResult result = co_await stream.read(scratch, rest);
    if (result.status != net::IoStatus::Ok && result.status != net::IoStatus::TimedOut) co_return Taken::Stopped;
    discarded += result.bytes;
    const TimePoint now = reactor.now();
    if (now - looked_at < look) continue;
    looked_at = now;
    const std::int64_t before = left;
    left = stream.unsent();
    if (left < before) moved_at = now;
    if (!pace.keeps_up(all - left, true, now)) co_return Taken::TooSlowly;
    if (now - moved_at >= policy.body_idle_timeout) co_return Taken::Stopped;
  }
  co_return Taken::All;
}

Task<> linger(net::ByteStream& stream, Buffer& scratch) {
  net::Reactor& reactor = stream.reactor();
  const TimePoint deadline = reactor.now() + kLingerTime;
  std::size_t discarded = 0;
  while (discarded < kLingerBytes) {
    const Duration left = deadline - reactor.now();
    if (left <= Duration::zero()) break;
    scratch.clear();
    const net::IoResult result = co_await stream.read(scratch, left);
    if (result.status != net::IoStatus::Ok) break;
    discarded += result.bytes;
  }
  scratch.clear();
}

}  // namespace tidegate::forward
