#include "http/h2_memory.h"

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstring>

#include "base/frame_pool.h"

namespace tidegate::http {

namespace {

constexpr std::size_t kBefore = alignof(std::max_align_t);  // the size of a block is kept before it

std::size_t& size_of(void* block) noexcept { return *reinterpret_cast<std::size_t*>(static_cast<char*>(block) - kBefore); }

void* take(std::size_t size, void*) noexcept {
  char* const memory = static_cast<char*>(base::allocate_frame(size + kBefore));
  void* const block = memory + kBefore;
  size_of(block) = size;
  return block;
}

void give(void* block, void*) noexcept {
  if (block == nullptr) return;
  base::free_frame(static_cast<char*>(block) - kBefore, size_of(block) + kBefore);
}

void* take_zeroed(std::size_t count, std::size_t size, void*) noexcept {
  void* const block = take(count * size, nullptr);  // of the library's own structs: no product overflows
  std::memset(block, 0, count * size);
  return block;
}

void* change(void* block, std::size_t size, void*) noexcept {
  if (block == nullptr) return take(size, nullptr);
  const std::size_t before = size_of(block);
  if (size <= before) return block;
  void* const larger = take(size, nullptr);
  std::memcpy(larger, block, before);
  give(block, nullptr);
  return larger;
}

nghttp2_mem memory{nullptr, take, give, take_zeroed, change};

}  // namespace

void* h2_memory() noexcept { return &memory; }

}  // namespace tidegate::http
