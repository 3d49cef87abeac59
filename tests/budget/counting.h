// Counts what one thread asks of the heap and of locks while it is told to. Every malloc, operator new, mutex and
// read-write lock of the executable that this is linked into passes through here, those of libraries as well: the
// executable's symbols come first. Other threads are never counted, so a test's own client and origins may allocate.
//
// What AddressSanitizer would have to be asked for cannot be had: it is the allocator, and Tidegate's pools are off
// under it on purpose (base/buffer.cpp, base/frame_pool.cpp). ThreadSanitizer is asked by its malloc hook; its locks are
// not counted.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#if defined(__SANITIZE_ADDRESS__)
#define TIDEGATE_CAN_COUNT 0
#else
#define TIDEGATE_CAN_COUNT 1
#endif

namespace tidegate::budget {

struct Counts {
  static constexpr std::size_t kTraces = 3;   // enough to find the place; the first is usually the one
  static constexpr std::size_t kDepth = 24;
  struct Trace {
    std::array<void*, kDepth> frames;
    int size = 0;
  };

  std::uint64_t allocations = 0;
  std::uint64_t bytes = 0;
  std::uint64_t locks = 0;
  std::size_t traced = 0;
  std::array<Trace, kTraces> traces;

  /// Where the first of them came from, as addr2line tells; for the message of a test that has failed.
  std::string where() const;
};

/// From now on the calling thread is counted into `counts`; nullptr: no longer.
void count_this_thread(Counts* counts);

}  // namespace tidegate::budget
