// One connected socket as a ByteStream.
//
// A read first takes what is there and waits only when there is nothing; edge-triggered readiness is remembered, so no
// system call is made just to learn that the socket is empty.
//
// With a TlsLayer between the socket and what is above (tls_layer.h) all operations mean the same: secure_with(), and then
// the handshake is the first operation.
//
// Not here: HTTP, pooling. Owned by a session or an upstream connection; one worker's thread.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "net/address.h"
#include "net/byte_stream.h"
#include "net/reactor.h"

namespace tidegate::net {

class HandshakeRate;
class TlsLayer;

class Stream final : public ByteStream, private EventHandler {
 public:
  explicit Stream(Reactor& reactor) noexcept;
  ~Stream();

  /// Takes a connected, non-blocking socket that has TCP_NODELAY: a Listener's do.
  bool adopt(int descriptor) noexcept;
  bool is_open() const noexcept { return descriptor_ >= 0; }
  int descriptor() const noexcept { return descriptor_; }

  struct ConnectOp {
    ConnectOp(Stream& on, const Address* to, Duration limit) noexcept : stream(on), address(to), timeout(limit) {}
    bool await_ready() noexcept { return stream.attempt(*this); }
    void await_suspend(std::coroutine_handle<> handle) noexcept { stream.wait(*this, handle); }
    IoStatus await_resume() const noexcept { return result; }
    Stream& stream;
    const Address* address;  ///< nullptr: begin_connect() was called
    Duration timeout;
    IoStatus result = IoStatus::Ok;
    std::coroutine_handle<> waiting{};
  };
  /// Opens a socket and connects it. `address` must outlive the operation. error_number() tells why it failed.
  ConnectOp connect(const Address& address, Duration timeout) noexcept { return {*this, &address, timeout}; }
  /// The same in two steps, for who must know when it is on its way. @return false: it failed here and now, error_number()
  /// tells why.
  bool begin_connect(const Address& address) noexcept;
  /// Waits for what begin_connect() began.
  ConnectOp connected(Duration timeout) noexcept { return {*this, nullptr, timeout}; }

  struct HandshakeOp {
    HandshakeOp(Stream& on, HandshakeRate* bound, Duration limit) noexcept
        : stream(on), rate(bound), timeout(limit), deadline(on.reactor_.now() + limit) {}
    bool await_ready() noexcept { return stream.attempt(*this); }
    void await_suspend(std::coroutine_handle<> handle) noexcept { stream.wait(*this, handle); }
    IoStatus await_resume() const noexcept { return result; }
    Stream& stream;
    HandshakeRate* rate;
    Duration timeout;
    TimePoint deadline;
    IoStatus result = IoStatus::Ok;
    std::coroutine_handle<> waiting{};
  };
  /// From now on TLS, until the stream is closed. The handshake comes before every other operation.
  void secure_with(std::unique_ptr<TlsLayer> layer) noexcept;
  /// tls()->result() and failure() tell why it failed. @param rate of the listener; nullptr = no bound.
  HandshakeOp handshake(Duration timeout, HandshakeRate* rate = nullptr) noexcept { return {*this, rate, timeout}; }
  /// nullptr: plain.
  const TlsLayer* tls() const noexcept { return tls_.get(); }
  bool is_secure() const noexcept { return tls_ != nullptr; }
  /// Back to plain bytes, after a handshake that failed because the peer speaks no TLS: to tell it so.
  void leave_tls() noexcept;

