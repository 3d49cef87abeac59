#include "store/writer.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace tidegate::store {

Writer::Writer(Store& store) : Writer(store, Limits()) {}

Writer::Writer(Store& store, const Limits& limits) : store_(store), limits_(limits), thread_([this] { run(); }) {}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

bool Writer::submit(Change change, Kind kind, Done done) {
  Item item{std::move(change), kind, {}};
  item.done.push_back(std::move(done));
  {
    const std::lock_guard lock(mutex_);
    const bool full = queue_.size() >= limits_.pending;
    if (full && kind == Kind::Ordinary) return false;
    if (kind == Kind::Ordinary) ++ordinary_;
    if (full) {
      merge(std::move(item));
    } else {
      queue_.push_back(std::move(item));
    }
  }
  wake_.notify_one();
  return true;
}

/// The newer state of a route contains the older one, and it goes to the end, so that nothing is overtaken.
void Writer::merge(Item item) {
  auto newest = queue_.end();
  for (auto at = std::next(queue_.begin(), writing_ ? 1 : 0); at != queue_.end(); ++at) {
    if (at->kind == Kind::Must && at->change.route.route == item.change.route.route) newest = at;
  }
  if (newest != queue_.end()) {
    item.done.insert(item.done.begin(), std::make_move_iterator(newest->done.begin()),
                     std::make_move_iterator(newest->done.end()));
    queue_.erase(newest);
  }
  queue_.push_back(std::move(item));
}

std::string Writer::last_error() const {
  const std::lock_guard lock(mutex_);
  return last_error_;
}

std::size_t Writer::pending() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

Duration Writer::next_pause(Duration last, const Limits& limits) noexcept {
  return last == Duration::zero() ? limits.first_pause : std::min(last * 2, limits.longest_pause);
}

void Writer::run() {
  std::unique_lock lock(mutex_);
  while (wait_for_work(lock)) write_head(lock);
  flush(lock);
}

/// Returns when the head may be tried: it is new, its pause is over, or an Ordinary waits behind it for an answer.
/// @return false when stopping.
bool Writer::wait_for_work(std::unique_lock<std::mutex>& lock) {
  for (;;) {
    if (stopping_) return false;
    if (queue_.empty()) {
      wake_.wait(lock);
    } else if (pause_ == Duration::zero() || has_ordinary() || Clock::now() >= retry_at_) {
      return true;
    } else {
      wake_.wait_until(lock, retry_at_);
    }
  }
}

void Writer::write_head(std::unique_lock<std::mutex>& lock) {
  // It stays where it is while others are added behind it, and merge() leaves alone what is being written.
  const Item& head = queue_.front();
  const bool must = head.kind == Kind::Must;
  writing_ = true;
  lock.unlock();
  const Result<void> result = attempt(head.change);
  lock.lock();
  writing_ = false;

  std::vector<Item> finished;
  if (result || !must) {
    finished.push_back(take_head());
    pause_ = Duration::zero();
  } else {
    // A try that an Ordinary asked for before its time does not make the pause longer.
    const TimePoint now = Clock::now();
    if (pause_ == Duration::zero() || now >= retry_at_) pause_ = next_pause(pause_, limits_);
    retry_at_ = now + pause_;
    finished = take_ordinary();
  }
  lock.unlock();
  finish(std::move(finished), result);
  lock.lock();
}

void Writer::flush(std::unique_lock<std::mutex>& lock) {
  const TimePoint deadline = Clock::now() + limits_.flush;
  Result<void> result;
  while (!queue_.empty()) {
    Item head = take_head();
    lock.unlock();
    if (result) {
      if (Clock::now() < deadline) {
        result = attempt(head.change);
      } else {
        result = Error{"stopped before it could be stored"};
      }
    }
    std::vector<Item> one;
    one.push_back(std::move(head));
    finish(std::move(one), result);
    lock.lock();
  }
}

Result<void> Writer::attempt(const Change& change) {
  Result<void> result = store_.save(change);
  const std::lock_guard lock(mutex_);
  last_error_ = result ? std::string() : result.error().message;
  healthy_.store(result.has_value(), std::memory_order_relaxed);
  if (!result) failures_.fetch_add(1, std::memory_order_relaxed);
  return result;
}

Writer::Item Writer::take_head() {
  Item head = std::move(queue_.front());
  queue_.pop_front();
  if (head.kind == Kind::Ordinary) --ordinary_;
  return head;
}

std::vector<Writer::Item> Writer::take_ordinary() {
  std::vector<Item> taken;
  for (auto at = queue_.begin(); at != queue_.end();) {
    if (at->kind == Kind::Ordinary) {
      taken.push_back(std::move(*at));
      at = queue_.erase(at);
    } else {
      ++at;
    }
  }
  ordinary_ = 0;
  return taken;
}

void Writer::finish(std::vector<Item> items, const Result<void>& result) {
  for (const Item& item : items) {
    for (const Done& done : item.done) {
      if (done) done(result);
    }
  }
}

}  // namespace tidegate::store
