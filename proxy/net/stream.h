// One connected TCP socket as two awaitable directions: `co_await stream.read(...)`, `co_await stream.send(...)`.
//
// A read first takes what is there and waits only when there is nothing; edge-triggered readiness is remembered, so no
// system call is made just to learn that the socket is empty. At most one read and one send may be in progress. Each has
// its own deadline: for a read since it began, for a send since its last progress. Instead of the program's memory both
// take a pipe, which carries bytes from one socket to another inside the kernel.
//
// Not here: TLS, HTTP, pooling. Owned by a session or an upstream connection; one worker's thread.
#pragma once

#include <sys/uio.h>

#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>

#include "net/address.h"
#include "net/reactor.h"
#include "net/splice_pipe.h"

namespace tidegate::net {

enum class IoStatus : std::uint8_t {
  Ok,
  Eof,         ///< read: the peer has ended its direction
  Reset,       ///< the connection is broken, or could not be made
  TimedOut,
  Canceled,    ///< cancel() was called
  NotSpliced,  ///< with a pipe only: none to be had, or these bytes do not go through one; copying does
};

struct IoResult {
  IoStatus status = IoStatus::Ok;
  std::size_t bytes = 0;
};

/// What a reader expects: Much gets a large block where there is one.
enum class Expect : std::uint8_t { Little, Much };

class Stream final : private EventHandler {
 public:
  static constexpr std::size_t kSendParts = 16;  ///< most parts of one send

  explicit Stream(Reactor& reactor) noexcept;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { close(); }

  /// Takes a connected, non-blocking socket that has TCP_NODELAY: a Listener's do.
  bool adopt(int descriptor) noexcept;
  bool is_open() const noexcept { return descriptor_ >= 0; }
  int descriptor() const noexcept { return descriptor_; }
  Reactor& reactor() noexcept { return reactor_; }

  struct ReadOp {
    ReadOp(Stream& on, char* to, std::size_t most, Duration limit) noexcept
        : stream(on), data(to), size(most), timeout(limit) {}
    ReadOp(Stream& on, Buffer& to, Expect amount, Duration limit) noexcept
        : stream(on), buffer(&to), expected(amount), timeout(limit) {}
    ReadOp(Stream& on, SplicePipe& to, std::size_t most, Duration limit) noexcept
        : stream(on), pipe(&to), size(most), timeout(limit) {}
    bool await_ready() noexcept { return stream.attempt(*this); }
    void await_suspend(std::coroutine_handle<> handle) noexcept { stream.wait(*this, handle); }
    IoResult await_resume() const noexcept { return result; }
    Stream& stream;
    Buffer* buffer = nullptr;    ///< instead of data and size
    SplicePipe* pipe = nullptr;  ///< instead of data
    Expect expected = Expect::Little;
    char* data = nullptr;
    std::size_t size = 0;
    Duration timeout;
    IoResult result{};
    std::coroutine_handle<> waiting{};
  };
  /// Reads at least one byte behind what `to` holds. An empty buffer gets its memory when there is something to read and
  /// holds none while it waits. @param timeout zero = none.
  ReadOp read(Buffer& to, Duration timeout, Expect amount = Expect::Little) noexcept { return {*this, to, amount, timeout}; }
  /// Reads at least one byte into [data, data + size). @param timeout zero = none.
  ReadOp read(char* data, std::size_t size, Duration timeout) noexcept { return {*this, data, size, timeout}; }
  /// Moves at least one byte and at most `most` into the empty pipe, which is lent when there is something and given back
  /// while there is not. NotSpliced: nothing was taken, and a read finds what there is. @param timeout zero = none.
  ReadOp read(SplicePipe& to, std::size_t most, Duration timeout) noexcept { return {*this, to, most, timeout}; }

  /// Waits until a read would find something; holds no memory meanwhile.
  ReadOp readable(Duration timeout) noexcept { return {*this, nullptr, 0, timeout}; }
  /// Sets the deadline of the read in progress anew, counted from now.
  void restart_read_timeout(Duration timeout) noexcept {
    if (reader_ != nullptr && timeout > Duration::zero()) reactor_.arm(read_timer_, timeout);
  }

  struct SendOp {
    SendOp(Stream& on, std::span<const iovec> from, Duration limit) noexcept;
    SendOp(Stream& on, SplicePipe& from, Duration limit) noexcept : stream(on), count(0), pipe(&from), timeout(limit) {}
    bool await_ready() noexcept { return stream.attempt(*this); }
    void await_suspend(std::coroutine_handle<> handle) noexcept { stream.wait(*this, handle); }
    IoResult await_resume() const noexcept { return result; }
    Stream& stream;
    std::array<iovec, kSendParts> parts;
    std::size_t first = 0;
    std::size_t count;
    SplicePipe* pipe = nullptr;  ///< instead of parts
    Duration timeout;
    IoResult result{};
    std::coroutine_handle<> waiting{};
  };
  /// Sends all parts (at most kSendParts). `bytes` of the result tells how much went out, also on failure.
  SendOp send(std::span<const iovec> parts, Duration timeout) noexcept { return {*this, parts, timeout}; }
  /// Sends what is in the pipe. NotSpliced: `bytes` went out, the rest is still in the pipe.
  SendOp send(SplicePipe& from, Duration timeout) noexcept { return {*this, from, timeout}; }

