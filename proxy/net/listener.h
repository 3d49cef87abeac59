// A listening socket of one worker. Every worker has its own for the same address (SO_REUSEPORT), so the kernel spreads
// connections and no worker hands a socket to another. A unix-domain socket is one for all workers (net/unix_socket.h):
// each has a descriptor of it, the kernel wakes one of them for a connection (EPOLLEXCLUSIVE), and one that is full or
// paused takes its descriptor out of its epoll, so that it is never the one that is woken.
//
// When descriptors run out, or the listener's share of `connections` is reached, accepting pauses and the backlog holds
// the clients; it goes on by a timer or when a session ends. Clients do not get the last descriptors (kReserved): those are for
// upstream connections, the admin API, the state file and health checks. Closing accepts what the backlog still holds first, because
// the kernel resets what a closed SO_REUSEPORT socket had queued.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "net/address.h"
#include "net/reactor.h"

namespace tidegate::net {

/// Whether a listener's socket is its worker's own or one for all of them.
enum class Sharing : std::uint8_t { Each, One };

class Listener final : private EventHandler {
 public:
  /// Descriptors that clients leave free: an eighth of the limit, within these.
  static constexpr int kLeastReserved = 16, kMostReserved = 1024;

  /// Is given each connected, non-blocking socket, and owns it.
  using Accepted = std::function<void(int descriptor, const Address& peer)>;

  Listener(Reactor& reactor, std::uint32_t most_connections);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();

  /// Opens a socket that others can share. Any thread, before serving.
  /// @throws std::system_error naming the address.
  static int open(const Address& address);

  /// SO_REUSEPORT would let a second Tidegate share the port and take part of its traffic unnoticed.
  /// @throws std::system_error when somebody listens on the address already.
  static void check_free(const Address& address);

  /// A further descriptor of a socket that all workers share. @throws std::system_error
  static int duplicate(int descriptor);

  void start(int descriptor, Sharing sharing, Accepted accepted);
  /// From now on; those beyond it that are there stay.
  void set_most(std::uint32_t connections);
  void stop();  ///< accepts what is queued, then closes
  /// A connection that was accepted here has ended.
  void on_session_end();
  std::uint32_t connections() const noexcept { return connections_; }
  int descriptor() const noexcept { return descriptor_; }  ///< -1: it does not listen
  Sharing sharing() const noexcept { return sharing_; }

 private:
  void on_events(std::uint32_t) override { accept_some(); }
  void watch();
  void close();
  bool accept_some();
  bool is_full();
  bool leaves_the_reserve(int descriptor) noexcept;
  void pause(bool with_timer);
  void resume();
  static void retry(void* self);

  Reactor& reactor_;
  Accepted accepted_;
  std::uint32_t most_connections_;
  std::uint32_t connections_ = 0;
  int descriptor_ = -1;
  Sharing sharing_ = Sharing::Each;
  bool paused_ = false;
  int reserve_ = 0;          // the descriptors from here on are not for clients; 0: not looked yet
  bool in_reserve_ = false;  // a client got one of the last descriptors: none more until there are others
  Timer retry_timer_;
};

}  // namespace tidegate::net
