// Objects that are made and ended for every message: their memory is that of coroutine frames (base/frame_pool.h).
#pragma once

#include <cstddef>

#include "base/frame_pool.h"

namespace tidegate::base {

/// To be derived from. Ended on the thread that they were made on.
struct Pooled {
  static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }
  static void operator delete(void* memory, std::size_t bytes) noexcept { free_frame(memory, bytes); }
};

}  // namespace tidegate::base
