#include "base/buffer.h"

#include <new>

namespace tidegate {

BlockPool::~BlockPool() { trim(0); }

char* BlockPool::take(BlockSize size) {
  const bool large = size == BlockSize::Large;
  if (large && large_lent_ == kLargeBlocks) return nullptr;
  FreeBlock*& free = free_[static_cast<std::size_t>(size)];
  char* block = reinterpret_cast<char*>(free);
  if (free == nullptr) {
    block = static_cast<char*>(::operator new(bytes_of(size)));
  } else {
    free = free->next;
    kept_bytes_ -= bytes_of(size);
  }
  if (large) ++large_lent_;
  lent_bytes_ += bytes_of(size);
  return block;
}

void BlockPool::give(char* block, BlockSize size) noexcept {
  if (size == BlockSize::Large) --large_lent_;
  lent_bytes_ -= bytes_of(size);
#if defined(__SANITIZE_ADDRESS__)
  ::operator delete(block);  // a use after release must be seen
#else
  FreeBlock*& free = free_[static_cast<std::size_t>(size)];
  free = new (block) FreeBlock{free};
  kept_bytes_ += bytes_of(size);
#endif
}

void BlockPool::trim(std::size_t keep_bytes) noexcept {
  for (const BlockSize size : {BlockSize::Large, BlockSize::Medium, BlockSize::Small}) {
    FreeBlock*& free = free_[static_cast<std::size_t>(size)];
    while (kept_bytes_ > keep_bytes && free != nullptr) {
      ::operator delete(std::exchange(free, free->next));
      kept_bytes_ -= bytes_of(size);
    }
  }
}

void Buffer::acquire() {
  memory_ = pool_->take(first_);
  block_ = first_;
  capacity_ = bytes_of(first_);
  begin_ = end_ = 0;
}

void Buffer::change_to_large() {
  char* const block = pool_->take(BlockSize::Large);
  if (block == nullptr) return;
  release();
  memory_ = block;
  block_ = BlockSize::Large;
  capacity_ = bytes_of(BlockSize::Large);
}

void Buffer::make_room(std::size_t bytes) {
  ensure();
  if (free_bytes() >= bytes) return;
  const std::size_t held = size();
  if (capacity_ - held >= bytes) {
    std::memmove(memory_, memory_ + begin_, held);
  } else {
    std::size_t larger = capacity_ * 4;
    while (larger - held < bytes) larger *= 2;
    BlockSize size = BlockSize::Medium;
    char* memory = nullptr;
    if (larger == bytes_of(BlockSize::Medium)) memory = pool_->take(size);
    if (larger == bytes_of(BlockSize::Large)) {
      memory = pool_->take(BlockSize::Large);
      if (memory != nullptr) size = BlockSize::Large;
    }
    if (memory == nullptr) {
      memory = static_cast<char*>(::operator new(larger));
      pool_->lent_bytes_ += larger;
    }
    std::memcpy(memory, memory_ + begin_, held);
    release();
    memory_ = memory;
    block_ = size;
    capacity_ = larger;
  }
  begin_ = 0;
  end_ = held;
}

void Buffer::release() noexcept {
  if (memory_ == nullptr) return;
  if (capacity_ == bytes_of(block_)) {
    pool_->give(memory_, block_);
  } else {
    ::operator delete(memory_);
    pool_->lent_bytes_ -= capacity_;
  }
  memory_ = nullptr;
  capacity_ = begin_ = end_ = 0;
}

}  // namespace tidegate
