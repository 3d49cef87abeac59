#include "net/stream.h"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "net/system_calls.h"
#include "net/tls_layer.h"

namespace tidegate::net {

namespace {
constexpr std::uint32_t kEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

/// One part needs no message header, which the kernel would copy in and check.
ssize_t send_parts(int descriptor, iovec* parts, std::size_t count) noexcept {
  if (count == 1) return net::send(descriptor, parts->iov_base, parts->iov_len, MSG_NOSIGNAL);
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = count;
  return net::send(descriptor, message, MSG_NOSIGNAL);
}

/// What the kernel has of ours and the peer's has not acknowledged.
std::int64_t queued_in(int descriptor) noexcept {
  int bytes = 0;
  return ::ioctl(descriptor, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

}  // namespace

Stream::Stream(Reactor& reactor) noexcept
    : ByteStream(reactor), read_timer_(&Stream::read_expired, this), send_timer_(&Stream::send_expired, this) {}

Stream::~Stream() { close(); }

bool Stream::adopt(int descriptor) noexcept {
  descriptor_ = descriptor;
  readable_ = false;  // epoll tells in the next turn if the first bytes came with the connection
  writable_ = true;
  return reactor_.add(descriptor, kEvents, *this);
}

// --- read

bool Stream::attempt(ReadOp& op) noexcept {
  if (canceled_ || descriptor_ < 0) {
    op.result.status = IoStatus::Canceled;
    return true;
  }
  if (tls_ != nullptr) return tls_->attempt(op);
  if (!readable_) return false;
  if (op.pipe != nullptr) return splice(op);
  if (op.buffer != nullptr) {
    if (op.expected == Expect::Much) op.buffer->prefer_large();
    op.buffer->reserve(1);
    op.data = op.buffer->free_space();
    op.size = op.buffer->free_bytes();
  }
  if (op.size == 0) return true;
  for (;;) {
    const ssize_t n = receive(descriptor_, op.data, op.size);
    if (n > 0) {
      op.result = {IoStatus::Ok, static_cast<std::size_t>(n)};
      if (op.buffer != nullptr) op.buffer->commit(op.result.bytes);
      // Short: the socket is empty, and the next byte brings an event, unless the end is already known.
      if (op.result.bytes < op.size && !ended_) readable_ = false;
      return true;
    }
    if (n == 0) {
      ended_ = read_end_ = true;
      op.result.status = IoStatus::Eof;
      return true;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      readable_ = false;
      if (op.buffer != nullptr && op.buffer->empty()) op.buffer->release();
      return false;
    }
    error_ = errno;
    ended_ = read_end_ = true;
    op.result.status = IoStatus::Reset;
    return true;
  }
}

bool Stream::has_read_end() const noexcept { return read_end_ || (tls_ != nullptr && tls_->has_read_end()); }

void Stream::wait(ReadOp& op, std::coroutine_handle<> handle) noexcept {
  op.waiting = handle;
  reader_ = &op;
  if (op.buffer != nullptr && op.buffer->empty()) op.buffer->release();
  if (op.pipe != nullptr) op.pipe->release();
  if (tls_ != nullptr) tls_->flush();  // tickets, when the client is in no hurry
  if (op.timeout > Duration::zero()) reactor_.arm(read_timer_, op.timeout);
}

void Stream::finish_read(IoStatus status) noexcept {
  ReadOp* op = std::exchange(reader_, nullptr);
  read_timer_.disarm();
  op->result.status = status;
  op->waiting.resume();
}

void Stream::read_expired(void* self) {
  auto* stream = static_cast<Stream*>(self);
  if (stream->handshaker_ != nullptr) return stream->finish_handshake(IoStatus::TimedOut);
  if (stream->reader_ != nullptr) stream->finish_read(IoStatus::TimedOut);
}

// --- send

ByteStream::SendOp::SendOp(ByteStream& on, std::span<const iovec> from, Duration limit) noexcept
    : stream(on), count(std::min(from.size(), kSendParts)), timeout(limit) {
  std::copy_n(from.begin(), count, parts.begin());
}

bool Stream::attempt(SendOp& op) noexcept {
  if (canceled_ || descriptor_ < 0) {
    op.result.status = IoStatus::Canceled;
    return true;
  }
  if (tls_ != nullptr) return tls_->attempt(op);
  if (!writable_) return false;
  if (op.pipe != nullptr) return splice(op);
  for (;;) {
    const ssize_t n = send_parts(descriptor_, op.parts.data() + op.first, op.count - op.first);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {
        writable_ = false;
        return false;
      }
      error_ = errno;
      op.result.status = IoStatus::Reset;
      return true;
    }
    auto sent = static_cast<std::size_t>(n);
    op.result.bytes += sent;
    while (op.first < op.count && sent >= op.parts[op.first].iov_len) sent -= op.parts[op.first++].iov_len;
    if (op.first == op.count) return true;
    iovec& part = op.parts[op.first];
    part.iov_base = static_cast<char*>(part.iov_base) + sent;
    part.iov_len -= sent;
    writable_ = false;  // a short send means a full socket: the kernel tells when there is room
    return false;
  }
}

void Stream::wait(SendOp& op, std::coroutine_handle<> handle) noexcept {
  op.waiting = handle;
  sender_ = &op;
  if (op.timeout > Duration::zero()) reactor_.arm(send_timer_, op.timeout);
}

/// What the socket has taken of the send in progress, to see whether it moves.
std::uint64_t Stream::progress() const noexcept { return tls_ != nullptr ? tls_->flushed() : sender_->result.bytes; }

std::int64_t Stream::taken() const noexcept {
  const std::int64_t sent = sender_ != nullptr ? static_cast<std::int64_t>(sender_->result.bytes) : 0;
  return sent - queued_in(descriptor_);
}

std::int64_t Stream::unsent() const noexcept {
  const auto encrypted = static_cast<std::int64_t>(tls_ != nullptr ? tls_->held_bytes() : 0);
  return encrypted + queued_in(descriptor_);
}

void Stream::continue_send() noexcept {
  const std::uint64_t before = progress();
  if (attempt(*sender_)) {
    finish_send(sender_->result.status);
  } else if (progress() != before && sender_->timeout > Duration::zero()) {
    reactor_.arm(send_timer_, sender_->timeout);
  }
}

void Stream::finish_send(IoStatus status) noexcept {
  SendOp* op = std::exchange(sender_, nullptr);
  send_timer_.disarm();
  if (tls_ != nullptr && status != IoStatus::Ok) {
    tls_->spoil();
    op->result.bytes += tls_->take_doubtful();
  }
  op->result.status = status;
  op->waiting.resume();
}

void Stream::send_expired(void* self) {
  auto* stream = static_cast<Stream*>(self);
  if (stream->sender_ != nullptr) {
    stream->finish_send(IoStatus::TimedOut);
  } else if (stream->connector_ != nullptr) {
    stream->finish_connect(IoStatus::TimedOut);
  }
}

// --- through a pipe

namespace {
/// Not the connection's fault: the kernel, or what guards it (seccomp), does not splice.
bool is_refusal(int error) noexcept { return error == EINVAL || error == ENOSYS || error == EPERM || error == EACCES; }
}  // namespace

/// Whatever is not plain data is left to a read, which tells an end from a reset. The pipe is empty, so EAGAIN means that
/// the socket is; or that an urgent byte is next, which splice() does not pass and a read skips: the second look tells.
bool Stream::splice(ReadOp& op) noexcept {
  op.result.status = IoStatus::NotSpliced;
  if (!op.pipe->ensure()) return true;
  ssize_t n = 0;
  do {
    n = op.pipe->fill(descriptor_, op.size);
  } while (n < 0 && errno == EINTR);
  if (n > 0) {
    op.result = {IoStatus::Ok, static_cast<std::size_t>(n)};
    return true;
  }
  const int error = n < 0 ? errno : 0;
  op.pipe->release();
  if (error == EAGAIN) {
    look_for_more();
    return readable_;
  }
  if (is_refusal(error)) {
    reactor_.pipes().give_up();
  } else if (error != 0 && error != ENOMEM) {
    error_ = error;
    ended_ = true;
    op.result.status = IoStatus::Reset;
  }
  return true;
}

bool Stream::splice(SendOp& op) noexcept {
  while (!op.pipe->empty()) {
    const ssize_t n = op.pipe->empty_to(descriptor_);
    if (n > 0) {
      op.result.bytes += static_cast<std::size_t>(n);
      continue;
    }
    const int error = n < 0 ? errno : EINVAL;
    if (error == EINTR) continue;
    if (error == EAGAIN) {
      writable_ = false;
      return false;
    }
    if (is_refusal(error)) {
      reactor_.pipes().give_up();
      op.result.status = IoStatus::NotSpliced;
    } else {
      error_ = error;
      op.result.status = IoStatus::Reset;
    }
    return true;
  }
  return true;
}

// --- connect

bool Stream::attempt(ConnectOp& op) noexcept {
  op.result = IoStatus::Reset;
  if (op.address != nullptr && !begin_connect(*op.address)) return true;
  if (!writable_) return false;  // on its way
  op.result = IoStatus::Ok;
  return true;
}

bool Stream::begin_connect(const Address& address) noexcept {
  close();
  canceled_ = false;
  error_ = 0;
  const int descriptor = ::socket(address.get()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) {
    error_ = errno;
    return false;
  }
  descriptor_ = descriptor;
  const int on = 1;
  if (!is_unix(address)) ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  readable_ = writable_ = false;
  const int rc = ::connect(descriptor, address.get(), address.length);
  const int error = rc == 0 ? 0 : errno;
  if ((rc != 0 && error != EINPROGRESS) || !reactor_.add(descriptor, kEvents, *this)) {
    close();
    error_ = error != 0 && error != EINPROGRESS ? error : errno;
    return false;
  }
  writable_ = rc == 0;
  return true;
}

void Stream::wait(ConnectOp& op, std::coroutine_handle<> handle) noexcept {
  op.waiting = handle;
  connector_ = &op;
  if (op.timeout > Duration::zero()) reactor_.arm(send_timer_, op.timeout);
}

void Stream::finish_connect(IoStatus status) noexcept {
  ConnectOp* op = std::exchange(connector_, nullptr);
  send_timer_.disarm();
  op->result = status;
  op->waiting.resume();
}

// --- TLS

void Stream::secure_with(std::unique_ptr<TlsLayer> layer) noexcept {
  tls_ = std::move(layer);
  tls_->attach(*this);
}

void Stream::leave_tls() noexcept {
  tls_.reset();
  readable_ = true;  // some of what it read is gone; whether there is more the socket tells
}

bool Stream::attempt(HandshakeOp& op) noexcept {
  if (canceled_ || descriptor_ < 0 || tls_ == nullptr) {
    op.result = IoStatus::Canceled;
    return true;
  }
  return tls_->shake_hands(op.rate, op.deadline - reactor_.now(), op.result);
}

void Stream::wait(HandshakeOp& op, std::coroutine_handle<> handle) noexcept {
  op.waiting = handle;
  handshaker_ = &op;
  if (op.timeout > Duration::zero()) reactor_.arm(read_timer_, op.timeout);
}

void Stream::finish_handshake(IoStatus status) noexcept {
  HandshakeOp* op = std::exchange(handshaker_, nullptr);
  read_timer_.disarm();
  if (status == IoStatus::TimedOut) tls_->give_up_handshake(TlsResult::Timeout);
  if (status == IoStatus::Canceled) tls_->give_up_handshake(TlsResult::Canceled);
  op->result = status;
  op->waiting.resume();
}

void Stream::continue_handshake() noexcept {
  if (handshaker_ != nullptr && attempt(*handshaker_)) finish_handshake(handshaker_->result);
}

// --- events

/// A message without data on an idle connection (a ticket) is nothing unexpected.
void Stream::before_events(std::uint32_t events) {
  if (unexpected_ == nullptr || (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0) return;
  readable_ = true;
  const bool leaves = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if (tls_ != nullptr && !leaves && tls_->look() == TlsLayer::Look::Nothing) return;
  std::exchange(unexpected_, nullptr)(unexpected_context_);
}

void Stream::on_events(std::uint32_t events) {
  if (descriptor_ < 0) return;  // closed earlier in this batch
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) ended_ = true;
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) broken_ = true;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) readable_ = true;
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) writable_ = true;
  if (connector_ != nullptr) {
    if (!writable_) return;
    socklen_t length = sizeof error_;
    ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error_, &length);
    finish_connect(error_ == 0 ? IoStatus::Ok : IoStatus::Reset);
    return;
  }
  if (handshaker_ != nullptr) {
    tls_->flush();
    return continue_handshake();
  }
  if (sender_ != nullptr && writable_) {
    continue_send();
  } else if (tls_ != nullptr && writable_ && tls_->flush() && shutdown_waits_) {
    shut_down();
  }
  if (descriptor_ < 0) return;
  if (reader_ != nullptr) {
    if (attempt(*reader_)) finish_read(reader_->result.status);
    return;
  }
  // A client that leaves may say so inside TLS alone.
  if (tls_ != nullptr && hangup_ != nullptr && readable_ && !ended_ && !tls_->has_looked()) tls_->look();
  if (ended_ && hangup_ != nullptr) std::exchange(hangup_, nullptr)(hangup_context_);
}

