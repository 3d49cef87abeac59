#include "net/splice_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "net/reactor.h"

namespace tidegate::net {

PipePool::~PipePool() {
  while (idle_count_ > 0) close(idle_[--idle_count_]);
}

PipePool::Ends PipePool::take() noexcept {
  if (given_up_ || lent_ == kPipes) return {};
  Ends ends;
  if (idle_count_ > 0) {
    ends = idle_[--idle_count_];
    unused_ = std::min(unused_, idle_count_);
  } else {
    ends = make();
    if (ends.read < 0) return {};
  }
  ++lent_;
  return ends;
}

void PipePool::give(Ends ends) noexcept {
  --lent_;
  idle_[idle_count_++] = ends;
  if (trim_.armed()) return;
  unused_ = 0;
  reactor_.arm(trim_, kIdleTime);
}

void PipePool::discard(Ends ends) noexcept {
  --lent_;
  close(ends);
}

/// A larger pipe takes more of a socket at once. Without the right to it (pipe-user-pages-soft) the usual one will do.
PipePool::Ends PipePool::make() noexcept {
  int both[2];
  if (::pipe2(both, O_CLOEXEC | O_NONBLOCK) != 0) return {};
  const Ends ends{both[0], both[1]};
  if (::fcntl(ends.write, F_SETPIPE_SZ, kPipeBytes) < 0 && ::fcntl(ends.write, F_GETPIPE_SZ) < kLeastPipeBytes) {
    close(ends);
    return {};
  }
  return ends;
}

void PipePool::close(Ends ends) noexcept {
  ::close(ends.read);
  ::close(ends.write);
}

/// Closes as many as were never needed since the last time.
void PipePool::trim(void* self) {
  auto* pool = static_cast<PipePool*>(self);
  for (; pool->unused_ > 0; --pool->unused_) close(pool->idle_[--pool->idle_count_]);
  pool->unused_ = pool->idle_count_;
  if (pool->idle_count_ > 0) pool->reactor_.arm(pool->trim_, kIdleTime);
}

void SplicePipe::release() noexcept {
  if (ends_.read < 0) return;
  const PipePool::Ends ends = std::exchange(ends_, {});
  if (std::exchange(held_, 0) > 0) {
    pool_.discard(ends);
  } else {
    pool_.give(ends);
  }
}

ssize_t SplicePipe::fill(int socket, std::size_t most) noexcept {
  const ssize_t n = ::splice(socket, nullptr, ends_.write, nullptr, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (n > 0) held_ += static_cast<std::size_t>(n);
  return n;
}

ssize_t SplicePipe::empty_to(int socket) noexcept {
  const ssize_t n = ::splice(ends_.read, nullptr, socket, nullptr, held_, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (n > 0) held_ -= static_cast<std::size_t>(n);
  return n;
}

bool SplicePipe::empty_to(Buffer& to) {
  to.reserve(held_);
  while (held_ > 0) {
    const ssize_t n = ::read(ends_.read, to.free_space(), held_);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    to.commit(static_cast<std::size_t>(n));
    held_ -= static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace tidegate::net
