#include "net/proxy_receive.h"

#include <algorithm>
#include <array>

namespace tidegate::net {

namespace {

ProxyReceived refused(ProxyRefusal why, std::string_view reason = {}) { return {why, {}, reason}; }

ProxyReceived ended(IoStatus status, bool begun) {
  if (status == IoStatus::TimedOut) return refused(ProxyRefusal::Timeout);
  return refused(begun && status != IoStatus::Canceled ? ProxyRefusal::Incomplete : ProxyRefusal::Ended);
}

}  // namespace

Task<ProxyReceived> receive_proxy_header(Stream& stream, Duration timeout) {
  std::array<char, kMostProxyBytes> bytes;
  std::size_t taken = 0;
  const TimePoint deadline = stream.reactor().now() + timeout;
  for (;;) {
    const Duration left = std::max<Duration>(deadline - stream.reactor().now(), TimerWheel::kTick);
    const IoResult ready = co_await stream.readable(left);
    if (ready.status != IoStatus::Ok) co_return ended(ready.status, taken > 0);
    const std::size_t seen = stream.peek(bytes.data() + taken, bytes.size() - taken);
    const ProxyDecoded decoded = decode_proxy_header({bytes.data(), taken + seen});
    if (decoded.state == ProxyState::Refused) co_return refused(ProxyRefusal::Malformed, decoded.reason);
    const bool done = decoded.state == ProxyState::Done;
    // Nothing seen: the end, which the read tells, or a byte that it waits for and that is the header's.
    const std::size_t wanted = done ? decoded.consumed - taken : std::max<std::size_t>(seen, 1);
    for (std::size_t read = 0; read < wanted;) {
      const IoResult result = co_await stream.read(bytes.data() + taken, wanted - read, left);
      if (result.status != IoStatus::Ok) co_return ended(result.status, taken > 0);
      read += result.bytes;
      taken += result.bytes;
    }
    if (done) co_return ProxyReceived{ProxyRefusal::None, decoded.header, {}};
  }
}

}  // namespace tidegate::net
