#include "base/frame_pool.h"

#include <array>
#include <new>

namespace tidegate::base {

#if defined(__SANITIZE_ADDRESS__)

void* allocate_frame(std::size_t bytes) { return ::operator new(bytes); }
void free_frame(void* frame, std::size_t) noexcept { ::operator delete(frame); }

#else

namespace {

constexpr std::size_t kStep = 128;       // bytes between size classes
constexpr std::size_t kClasses = 48;     // what is over 6 KiB goes to the heap: nothing on the request path is that large
constexpr std::size_t kLarge = 32;       // classes from here on, over 4 KiB: heads of HTTP/2
constexpr std::size_t kKeptPerClass = 4096;
constexpr std::size_t kKeptOfLarge = 256;

struct FreeFrame {
  FreeFrame* next;
};

struct FrameLists {
  std::array<FreeFrame*, kClasses> head{};
  std::array<std::size_t, kClasses> kept{};
  ~FrameLists() {
    for (FreeFrame* frame : head) {
      while (frame != nullptr) {
        FreeFrame* next = frame->next;
        ::operator delete(frame);
        frame = next;
      }
    }
  }
};

thread_local FrameLists lists;

constexpr std::size_t size_class(std::size_t bytes) { return (bytes + kStep - 1) / kStep - 1; }

}  // namespace

void* allocate_frame(std::size_t bytes) {
  const std::size_t at = size_class(bytes);
  if (at >= kClasses) return ::operator new(bytes);
  FreeFrame* frame = lists.head[at];
  if (frame == nullptr) return ::operator new((at + 1) * kStep);
  lists.head[at] = frame->next;
  --lists.kept[at];
  return frame;
}

void free_frame(void* memory, std::size_t bytes) noexcept {
  const std::size_t at = size_class(bytes);
  if (at >= kClasses || lists.kept[at] >= (at < kLarge ? kKeptPerClass : kKeptOfLarge)) {
    ::operator delete(memory);
    return;
  }
  auto* frame = static_cast<FreeFrame*>(memory);
  frame->next = lists.head[at];
  lists.head[at] = frame;
  ++lists.kept[at];
}

#endif

}  // namespace tidegate::base
