// Two awaitable directions of bytes: `co_await stream.read(...)`, `co_await stream.send(...)`. The seam between those who carry
// messages and what carries them: a socket (net/stream.h), or one stream of a connection that carries many (h2/stream.h).
//
// At most one read and one send may be in progress. Each has its own deadline: for a read since it began, for a send since
// its last progress. Instead of the program's memory both take a pipe, where the bytes are a socket's own (splice_pipe.h).
//
// One worker's thread.
#pragma once

#include <sys/uio.h>

#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>

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

class ByteStream {
 public:
  static constexpr std::size_t kSendParts = 16;  ///< most parts of one send

  explicit ByteStream(Reactor& reactor) noexcept : reactor_(reactor) {}
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  Reactor& reactor() noexcept { return reactor_; }

  struct ReadOp {
    ReadOp(ByteStream& on, char* to, std::size_t most, Duration limit) noexcept
        : stream(on), data(to), size(most), timeout(limit) {}
    ReadOp(ByteStream& on, Buffer& to, Expect amount, Duration limit) noexcept
        : stream(on), buffer(&to), expected(amount), timeout(limit) {}
    ReadOp(ByteStream& on, SplicePipe& to, std::size_t most, Duration limit) noexcept
        : stream(on), pipe(&to), size(most), timeout(limit) {}
    bool await_ready() noexcept { return stream.attempt(*this); }
    void await_suspend(std::coroutine_handle<> handle) noexcept { stream.wait(*this, handle); }
    IoResult await_resume() const noexcept { return result; }
    ByteStream& stream;
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
  struct SendOp {
    SendOp(ByteStream& on, std::span<const iovec> from, Duration limit) noexcept;
    SendOp(ByteStream& on, SplicePipe& from, Duration limit) noexcept : stream(on), count(0), pipe(&from), timeout(limit) {}
    bool await_ready() noexcept { return stream.attempt(*this); }
    void await_suspend(std::coroutine_handle<> handle) noexcept { stream.wait(*this, handle); }
    IoResult await_resume() const noexcept { return result; }
    ByteStream& stream;
    std::array<iovec, kSendParts> parts;
    std::size_t first = 0;
    std::size_t count;
    SplicePipe* pipe = nullptr;  ///< instead of parts
    Duration timeout;
    IoResult result{};
    std::coroutine_handle<> waiting{};
  };
  /// Sends all parts (at most kSendParts). `bytes` of the result tells how much went out, also on failure; where that is not
  /// known, over TLS, how much may have.
  SendOp send(std::span<const iovec> parts, Duration timeout) noexcept { return {*this, parts, timeout}; }
  /// Sends what is in the pipe. NotSpliced: `bytes` went out, the rest is still in the pipe.
  SendOp send(SplicePipe& from, Duration timeout) noexcept { return {*this, from, timeout}; }

  /// Sets the deadline of the read in progress anew, counted from now.
  virtual void restart_read_timeout(Duration timeout) noexcept = 0;
  /// Ends the operations in progress with Canceled, and every later one. Whoever waits is resumed in here and may end what
  /// the caller belongs to: nothing of the caller may be touched afterwards.
  virtual void cancel() noexcept = 0;
  /// Ends the read in progress with Canceled; later reads are not affected.
  virtual void cancel_read() noexcept = 0;
  /// Ends our direction behind what was sent; the peer's goes on.
  virtual void shutdown_send() noexcept = 0;
  /// Told when the peer ends or breaks its direction while no read is in progress; once. nullptr = nobody.
  virtual void on_hangup(void (*callback)(void*), void* context) noexcept = 0;
  /// True when the peer has ended or broken its direction (bytes may still be unread).
  virtual bool ended() const noexcept = 0;
  /// True when both directions are broken: a reset, or an error.
  virtual bool broken() const noexcept = 0;
  /// Nothing more to read and the peer has ended. May cost a system call.
  virtual bool at_end() noexcept = 0;
  /// After reads that were bounded, so that their length does not tell: learns whether there is more.
  virtual void look_for_more() noexcept = 0;
  virtual bool is_sending() const noexcept = 0;
  /// Of the send in progress what is on its way, less what the peer has not acknowledged of all that went before, as far as that
  /// is known; may be negative. For whoever watches, now and then, whether the peer takes anything. May cost a system call.
  virtual std::int64_t taken() const noexcept = 0;
  /// False: bytes never go through a pipe here, so that nobody need try.
  virtual bool splices() const noexcept { return true; }

 protected:
  ~ByteStream() = default;

  /// @return true when the operation is complete, with its result.
  virtual bool attempt(ReadOp& op) noexcept = 0;
  virtual bool attempt(SendOp& op) noexcept = 0;
  /// Keeps the operation, and resumes `handle` when it is complete.
  virtual void wait(ReadOp& op, std::coroutine_handle<> handle) noexcept = 0;
  virtual void wait(SendOp& op, std::coroutine_handle<> handle) noexcept = 0;

  Reactor& reactor_;
};

}  // namespace tidegate::net
