#include "base/buffer.h"

#include <new>

namespace tidegate {

BlockPool::~BlockPool() { trim(0); }

char* BlockPool::take() {
  if (free_ == nullptr) return static_cast<char*>(::operator new(kBlockBytes));
  FreeBlock* block = free_;
  free_ = block->next;
  --kept_;
  return reinterpret_cast<char*>(block);
}

void BlockPool::give(char* block) noexcept {
#if defined(__SANITIZE_ADDRESS__)
  ::operator delete(block);  // a use after release must be seen
#else
  auto* freed = reinterpret_cast<FreeBlock*>(block);
  freed->next = free_;
  free_ = freed;
  ++kept_;
#endif
}

void BlockPool::trim(std::size_t keep) noexcept {
  while (kept_ > keep) {
    FreeBlock* block = free_;
    free_ = block->next;
    --kept_;
    ::operator delete(block);
  }
}

void Buffer::acquire() {
  memory_ = pool_->take();
  capacity_ = kBlockBytes;
  begin_ = end_ = 0;
}

void Buffer::make_room(std::size_t bytes) {
  ensure();
  if (free_bytes() >= bytes) return;
  const std::size_t held = size();
  if (capacity_ - held >= bytes) {
    std::memmove(memory_, memory_ + begin_, held);
  } else {
    std::size_t larger = capacity_ * 2;
    while (larger - held < bytes) larger *= 2;
    char* memory = static_cast<char*>(::operator new(larger));
    std::memcpy(memory, memory_ + begin_, held);
    release();
    memory_ = memory;
    capacity_ = larger;
  }
  begin_ = 0;
  end_ = held;
}

void Buffer::release() noexcept {
  if (memory_ == nullptr) return;
  if (capacity_ == kBlockBytes) {
    pool_->give(memory_);
  } else {
    ::operator delete(memory_);
  }
  memory_ = nullptr;
  capacity_ = begin_ = end_ = 0;
}

}  // namespace tidegate
