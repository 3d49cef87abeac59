// Memory for the HTTP/2 library from the free lists that coroutine frames come from: a stream costs it some ten small
// allocations, and in the steady state none of them reaches the heap.
#pragma once

namespace tidegate::http {

/// An nghttp2_mem, which cannot be declared here; static, for sessions of any thread.
void* h2_memory() noexcept;

}  // namespace tidegate::http
