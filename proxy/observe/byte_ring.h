// A bounded queue of bytes from one worker to the thread that writes the access log: one producer, one consumer, no
// lock. What does not fit is refused, and a refusal leaves no part behind, so what is pushed line by line is read in
// whole lines. Each end keeps a copy of where the other one was last seen and looks again only when that is not enough:
// in general a push touches no cache line that the consumer writes. Owned by the worker's sink.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace tidegate::observe {

class ByteRing {
 public:
  /// @param capacity a power of two. The pages are touched when they are first used.
  explicit ByteRing(std::size_t capacity)
      : capacity_(capacity), bytes_(std::make_unique_for_overwrite<char[]>(capacity)) {
    assert(std::has_single_bit(capacity));
  }
  ByteRing(const ByteRing&) = delete;
  ByteRing& operator=(const ByteRing&) = delete;

  std::size_t capacity() const noexcept { return capacity_; }

  // --- the producer

  /// All of `bytes` or nothing.
  bool push(std::string_view bytes) noexcept {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (bytes.size() > capacity_ - (tail - head_seen_)) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (bytes.size() > capacity_ - (tail - head_seen_)) return false;
    }
    const std::size_t offset = tail & (capacity_ - 1);
    const std::size_t first = std::min(bytes.size(), capacity_ - offset);
    std::memcpy(bytes_.get() + offset, bytes.data(), first);
    std::memcpy(bytes_.get(), bytes.data() + first, bytes.size() - first);
    tail_.store(tail + bytes.size(), std::memory_order_release);
    return true;
  }

  /// True when half of the ring waits to be read, but not more often than once for each half ring that was pushed: a
  /// reader that does not come is not called for every line.
  bool wants_reader() noexcept {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    const std::uint64_t half = capacity_ / 2;
    if (tail - head_seen_ < half || tail - called_at_ < half) return false;
    head_seen_ = head_.load(std::memory_order_acquire);
    if (tail - head_seen_ < half) return false;
    called_at_ = tail;
    return true;
  }

  // --- the consumer

  std::size_t readable() const noexcept {
    return tail_.load(std::memory_order_acquire) - head_.load(std::memory_order_relaxed);
  }
  /// The oldest bytes that lie together, at most `most`, which must be readable.
  std::string_view front(std::size_t most) const noexcept {
    const std::size_t offset = head_.load(std::memory_order_relaxed) & (capacity_ - 1);
    return {bytes_.get() + offset, std::min(most, capacity_ - offset)};
  }
  void pop(std::size_t count) noexcept {
    head_.store(head_.load(std::memory_order_relaxed) + count, std::memory_order_release);
  }

 private:
  static constexpr std::size_t kCacheLine = 64;

  const std::size_t capacity_;
  const std::unique_ptr<char[]> bytes_;
  // Positions only grow; 2^64 bytes are never reached.
  alignas(kCacheLine) std::atomic<std::uint64_t> tail_{0};
  std::uint64_t head_seen_ = 0;
  std::uint64_t called_at_ = 0;
  alignas(kCacheLine) std::atomic<std::uint64_t> head_{0};
};

}  // namespace tidegate::observe
