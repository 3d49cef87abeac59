// The event loop of one worker: edge-triggered epoll, a timer wheel, and an inbox for messages from other threads.
//
// Why not Asio's reactor for the sockets of the data plane: it hides EPOLLRDHUP, so a receive that came up short must be
// repeated until EAGAIN, and each wait costs that extra receive or an epoll_ctl. With the event bits at hand a proxied
// request needs two receives and two sends. Asio still carries the messages: the inbox is the worker's io_context, polled
// when the wake-up descriptor says that something was posted.
//
// Everything except post() and stop() belongs to the worker's thread. Objects that receive events are destroyed through
// retire(), at the end of a turn of the loop, so an event of the same batch never meets a freed handler.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/intrusive_list.h"
#include "base/memory_shares.h"
#include "net/splice_pipe.h"
#include "net/timer_wheel.h"

namespace tidegate::net {

/// Receives the events of one descriptor.
class EventHandler {
 public:
  /// Told before any handler of the batch gets its events: for those whose state others of the batch may rely on (an idle
  /// connection that has spoken must not be lent any more).
  virtual void before_events(std::uint32_t /*epoll_events*/) {}
  virtual void on_events(std::uint32_t epoll_events) = 0;

 protected:
  ~EventHandler() = default;
};

/// Something to be done once at the end of a turn, when all that the turn brought has been seen: one send instead of many.
struct TurnEndTag {};
class TurnEnd : public Link<TurnEndTag> {
 public:
  virtual void on_turn_end() = 0;

 protected:
  ~TurnEnd() = default;
};

/// Something that keeps the thread for long (a private-key operation). A few are done at the end of each turn, in order, the
/// rest in the turns after it: what the other descriptors have to say comes in between.
struct HeavyWorkTag {};
class HeavyWork : public Link<HeavyWorkTag> {
 public:
  virtual void do_heavy_work() = 0;

 protected:
  ~HeavyWork() = default;
};

/// Something that the reactor destroys at the end of a turn.
class Retirable {
 public:
  virtual ~Retirable() = default;
};

class Reactor {
 public:
  /// One RSA signature takes half a millisecond, and a turn more costs two microseconds.
  static constexpr int kHeavyWorkATurn = 2;

  /// @throws std::system_error when epoll or the wake-up descriptor cannot be made (before serving only).
  Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;
  ~Reactor();

  /// Turns until stop(); may be called again. Runs on the calling thread, which from then on is the owner.
  void run();
  /// Any thread.
  void stop();
  /// Any thread: runs f on the worker in its next turn. Messages keep their order. Dropped when the loop has ended.
  template <class F>
  void post(F&& f) {
    boost::asio::post(inbox_, std::forward<F>(f));
    wake();
  }

  bool add(int descriptor, std::uint32_t epoll_events, EventHandler& handler) noexcept;
  bool modify(int descriptor, std::uint32_t epoll_events, EventHandler& handler) noexcept;
  void remove(int descriptor) noexcept;

  void retire(std::unique_ptr<Retirable> object) { retired_.push_back(std::move(object)); }
  /// Calls it once at the end of this turn; asked for again, still once. It may be destroyed before.
  void at_turn_end(TurnEnd& what) noexcept {
    if (!what.linked()) turn_ends_.push_back(what);
  }
  /// Calls it once, when its turn has come; it may be destroyed before.
  void queue(HeavyWork& work) noexcept {
    if (!work.linked()) heavy_.push_back(work);
  }
  void arm(Timer& timer, Duration after) noexcept { timers_.arm(timer, now_, after); }

  /// The time at the last wake-up: good to a few milliseconds, free of charge.
  TimePoint now() const noexcept { return now_; }
  BlockPool& blocks() noexcept { return blocks_; }
  /// Any thread: what buffers held at the end of the last turn.
  std::size_t lent_bytes() const noexcept { return lent_bytes_.load(std::memory_order_relaxed); }
  /// Any thread: how much buffers are meant to hold. Nobody is refused a block for it: who begins something asks first.
  void allow_bytes(const MemoryShare& share) noexcept {
    allowed_bytes_.store(share.most, std::memory_order_relaxed);
    allowed_for_copies_.store(share.most_for_copies, std::memory_order_relaxed);
  }
  bool is_short_of_memory() const noexcept { return blocks_.lent_bytes() > allowed_bytes_.load(std::memory_order_relaxed); }
  bool has_memory_for_copies() const noexcept { return blocks_.lent_bytes() <= allowed_for_copies_.load(std::memory_order_relaxed); }
  PipePool& pipes() noexcept { return pipes_; }

 private:
  void wake() noexcept;
  void turn();

  BlockPool blocks_;
  TimerWheel timers_;
  boost::asio::io_context inbox_{1};
  List<TurnEnd, TurnEndTag> turn_ends_;
  List<HeavyWork, HeavyWorkTag> heavy_;
  std::vector<std::unique_ptr<Retirable>> retired_;
  TimePoint now_;
  PipePool pipes_{*this};
  std::atomic<std::size_t> lent_bytes_{0};
  std::atomic<std::size_t> allowed_bytes_{~std::size_t{0}};  // both: written now and then, by another thread
  std::atomic<std::size_t> allowed_for_copies_{~std::size_t{0}};
  int epoll_ = -1;
  int wake_ = -1;
  std::atomic<bool> wake_pending_{false};
  std::atomic<bool> stopping_{false};
};

}  // namespace tidegate::net
