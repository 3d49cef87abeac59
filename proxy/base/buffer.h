// Byte buffers of the data plane. A Block is 16 KiB from a worker's BlockPool; a Buffer is one contiguous run of bytes in
// a block (or, for heads that need more, in a larger one) with a readable part in the middle. A connection that is idle
// holds no block.
//
// One thread: a pool and everything taken from it belong to one worker.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

namespace tidegate {

inline constexpr std::size_t kBlockBytes = 16 * 1024;

/// Keeps freed blocks for reuse, last in first out, so that the hot ones stay in cache.
class BlockPool {
 public:
  BlockPool() = default;
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  ~BlockPool();

  char* take();
  void give(char* block) noexcept;
  std::size_t kept() const noexcept { return kept_; }
  /// Frees what has not been needed lately; called now and then by the worker.
  void trim(std::size_t keep) noexcept;

 private:
  struct FreeBlock {
    FreeBlock* next;
  };
  FreeBlock* free_ = nullptr;
  std::size_t kept_ = 0;
};

class Buffer {
 public:
  explicit Buffer(BlockPool& pool) noexcept : pool_(&pool) {}
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer(Buffer&& from) noexcept : pool_(from.pool_) { swap(from); }
  ~Buffer() { release(); }

  bool has_memory() const noexcept { return memory_ != nullptr; }
  std::size_t capacity() const noexcept { return capacity_; }
  std::size_t size() const noexcept { return end_ - begin_; }
  bool empty() const noexcept { return begin_ == end_; }
  char* data() noexcept { return memory_ + begin_; }
  const char* data() const noexcept { return memory_ + begin_; }
  std::string_view view() const noexcept { return {memory_ + begin_, size()}; }

  char* free_space() noexcept { return memory_ + end_; }
  std::size_t free_bytes() const noexcept { return capacity_ - end_; }

  /// Takes a block if there is none yet.
  void ensure() {
    if (memory_ == nullptr) acquire();
  }
  /// At least `bytes` free after the readable part; moves and grows as needed. Views into the buffer become invalid.
  void reserve(std::size_t bytes) {
    if (memory_ == nullptr || free_bytes() < bytes) make_room(bytes);
  }
  void commit(std::size_t bytes) noexcept { end_ += bytes; }
  void consume(std::size_t bytes) noexcept {
    begin_ += bytes;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  /// Forgets the last `bytes` of the readable part.
  void drop_back(std::size_t bytes) noexcept { end_ -= bytes; }
  void clear() noexcept { begin_ = end_ = 0; }
  void append(std::string_view bytes) {
    if (bytes.empty()) return;
    if (free_bytes() < bytes.size()) reserve(bytes.size());
    std::memcpy(free_space(), bytes.data(), bytes.size());
    end_ += bytes.size();
  }
  /// Gives the memory back; what was readable is lost.
  void release() noexcept;
  void swap(Buffer& with) noexcept {
    std::swap(pool_, with.pool_);
    std::swap(memory_, with.memory_);
    std::swap(capacity_, with.capacity_);
    std::swap(begin_, with.begin_);
    std::swap(end_, with.end_);
  }

 private:
  void acquire();
  void make_room(std::size_t bytes);

  BlockPool* pool_;
  char* memory_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace tidegate
