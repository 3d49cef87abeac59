#include "counting.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdlib.h>

#include <cerrno>
#include <cstdio>
#include <utility>

namespace tidegate::budget {

namespace {

thread_local Counts* counting = nullptr;

void trace(Counts& counts) {
  if (counts.traced == Counts::kTraces) return;
  Counts::Trace& to = counts.traces[counts.traced++];
  to.size = ::backtrace(to.frames.data(), static_cast<int>(to.frames.size()));
}

void on_allocation(std::size_t bytes) noexcept {
  if (counting == nullptr) return;
  Counts& counts = *std::exchange(counting, nullptr);  // what looking costs is not counted
  ++counts.allocations;
  counts.bytes += bytes;
  trace(counts);
  counting = &counts;
}

[[maybe_unused]] void on_lock() noexcept {
  if (counting == nullptr) return;
  Counts& counts = *std::exchange(counting, nullptr);
  ++counts.locks;
  trace(counts);
  counting = &counts;
}

std::string output_of(const std::string& command) {
  std::string all;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return all;
  std::array<char, 4096> part;
  while (std::fgets(part.data(), static_cast<int>(part.size()), pipe) != nullptr) all += part.data();
  ::pclose(pipe);
  return all;
}

}  // namespace

void count_this_thread(Counts* counts) {
  std::array<void*, 4> warm_up;  // the first backtrace loads the unwinder, which allocates
  ::backtrace(warm_up.data(), static_cast<int>(warm_up.size()));
  counting = counts;
}

std::string Counts::where() const {
  std::string all;
  for (std::size_t i = 0; i < traced; ++i) {
    all += "--- one of them:\n";
    for (int at = 1; at < traces[i].size; ++at) {
      Dl_info module{};
      void* const frame = traces[i].frames[static_cast<std::size_t>(at)];
      if (::dladdr(frame, &module) == 0 || module.dli_fname == nullptr) continue;
      const auto offset = static_cast<char*>(frame) - static_cast<char*>(module.dli_fbase) - 1;  // the call, not its return
      std::array<char, 32> text;
      std::snprintf(text.data(), text.size(), " 0x%tx", offset);
      all += output_of("addr2line -Cfsp -e '" + std::string(module.dli_fname) + "'" + text.data());
    }
  }
  return all;
}

}  // namespace tidegate::budget

#if defined(__SANITIZE_THREAD__)

extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void*, std::size_t),
                                                         void (*on_free)(const volatile void*));
namespace {
const int hooked = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, std::size_t bytes) { tidegate::budget::on_allocation(bytes); },
    [](const volatile void*) {});
}

#elif TIDEGATE_CAN_COUNT

using tidegate::budget::on_allocation;
using tidegate::budget::on_lock;

// glibc's own entries, which malloc(3) names for this use.
extern "C" void* __libc_malloc(std::size_t bytes);
extern "C" void* __libc_calloc(std::size_t count, std::size_t bytes);
extern "C" void* __libc_realloc(void* memory, std::size_t bytes);
extern "C" void* __libc_memalign(std::size_t alignment, std::size_t bytes);

extern "C" void* malloc(std::size_t bytes) noexcept {
  on_allocation(bytes);
  return __libc_malloc(bytes);
}
extern "C" void* calloc(std::size_t count, std::size_t bytes) noexcept {
  on_allocation(count * bytes);
  return __libc_calloc(count, bytes);
}
extern "C" void* realloc(void* memory, std::size_t bytes) noexcept {
  on_allocation(bytes);
  return __libc_realloc(memory, bytes);
}
extern "C" void* memalign(std::size_t alignment, std::size_t bytes) noexcept {
  on_allocation(bytes);
  return __libc_memalign(alignment, bytes);
}
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
  on_allocation(bytes);
  return __libc_memalign(alignment, bytes);
}
extern "C" int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) noexcept {
  on_allocation(bytes);
  *memory = __libc_memalign(alignment, bytes);
  return *memory == nullptr ? ENOMEM : 0;
}

namespace {
/// The next definition of a lock's function, which is glibc's.
template <class F>
F* next(const char* name) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}
}  // namespace

// dlsym takes no lock of pthread's public functions in glibc, so asking for them here does not come back.
#define TIDEGATE_COUNTED_LOCK(function, type)                          \
  extern "C" int function(type* lock) noexcept {                       \
    static int (*const real)(type*) = next<int(type*)>(#function);     \
    on_lock();                                                         \
    return real(lock);                                                 \
  }
TIDEGATE_COUNTED_LOCK(pthread_mutex_lock, pthread_mutex_t)
TIDEGATE_COUNTED_LOCK(pthread_mutex_trylock, pthread_mutex_t)
TIDEGATE_COUNTED_LOCK(pthread_rwlock_rdlock, pthread_rwlock_t)
TIDEGATE_COUNTED_LOCK(pthread_rwlock_wrlock, pthread_rwlock_t)

#endif
