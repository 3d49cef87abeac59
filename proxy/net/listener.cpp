#include "net/listener.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <system_error>
#include <utility>

namespace tidegate::net {

namespace {
constexpr int kAcceptsPerEvent = 64;       // then the other descriptors get their turn
constexpr int kSharedAcceptsPerEvent = 1;  // the other workers get theirs
constexpr int kBacklog = 4096;             // the kernel bounds it by net.core.somaxconn
constexpr Duration kRetryAfter = std::chrono::milliseconds(100);
}  // namespace

Listener::Listener(Reactor& reactor, std::uint32_t most_connections)
    : reactor_(reactor), most_connections_(most_connections), retry_timer_(&Listener::retry, this) {}

Listener::~Listener() { close(); }

namespace {

/// A bound socket. @throws std::system_error naming the address.
int bind_socket(const Address& address, bool shared) {
  const int descriptor = ::socket(address.get()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (descriptor >= 0) {
    ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // accepted sockets inherit it: no call for each
  }
  if (descriptor < 0 || (shared && ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) ||
      ::bind(descriptor, address.get(), address.length) != 0 || ::listen(descriptor, kBacklog) != 0) {
    const int error = errno;
    if (descriptor >= 0) ::close(descriptor);
    throw std::system_error(error, std::generic_category(), "cannot listen on " + text(address));
  }
  return descriptor;
}

}  // namespace

int Listener::open(const Address& address) { return bind_socket(address, true); }

void Listener::check_free(const Address& address) { ::close(bind_socket(address, false)); }

int Listener::duplicate(int descriptor) {
  const int copy = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) throw std::system_error(errno, std::generic_category(), "cannot share a listening socket");
  return copy;
}

void Listener::start(int descriptor, Sharing sharing, Accepted accepted) {
  accepted_ = std::move(accepted);
  descriptor_ = descriptor;
  sharing_ = sharing;
  watch();
}

void Listener::watch() {
  std::uint32_t events = EPOLLIN;
  if (sharing_ == Sharing::One) events |= EPOLLEXCLUSIVE;
  if (reactor_.add(descriptor_, events, *this)) return;
  paused_ = true;  // the kernel has no memory, or no watch, for it now
  reactor_.arm(retry_timer_, kRetryAfter);
}

void Listener::set_most(std::uint32_t connections) {
  most_connections_ = connections;
  if (paused_ && !retry_timer_.armed()) resume();
}

/// Out of the epoll first: it would go on telling of a socket that other workers still have open.
void Listener::close() {
  if (descriptor_ < 0) return;
  reactor_.remove(descriptor_);
  ::close(std::exchange(descriptor_, -1));
}

void Listener::stop() {
  if (descriptor_ < 0) return;
  while (accept_some()) {
  }
  retry_timer_.disarm();
  close();
}

void Listener::on_session_end() {
  --connections_;
  if (paused_ && !retry_timer_.armed()) resume();
}

/// @return true when there may be more to accept.
bool Listener::accept_some() {
  const int most = sharing_ == Sharing::One ? kSharedAcceptsPerEvent : kAcceptsPerEvent;
  for (int i = 0; i < most && descriptor_ >= 0; ++i) {
    if (is_full()) return false;
    Address peer;
    peer.length = sizeof peer.storage;
    const int connection = ::accept4(descriptor_, peer.get(), &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (connection >= 0) {
      ++connections_;
      const bool last = !leaves_the_reserve(connection);
      accepted_(connection, peer);
      if (!last || descriptor_ < 0) continue;
      in_reserve_ = true;
      pause(true);
      return false;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno != EAGAIN) pause(true);  // EMFILE, ENFILE, ENOBUFS, ENOMEM: the queue stays readable, so don't spin on it
    return false;
  }
  return descriptor_ >= 0 && !is_full();
}

/// The kernel gives the lowest number that is free.
bool Listener::leaves_the_reserve(int descriptor) noexcept {
  if (descriptor < reserve_) return true;
  rlimit limit{};  // asked for again only here: it may have been raised
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > static_cast<rlim_t>(std::numeric_limits<int>::max())) return true;
  const int most = static_cast<int>(limit.rlim_cur);
  reserve_ = most - std::clamp(most / 8, kLeastReserved, kMostReserved);
  return descriptor < reserve_;
}

/// Pauses as soon as there is no room, not when the next client knocks: who is woken for it must be one who can accept it.
bool Listener::is_full() {
  if (connections_ < most_connections_) return false;
  pause(false);
  return true;
}

void Listener::pause(bool with_timer) {
  if (!paused_) reactor_.remove(descriptor_);  // an exclusive entry cannot be modified
  paused_ = true;
  if (with_timer) reactor_.arm(retry_timer_, kRetryAfter);
}

void Listener::resume() {
  if (descriptor_ < 0) return;
  paused_ = false;
  watch();
}

void Listener::retry(void* self) {
  auto* const listener = static_cast<Listener*>(self);
  if (listener->in_reserve_) {
    const int probe = ::fcntl(listener->descriptor_, F_DUPFD_CLOEXEC, 0);
    if (probe >= 0) ::close(probe);
    if (probe < 0 || !listener->leaves_the_reserve(probe)) return listener->reactor_.arm(listener->retry_timer_, kRetryAfter);
    listener->in_reserve_ = false;
  }
  listener->resume();
}

}  // namespace tidegate::net