  struct ConnectOp {
    ConnectOp(Stream& on, const Address& to, Duration limit) noexcept : stream(on), address(to), timeout(limit) {}
    bool await_ready() noexcept { return stream.attempt(*this); }
    void await_suspend(std::coroutine_handle<> handle) noexcept { stream.wait(*this, handle); }
    IoStatus await_resume() const noexcept { return result; }
    Stream& stream;
    const Address& address;
    Duration timeout;
    IoStatus result = IoStatus::Ok;
    std::coroutine_handle<> waiting{};
  };
  /// Opens a socket and connects it. `address` must outlive the operation. error_number() tells why it failed.
  ConnectOp connect(const Address& address, Duration timeout) noexcept { return {*this, address, timeout}; }

  /// Ends the operations in progress with Canceled, and every later one until connect() begins anew. Whoever waits is
  /// resumed in here and may end what the caller belongs to: nothing of the caller may be touched afterwards.
  void cancel() noexcept;
  /// Ends the read in progress with Canceled; later reads are not affected.
  void cancel_read() noexcept {
    if (reader_ != nullptr) finish_read(IoStatus::Canceled);
  }
  bool canceled() const noexcept { return canceled_; }
  /// Told when the peer ends or breaks the connection while no read is in progress; once. nullptr = nobody.
  void on_hangup(void (*callback)(void*), void* context) noexcept {
    hangup_ = callback;
    hangup_context_ = context;
  }
  /// Told when bytes arrive while no read is in progress; once. For connections that must stay silent.
  void on_unexpected(void (*callback)(void*), void* context) noexcept {
    unexpected_ = callback;
    unexpected_context_ = context;
  }
  /// True when the peer has ended or broken its direction (bytes may still be unread).
  bool ended() const noexcept { return ended_; }
  /// True when the connection is broken in both directions: a reset, or an error.
  bool broken() const noexcept { return broken_; }
  /// True when nothing is known to wait in the socket and the peer has not ended: fit to be kept idle.
  bool is_quiet() const noexcept { return descriptor_ >= 0 && !readable_ && !ended_ && !canceled_; }
  /// Asks the kernel: nothing more to read and the peer has ended. One system call.
  bool at_end() noexcept;
  /// Asks the kernel: nothing to read and the peer has not ended. One system call.
  bool is_silent() noexcept;
  /// After reads that were bounded, so that their length does not tell: learns whether there is more. One system call.
  void look_for_more() noexcept {
    if (is_silent()) readable_ = false;
  }
  bool is_sending() const noexcept { return sender_ != nullptr; }

  void shutdown_send() noexcept;
  void close() noexcept;
  /// Closes with RST, so that the peer cannot take what it has for the whole.
  void abort() noexcept;
  int error_number() const noexcept { return error_; }

 private:
  bool attempt(ReadOp& op) noexcept;
  bool attempt(SendOp& op) noexcept;
  bool attempt(ConnectOp& op) noexcept;
  bool splice(ReadOp& op) noexcept;
  bool splice(SendOp& op) noexcept;
  void wait(ReadOp& op, std::coroutine_handle<> handle) noexcept;
  void wait(SendOp& op, std::coroutine_handle<> handle) noexcept;
  void wait(ConnectOp& op, std::coroutine_handle<> handle) noexcept;
  void before_events(std::uint32_t epoll_events) override;
  void on_events(std::uint32_t epoll_events) override;
  void finish_read(IoStatus status) noexcept;
  void finish_send(IoStatus status) noexcept;
  void finish_connect(IoStatus status) noexcept;
  void continue_send() noexcept;
  static void read_expired(void* self);
  static void send_expired(void* self);

  Reactor& reactor_;
  int descriptor_ = -1;
  int error_ = 0;
  bool readable_ = false;
  bool writable_ = false;
  bool ended_ = false;
  bool broken_ = false;
  bool canceled_ = false;
  ReadOp* reader_ = nullptr;
  SendOp* sender_ = nullptr;
  ConnectOp* connector_ = nullptr;
  void (*hangup_)(void*) = nullptr;
  void* hangup_context_ = nullptr;
  void (*unexpected_)(void*) = nullptr;
  void* unexpected_context_ = nullptr;
  Timer read_timer_;
  Timer send_timer_;
};

}  // namespace tidegate::net
