// A connection to an endpoint that carries one exchange at a time. It is either lent to an exchange (Lease) or idle in its
// pool; idle, any byte or end that arrives unasked closes it (RFC 9112 §9.2).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/buffer.h"
#include "base/intrusive_list.h"
#include "net/reactor.h"
#include "net/stream.h"
#include "upstream/channel.h"
#include "upstream/client.h"

namespace tidegate::upstream {

class Connection final : public Channel, public net::Retirable, public Link<> {
 public:
  /// @param client whose connection it is; nullptr: nobody's in particular.
  Connection(net::Reactor& reactor, Pool& pool, std::size_t target, Client* client)
      : Channel(socket, nullptr, reactor.blocks()),
        socket(reactor),
        pool_(pool),
        target_(target),
        client_(client),
        idle_timer_(&Connection::leave_pool, this) {
    of_client_.connection = this;
  }

  net::Stream socket;

  std::size_t target() const noexcept override { return target_; }
  bool is_reused() const noexcept override { return exchanges_ > 1; }
  std::uint32_t exchanges() const noexcept { return exchanges_; }
  void release(bool reusable) override;

 private:
  friend class Client;
  friend class Pool;
  /// Idle for too long, or it spoke or ended unasked.
  static void leave_pool(void* self);

  Pool& pool_;
  const std::size_t target_;
  Client* const client_;
  Client::Place of_client_;
  std::uint32_t exchanges_ = 0;
  net::Timer idle_timer_;
};

}  // namespace tidegate::upstream
