// Listening sockets: opened, or handed over by systemd or by a process that this one follows. Part of the composition root.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "net/address.h"
#include "net/listener.h"

namespace tidegate {

/// A listening socket that somebody else has opened.
struct HandedSocket {
  int descriptor = -1;
  std::string listener{};  ///< its name and address in the configuration of the process before; empty: systemd's
  std::string address{};
  bool owns_file = false;  ///< of a unix-domain socket: who listens removes it at the end
};

/// The sockets that were handed over, until each has found its listener. What is left over is closed.
class HandedOver {
 public:
  explicit HandedOver(std::vector<HandedSocket> sockets) : sockets_(std::move(sockets)) {}
  HandedOver(const HandedOver&) = delete;
  HandedOver& operator=(const HandedOver&) = delete;
  ~HandedOver();

  /// Those that listen on the address, or did so for the listener whose port was any; the caller's.
  std::vector<HandedSocket> take(const std::string& listener, const config::SocketAddress& wanted);
  /// systemd hands over what a unit names: what no listener takes is a mistake there. @throws std::runtime_error
  void refuse_rest() const;
  /// What is left over would keep clients waiting in its queue. @return the listeners that it was for
  std::vector<std::string> close_rest();

 private:
  std::vector<HandedSocket> sockets_;
};

/// How an address is written in a configuration: "127.0.0.1:0", "[::1]:80", "unix:/run/a.sock".
std::string written(const config::SocketAddress& address);

/// The sockets of one listener, by worker: each has one of its own for the same address, whose port, if it is 0, the first
/// chooses; or a descriptor of the one socket that a unix-domain address can have. Closed, unless they were taken.
class OpenedListener {
 public:
  OpenedListener() = default;
  OpenedListener(OpenedListener&& from) noexcept;
  OpenedListener& operator=(OpenedListener&&) = delete;
  ~OpenedListener();

  /// @param in_use the address may be taken by a listener of ours that ends.
  /// @throws std::runtime_error, std::system_error naming the address.
  static OpenedListener open(const config::Listener& from, std::size_t workers, HandedOver& handed_over, bool in_use = false);

  std::vector<int> take(std::size_t worker);

  std::string address;
  net::Sharing sharing = net::Sharing::Each;
  std::optional<net::Address> file;  ///< of a unix-domain socket, which is ours to remove
  bool handed = false;               ///< ... once the process before has let it go

 private:
  void share(int descriptor, const net::Address& of, std::size_t workers);
  std::vector<std::vector<int>> descriptors_;  // by worker
};

}  // namespace tidegate