  // --- ByteStream
  void restart_read_timeout(Duration timeout) noexcept override {
    if (reader_ != nullptr && timeout > Duration::zero()) reactor_.arm(read_timer_, timeout);
  }
  /// Until connect() begins anew.
  void cancel() noexcept override;
  void cancel_read() noexcept override {
    if (reader_ != nullptr) finish_read(IoStatus::Canceled);
  }
  void on_hangup(void (*callback)(void*), void* context) noexcept override {
    hangup_ = callback;
    hangup_context_ = context;
  }
  bool ended() const noexcept override { return ended_; }
  bool broken() const noexcept override { return broken_; }
  bool at_end() noexcept override;
  void look_for_more() noexcept override {
    if (is_silent()) readable_ = false;
  }
  bool splices() const noexcept override { return tls_ == nullptr; }
  bool is_sending() const noexcept override { return sender_ != nullptr; }
  std::int64_t taken() const noexcept override;

  bool canceled() const noexcept { return canceled_; }
  /// A read has met the end, or the break, of the peer's direction: nothing more comes from it.
  bool has_read_end() const noexcept;
  /// Bytes of ours that the peer's machine has not acknowledged; the end of our direction counts as one. One system call.
  std::int64_t unsent() const noexcept;
  /// Told when bytes arrive while no read is in progress; once. For connections that must stay silent.
  void on_unexpected(void (*callback)(void*), void* context) noexcept {
    unexpected_ = callback;
    unexpected_context_ = context;
  }
  /// True when nothing is known to wait in the socket and the peer has not ended: fit to be kept idle.
  bool is_quiet() noexcept;
  /// Asks the kernel: nothing to read and the peer has not ended. One system call.
  bool is_silent() noexcept;
  /// Copies what is next in the socket and leaves it there. 0: nothing yet, or the end, which a read tells.
  std::size_t peek(char* to, std::size_t most) noexcept;

  void shutdown_send() noexcept override;
  /// With TLS: close_notify, once; what comes before shutdown_send() or close(). @return false: the socket is too full for it, and
  /// closing would lose it.
  bool say_goodbye() noexcept;
  void close() noexcept;
  /// Closes with RST, so that the peer cannot take what it has for the whole.
  void abort() noexcept;
  int error_number() const noexcept { return error_; }

 private:
  friend class TlsLayer;
  bool attempt(ReadOp& op) noexcept override;
  bool attempt(SendOp& op) noexcept override;
  bool attempt(ConnectOp& op) noexcept;
  bool attempt(HandshakeOp& op) noexcept;
  bool splice(ReadOp& op) noexcept;
  bool splice(SendOp& op) noexcept;
  void wait(ReadOp& op, std::coroutine_handle<> handle) noexcept override;
  void wait(SendOp& op, std::coroutine_handle<> handle) noexcept override;
  void wait(ConnectOp& op, std::coroutine_handle<> handle) noexcept;
  void wait(HandshakeOp& op, std::coroutine_handle<> handle) noexcept;
  void before_events(std::uint32_t epoll_events) override;
  void on_events(std::uint32_t epoll_events) override;
  void finish_read(IoStatus status) noexcept;
  void finish_send(IoStatus status) noexcept;
  void finish_connect(IoStatus status) noexcept;
  void finish_handshake(IoStatus status) noexcept;
  void continue_handshake() noexcept;
  std::uint64_t progress() const noexcept;
  void shut_down() noexcept;
  void continue_send() noexcept;
  static void read_expired(void* self);
  static void send_expired(void* self);

  int descriptor_ = -1;
  int error_ = 0;
  bool readable_ = false;
  bool writable_ = false;
  bool ended_ = false;
  bool broken_ = false;
  bool read_end_ = false;
  bool canceled_ = false;
  bool shutdown_waits_ = false;  // for what is encrypted to be sent
  ReadOp* reader_ = nullptr;
  SendOp* sender_ = nullptr;
  ConnectOp* connector_ = nullptr;
  HandshakeOp* handshaker_ = nullptr;
  void (*hangup_)(void*) = nullptr;
  void* hangup_context_ = nullptr;
  void (*unexpected_)(void*) = nullptr;
  void* unexpected_context_ = nullptr;
  Timer read_timer_;
  Timer send_timer_;
  std::unique_ptr<TlsLayer> tls_;
};

}  // namespace tidegate::net
