// Counts what operator new is asked for, on this thread, to hold the access log to "no allocation a request".
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "observe/access_log.h"
#include "scratch.h"

namespace {
thread_local std::size_t allocations = 0;

void* counted(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
}  // namespace

// Not inlined: g++ would see free() meet what it takes for the standard operator new, and warn.
[[gnu::noinline]] void* operator new(std::size_t size) { return counted(size); }
[[gnu::noinline]] void* operator new[](std::size_t size) { return counted(size); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace tidegate::observe {
namespace {

TEST(AccessLog, ALineCostsAWorkerNoAllocationWhetherItFitsOrIsCutOrIsDropped) {
  const test::Scratch scratch;
  Counter dropped;
  AccessLog::Setup setup;
  const test::Fifo stalled(scratch);
  setup.path = stalled.path;
  setup.dropped = {&dropped};
  setup.limits.ring_bytes = 64 * 1024;
  setup.limits.flush = Duration::zero();
  AccessLog log(std::move(setup));
  AccessLogSink& sink = *log.sink(0);
  const std::string longest(40'000, 'p');
  const AccessRecord shortest = test::record(), cut = test::record(longest);

  const std::size_t before = allocations;
  for (int i = 0; i < 50; ++i) sink.write(shortest);
  while (dropped.read() == 0) sink.write(cut);
  EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace tidegate::observe
