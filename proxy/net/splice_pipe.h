// Pipes through which a large body goes from one socket to another inside the kernel (splice(2)): no byte of it is copied
// to the program and back. A pool belongs to a worker's reactor and bounds how many pipes there are; a SplicePipe is what a
// transfer holds, as a Buffer is of blocks: a pipe only while there are bytes in it, none while it waits for more.
//
// A pipe with bytes in it is never lent again: who leaves a transfer in the middle closes it. Pipes that were not needed
// for a while are closed too. Where there is no pipe, or the kernel does not splice (seccomp), transfers copy.
//
// splice() has no MSG_NOSIGNAL: whoever uses it ignores SIGPIPE. Not here: waiting (net/stream.h), and when splicing is
// worth its calls (forward/body_pump.cpp). One worker's thread.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>

#include "base/buffer.h"
#include "net/timer_wheel.h"

namespace tidegate::net {

class Reactor;

class PipePool {
 public:
  static constexpr std::size_t kPipes = 64;               ///< of one worker, lent and idle: 128 descriptors
  static constexpr int kPipeBytes = 256 * 1024;           ///< asked for; the kernel's own 64 KiB cost a fifth to a half more
  static constexpr int kLeastPipeBytes = 64 * 1024;       ///< beyond pipe-user-pages-soft the kernel makes pipes of 8 KiB
  static constexpr Duration kIdleTime = std::chrono::seconds(1);  ///< that a pipe is kept unused, up to twice

  struct Ends {
    int read = -1;
    int write = -1;
  };

  explicit PipePool(Reactor& reactor) noexcept : reactor_(reactor) {}
  PipePool(const PipePool&) = delete;
  PipePool& operator=(const PipePool&) = delete;
  ~PipePool();

  /// An empty pipe, or closed ends when kPipes are lent or none can be made.
  Ends take() noexcept;
  /// Takes an empty one back.
  void give(Ends ends) noexcept;
  /// Closes one that was lent.
  void discard(Ends ends) noexcept;
  /// The kernel does not splice: from now on none are lent.
  void give_up() noexcept { given_up_ = true; }

  std::size_t lent() const noexcept { return lent_; }
  std::size_t idle() const noexcept { return idle_count_; }

 private:
  static Ends make() noexcept;
  static void close(Ends ends) noexcept;
  static void trim(void* self);

  Reactor& reactor_;
  std::array<Ends, kPipes> idle_;
  std::size_t idle_count_ = 0;
  std::size_t unused_ = 0;  // the fewest that were idle since the last trim()
  std::size_t lent_ = 0;
  bool given_up_ = false;
  Timer trim_{&PipePool::trim, this};
};

class SplicePipe {
 public:
  explicit SplicePipe(PipePool& pool) noexcept : pool_(pool) {}
  SplicePipe(const SplicePipe&) = delete;
  SplicePipe& operator=(const SplicePipe&) = delete;
  ~SplicePipe() { release(); }

  bool empty() const noexcept { return held_ == 0; }
  std::size_t held() const noexcept { return held_; }
  /// Takes a pipe if there is none yet. @return false when none is to be had.
  bool ensure() noexcept {
    if (ends_.read < 0) ends_ = pool_.take();
    return ends_.read >= 0;
  }
  /// Gives the pipe back; with bytes in it, it is closed and they are lost.
  void release() noexcept;

  /// Moves at most `most` bytes from the socket into the pipe; as splice(2), without waiting.
  ssize_t fill(int socket, std::size_t most) noexcept;
  /// Moves what is in the pipe on to the socket; as splice(2), without waiting.
  ssize_t empty_to(int socket) noexcept;
  /// Takes what is in the pipe into the program. @return false when the kernel does not give it.
  bool empty_to(Buffer& to);

 private:
  PipePool& pool_;
  PipePool::Ends ends_;
  std::size_t held_ = 0;
};

}  // namespace tidegate::net
