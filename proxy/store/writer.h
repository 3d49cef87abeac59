// Takes saving off the control thread: one thread that hands changes to the store, one after the other, in the order in
// which they were submitted. A revert is in force before it is durable, so its change must not be lost: a Must is tried
// until it succeeds, and nothing overtakes it. What a person asked for is Ordinary: it is tried once and the person is
// told. It decides nothing, logs nothing and publishes nothing: `done` does. Owned by the composition root; the store
// must outlive it. submit() is called on the control thread, the rest on any.
//
//   queue: M M O M ...   the head is tried; if it is a Must and fails, it stays, the pause doubles, and every Ordinary
//                        that waits behind it (or comes meanwhile, after one more try) fails with the same error
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "store/store.h"

namespace tidegate::store {

class Writer {
 public:
  enum class Kind : std::uint8_t { Ordinary, Must };
  /// Called once for every change that was taken, on the writer's thread; it must not throw and not wait.
  using Done = std::function<void(const Result<void>&)>;

  struct Limits {
    std::size_t pending = 1024;  ///< changes that wait; beyond it Ordinary is refused and Must is merged
    Duration first_pause = std::chrono::milliseconds(100);  ///< after the first failure of a Must
    Duration longest_pause = std::chrono::seconds(5);
    Duration flush = std::chrono::seconds(2);  ///< ~Writer begins no write after this (one that hangs is waited for)
  };

  explicit Writer(Store& store);
  Writer(Store& store, const Limits& limits);
  /// Tries what is pending once more, in order, until one fails or the time is over; then the rest fails.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// Never waits. @return false if the change was refused: it is Ordinary and `Limits::pending` changes wait; then
  /// `done` is not called. A Must is always taken: beyond the bound it replaces the newest Must of its route that
  /// waits, which then shares its result and loses its line in the history. So no more than `pending` changes and one a
  /// route ever wait.
  [[nodiscard]] bool submit(Change change, Kind kind, Done done);

  /// The last attempt succeeded (or there was none).
  bool healthy() const noexcept { return healthy_.load(std::memory_order_relaxed); }
  /// Of the last failed attempt; empty when healthy.
  std::string last_error() const;
  /// Attempts that failed since the start.
  std::uint64_t failures() const noexcept { return failures_.load(std::memory_order_relaxed); }
  /// Changes that are not durable yet, the one being written included.
  std::size_t pending() const;

  /// The pause after a failure that came after a pause of `last` (0 = the first failure).
  static Duration next_pause(Duration last, const Limits& limits) noexcept;

 private:
  struct Item {
    Change change;
    Kind kind;
    std::vector<Done> done;  ///< more than one only for a Must that replaced another
  };

  void run();
  bool has_ordinary() const noexcept { return ordinary_ > 0; }
  bool wait_for_work(std::unique_lock<std::mutex>& lock);
  void write_head(std::unique_lock<std::mutex>& lock);
  void flush(std::unique_lock<std::mutex>& lock);
  Result<void> attempt(const Change& change);
  void merge(Item item);
  Item take_head();
  std::vector<Item> take_ordinary();
  static void finish(std::vector<Item> items, const Result<void>& result);

  Store& store_;
  const Limits limits_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::list<Item> queue_;         // a list: merge() erases in the middle while the head is in use
  std::size_t ordinary_ = 0;      ///< Ordinary items of the queue
  bool writing_ = false;          ///< the head is in the hands of the store: it may not be merged
  bool stopping_ = false;
  std::string last_error_;

  Duration pause_{0};       // writer's thread: of the failing head
  TimePoint retry_at_{};    // writer's thread
  std::atomic<bool> healthy_{true};
  std::atomic<std::uint64_t> failures_{0};
  std::thread thread_;  // last: it uses the others
};

}  // namespace tidegate::store
