// What the tests of streams share: a reactor on the test's own thread that turns until every part of the test has ended,
// with a deadline, and pairs of connected sockets.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/task.h"
#include "net/reactor.h"
#include "net/stream.h"

namespace tidegate::net::test {

inline constexpr Duration kLong = std::chrono::seconds(5);
inline constexpr Duration kShort = std::chrono::milliseconds(30);

/// Two connected, non-blocking TCP sockets of this machine.
inline std::pair<int, int> tcp_pair() {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(::bind(listener, generic, length), 0);
  EXPECT_EQ(::listen(listener, 1), 0);
  EXPECT_EQ(::getsockname(listener, generic, &length), 0);
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::connect(client, generic, length), 0);
  const int server = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  ::fcntl(client, F_SETFL, O_NONBLOCK);
  ::close(listener);
  return {client, server};
}

/// A listening socket whose backlog is full, or (closed) a port that nobody listens on.
inline Address address_of(int descriptor) {
  Address address;
  address.length = sizeof address.storage;
  EXPECT_EQ(::getsockname(descriptor, address.get(), &address.length), 0);
  return address;
}

class Loop {
 public:
  Reactor reactor;

  /// Runs all of them at once; stops when the last has ended, or fails after five seconds.
  void run(std::vector<Task<>> tasks) {
    left_ = tasks.size();
    Timer deadline([](void* self) { static_cast<Loop*>(self)->give_up(); }, this);
    reactor.arm(deadline, kLong);
    for (Task<>& task : tasks) {
      task.start([](void* self) { static_cast<Loop*>(self)->ended(); }, this);
    }
    reactor.run();
    EXPECT_EQ(left_, 0u) << "not everything ended";
  }
  void run(Task<> task) {
    std::vector<Task<>> tasks;
    tasks.push_back(std::move(task));
    run(std::move(tasks));
  }

 private:
  void ended() {
    if (--left_ == 0) reactor.stop();
  }
  void give_up() { reactor.stop(); }
  std::size_t left_ = 0;
};

/// Waits for some time, on the reactor's clock.
struct Pause {
  Pause(Reactor& on, Duration d) : reactor(on), time(d), timer(&Pause::over, this) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    waiting = handle;
    reactor.arm(timer, time);
  }
  void await_resume() const noexcept {}
  static void over(void* self) { static_cast<Pause*>(self)->waiting.resume(); }
  Reactor& reactor;
  Duration time;
  Timer timer;
  std::coroutine_handle<> waiting;
};

/// A stream with the plain socket at its other end.
struct Wire {
  explicit Wire(Loop& loop) : stream(loop.reactor) {
    const auto [mine, other] = tcp_pair();
    peer = other;
    EXPECT_TRUE(stream.adopt(mine));
  }
  ~Wire() { close_peer(); }
  void write(std::string_view text) const { EXPECT_EQ(::send(peer, text.data(), text.size(), 0), static_cast<ssize_t>(text.size())); }
  void end() const { ::shutdown(peer, SHUT_WR); }
  void close_peer() {
    if (peer >= 0) ::close(std::exchange(peer, -1));
  }
  void reset_peer() {
    const linger hard{1, 0};
    ::setsockopt(peer, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close_peer();
  }
  Stream stream;
  int peer = -1;
};

}  // namespace tidegate::net::test
