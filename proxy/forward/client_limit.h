// How many connections each client has, and a bound on it: limits.connections_per_client. One table a listener for all workers,
// because SO_REUSEPORT spreads the connections of one client over them by a hash: shares of the bound would turn a client away
// that is far below it. So the count is exact, and the one thing that workers share by a lock; it is taken when a connection
// begins and when it ends, never for a request, by one of 64 parts of the table, and not at all where there is no bound.
//
// A client is an IPv4 address, or the /64 of an IPv6 one: that is what one subscriber has (RFC 6177). Each part is a tree and
// not a hash table: who may choose addresses gains nothing by choosing them.
//
// Any thread. Owned by the composition root.
#pragma once

#include <array>
#include <atomic>
#include <compare>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "net/address.h"

namespace tidegate::forward {

struct ClientId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;  ///< 0 for IPv6
  auto operator<=>(const ClientId&) const = default;
};

/// Nothing for a unix-domain socket, which tells nobody's address.
std::optional<ClientId> client_id(const net::Address& address) noexcept;

class ClientLimit {
 public:
  /// @param most connections of a client at a time; 0 = no limit: then nobody need be counted.
  explicit ClientLimit(std::uint32_t most) noexcept : most_(most) {}
  ClientLimit(const ClientLimit&) = delete;
  ClientLimit& operator=(const ClientLimit&) = delete;

  std::uint32_t most() const noexcept { return most_.load(std::memory_order_relaxed); }
  /// From now on; connections that are there stay.
  void set_most(std::uint32_t most) noexcept { most_.store(most, std::memory_order_relaxed); }
  /// Counts one more connection. @return false: the client has `most` already, and nothing was counted.
  [[nodiscard]] bool enter(const ClientId& client);
  /// Ends one that was counted.
  void leave(const ClientId& client) noexcept;
  /// Clients that have a connection.
  std::size_t clients();

 private:
  struct alignas(64) Part {
    std::mutex mutex;
    std::map<ClientId, std::uint32_t> connections;
  };
  Part& part_of(const ClientId& client) noexcept;

  std::atomic<std::uint32_t> most_;
  std::array<Part, 64> parts_;
};

/// One connection's place in the table, given back with it.
class ClientPlace {
 public:
  ClientPlace() = default;
  ClientPlace(const ClientPlace&) = delete;
  ClientPlace& operator=(const ClientPlace&) = delete;
  ~ClientPlace() { give_back(); }

  /// Once. @return false: there is none left.
  [[nodiscard]] bool take(ClientLimit& limit, const ClientId& client) {
    if (!limit.enter(client)) return false;
    limit_ = &limit;
    client_ = client;
    return true;
  }
  void give_back() noexcept {
    if (limit_ != nullptr) limit_->leave(client_);
    limit_ = nullptr;
  }

 private:
  ClientLimit* limit_ = nullptr;
  ClientId client_;
};

}  // namespace tidegate::forward