void Stream::cancel() noexcept {
  canceled_ = true;
  if (connector_ != nullptr) finish_connect(IoStatus::Canceled);
  if (handshaker_ != nullptr) finish_handshake(IoStatus::Canceled);
  if (sender_ != nullptr) finish_send(IoStatus::Canceled);
  if (reader_ != nullptr) finish_read(IoStatus::Canceled);
}

bool Stream::at_end() noexcept {
  if (tls_ != nullptr) {
    readable_ = true;
    return tls_->look() == TlsLayer::Look::Ended;
  }
  char byte;
  const ssize_t n = ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

bool Stream::is_silent() noexcept {
  if (tls_ != nullptr && (readable_ || tls_->holds_input())) return tls_->look() == TlsLayer::Look::Nothing;
  char byte;
  const bool nothing = ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
  if (nothing || tls_ == nullptr) return nothing;
  readable_ = true;
  return tls_->look() == TlsLayer::Look::Nothing;
}

bool Stream::is_quiet() noexcept {
  if (descriptor_ < 0 || ended_ || canceled_) return false;
  if (tls_ == nullptr) return !readable_;
  return tls_->look() == TlsLayer::Look::Nothing && !readable_ && !tls_->holds_output();
}

std::size_t Stream::peek(char* to, std::size_t most) noexcept {
  const ssize_t n = ::recv(descriptor_, to, most, MSG_PEEK | MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) readable_ = false;
  return n > 0 ? static_cast<std::size_t>(n) : 0;
}

void Stream::shutdown_send() noexcept {
  if (descriptor_ < 0) return;
  shutdown_waits_ = !say_goodbye();
  if (!shutdown_waits_) shut_down();
}

bool Stream::say_goodbye() noexcept {
  if (tls_ == nullptr) return true;
  tls_->send_close_notify();
  return !tls_->holds_output();
}

void Stream::shut_down() noexcept {
  shutdown_waits_ = false;
  ::shutdown(descriptor_, SHUT_WR);
}

void Stream::close() noexcept {
  if (descriptor_ < 0) return;
  if (tls_ != nullptr && !broken_) tls_->send_close_notify();
  tls_.reset();
  ::close(std::exchange(descriptor_, -1));
  read_timer_.disarm();
  send_timer_.disarm();
  ended_ = broken_ = read_end_ = shutdown_waits_ = false;
  hangup_ = nullptr;
  unexpected_ = nullptr;
}

void Stream::abort() noexcept {
  if (descriptor_ < 0) return;
  tls_.reset();  // without a word: close_notify would make it an orderly end
  const linger reset{1, 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  close();
}

}  // namespace tidegate::net
