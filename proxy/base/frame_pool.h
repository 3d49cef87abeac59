// Memory for coroutine frames: a free list per thread and size class, so that a request in the steady state allocates
// nothing. A frame freed on another thread than it came from (only at shutdown) just joins that thread's list.
// Under AddressSanitizer every frame is a plain allocation, so that a use after free is seen.
#pragma once

#include <cstddef>

namespace tidegate::base {

void* allocate_frame(std::size_t bytes);
void free_frame(void* frame, std::size_t bytes) noexcept;

}  // namespace tidegate::base
