// Byte buffers of the data plane. A block is memory from a worker's BlockPool; a Buffer is one contiguous run of bytes in
// a block (or, where more is needed, in memory of its own) with a readable part in the middle. A connection that is idle,
// and one that waits for an answer, holds no block for it.
//
// One thread: a pool and everything taken from it belong to one worker.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

namespace tidegate {

/// Small for heads, Medium for what may be a body, Large for transfers that fill their reads: a system call moves more.
enum class BlockSize : std::uint8_t { Small, Medium, Large };

/// 4, 16 and 64 KiB.
constexpr std::size_t bytes_of(BlockSize size) noexcept {
  return std::size_t{4 * 1024} << (2 * static_cast<unsigned>(size));
}
inline constexpr std::size_t kLargeBlocks = 64;  // lent by one pool at a time: 4 MiB

/// Keeps freed blocks for reuse, last in first out, so that the hot ones stay in cache.
class BlockPool {
 public:
  BlockPool() = default;
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  ~BlockPool();

  /// nullptr only for Large, when kLargeBlocks are lent: what is left then gets along with smaller ones.
  char* take(BlockSize size);
  void give(char* block, BlockSize size) noexcept;
  std::size_t kept_bytes() const noexcept { return kept_bytes_; }
  /// What buffers hold now, memory of their own included.
  std::size_t lent_bytes() const noexcept { return lent_bytes_; }
  /// Frees what has not been needed lately, the largest first; called now and then by the worker.
  void trim(std::size_t keep_bytes) noexcept;

 private:
  struct FreeBlock {
    FreeBlock* next;
  };
  std::array<FreeBlock*, 3> free_{};
  friend class Buffer;
  std::size_t kept_bytes_ = 0;
  std::size_t lent_bytes_ = 0;
  std::size_t large_lent_ = 0;
};

class Buffer {
 public:
  /// @param first the block that it begins with; it grows when more is needed.
  explicit Buffer(BlockPool& pool, BlockSize first = BlockSize::Medium) noexcept : pool_(&pool), first_(first) {}
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer(Buffer&& from) noexcept : pool_(from.pool_), first_(from.first_) { swap(from); }
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
  /// Changes to a large block if nothing is held here and there is one.
  void prefer_large() {
    if (empty() && capacity_ < bytes_of(BlockSize::Large)) change_to_large();
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
    std::swap(block_, with.block_);
  }

 private:
  void acquire();
  void change_to_large();
  void make_room(std::size_t bytes);

  BlockPool* pool_;
  char* memory_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  BlockSize first_;
  BlockSize block_ = BlockSize::Medium;  // what the memory is, unless it is larger than any block
};

}  // namespace tidegate
