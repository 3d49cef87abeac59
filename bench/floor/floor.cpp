// The floor of the benchmarks: the least that a proxy on sockets can do. One thread, one edge-triggered epoll; every client
// connection gets an upstream connection of its own, and bytes are copied both ways until either end closes.
//
// It parses nothing, so it cannot share upstream connections, choose a side for each request, or survive a change of
// anything: what a real proxy costs above it is the price of doing those. Per message it makes one recv and one send.
//
//   floor PORT OLD_PORT NEW_PORT WEIGHT      of a hundred connections WEIGHT go to NEW_PORT, evenly spread
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;
constexpr int kEvents = 256;
constexpr int kBacklog = 4096;

struct Pair;

struct End {
  int fd = -1;
  Pair* pair = nullptr;
  End* other = nullptr;
  std::string pending;   // could not be sent to this end yet
  bool unread = false;   // this end has bytes that wait until the other takes some
};

struct Pair {
  End client, upstream;
  bool closed = false;
};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

class Floor {
 public:
  Floor(std::uint16_t port, std::uint16_t old_port, std::uint16_t new_port, int weight)
      : old_(loopback(old_port)), new_(loopback(new_port)), weight_(weight) {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const sockaddr_in own = loopback(port);
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) fail("bind");
    if (::listen(listener_, kBacklog) != 0) fail("listen");
    watch(listener_, nullptr, EPOLLIN | EPOLLET);
  }

  [[noreturn]] void run() {
    epoll_event events[kEvents];
    for (;;) {
      const int count = ::epoll_wait(epoll_, events, kEvents, -1);
      if (count < 0 && errno != EINTR) fail("epoll_wait");
      for (int i = 0; i < count; ++i) {
        End* end = static_cast<End*>(events[i].data.ptr);
        if (end == nullptr)
          accept_all();
        else
          handle(*end, events[i].events);
      }
      ended_.clear();   // only now: an event of the same batch may have pointed to one of them
    }
  }

 private:
  void watch(int fd, End* end, std::uint32_t what) {
    epoll_event event{};
    event.events = what;
    event.data.ptr = end;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
  }

  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) return;
        if (errno == ECONNABORTED || errno == EINTR) continue;
        fail("accept");
      }
      open(fd);
    }
  }

  const sockaddr_in& next_upstream() {
    position_ += weight_;
    if (position_ < 100) return old_;
    position_ -= 100;
    return new_;
  }

  void open(int client) {
    const int upstream = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (upstream < 0) fail("socket");
    const sockaddr_in& to = next_upstream();
    if (::connect(upstream, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS) fail("connect");
    const int on = 1;
    ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(upstream, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto* pair = new Pair;   // owned by itself until close() hands it to ended_
    pair->client = {client, pair, &pair->upstream, {}, false};
    pair->upstream = {upstream, pair, &pair->client, {}, false};
    constexpr std::uint32_t both = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    watch(client, &pair->client, both);
    watch(upstream, &pair->upstream, both);
  }

  void handle(End& end, std::uint32_t what) {
    if (end.pair->closed) return;
    if ((what & EPOLLOUT) != 0 && !end.pending.empty()) flush(end);
    const bool ended = (what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if (!end.pair->closed && ((what & EPOLLIN) != 0 || ended)) copy(end, ended);
  }

  // From `end` to the other until there is nothing more, or the other takes no more. A short read has emptied the socket:
  // what comes later is a new edge, so the recv that would say EAGAIN is spared.
  void copy(End& end, bool ended) {
    end.unread = !end.other->pending.empty();
    while (!end.unread) {
      const ssize_t got = ::recv(end.fd, buffer_, sizeof buffer_, 0);
      if (got == 0 || (got < 0 && errno != EAGAIN)) return close(*end.pair);
      if (got < 0) return;
      const ssize_t sent = ::send(end.other->fd, buffer_, static_cast<std::size_t>(got), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return close(*end.pair);
      if (sent < got) {
        end.other->pending.assign(buffer_ + (sent < 0 ? 0 : sent), buffer_ + got);
        end.unread = true;
      }
      if (static_cast<std::size_t>(got) < sizeof buffer_ && !ended) return;
    }
  }

  void flush(End& end) {
    const ssize_t sent = ::send(end.fd, end.pending.data(), end.pending.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return close(*end.pair);
    if (sent > 0) end.pending.erase(0, static_cast<std::size_t>(sent));
    if (end.pending.empty() && end.other->unread) copy(*end.other, true);
  }

  void close(Pair& pair) {
    pair.closed = true;
    ::close(pair.client.fd);
    ::close(pair.upstream.fd);
    ended_.emplace_back(&pair);
  }

  sockaddr_in old_, new_;
  int weight_, position_ = 0;
  int epoll_ = -1, listener_ = -1;
  std::vector<std::unique_ptr<Pair>> ended_;
  char buffer_[kBufferBytes];
};

std::uint16_t port(const char* text) { return static_cast<std::uint16_t>(std::atoi(text)); }

}  // namespace

int main(int count, char** arguments) {
  if (count != 5) {
    std::fputs("usage: floor PORT OLD_PORT NEW_PORT WEIGHT\n", stderr);
    return 2;
  }
  auto floor = std::make_unique<Floor>(port(arguments[1]), port(arguments[2]), port(arguments[3]), std::atoi(arguments[4]));
  floor->run();
}
