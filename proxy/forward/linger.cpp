#include "forward/linger.h"

namespace tidegate::forward {

namespace {
constexpr Duration kLingerTime = std::chrono::seconds(2);      // nginx lingers 5 s, Envoy 1 s
constexpr std::size_t kLingerBytes = 256 * 1024;
}  // namespace

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
