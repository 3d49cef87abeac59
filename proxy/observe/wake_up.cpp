#include "observe/wake_up.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace tidegate::observe {

namespace {

int make_eventfd() {
  const int descriptor = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (descriptor < 0) throw std::system_error(errno, std::system_category(), "eventfd");
  return descriptor;
}

}  // namespace

WakeUp::WakeUp() : descriptor_(make_eventfd()) {}
WakeUp::~WakeUp() { ::close(descriptor_); }

void WakeUp::signal() const noexcept {
  const int saved = errno;  // a signal handler must leave it as it was
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto already_signalled = ::write(descriptor_, &one, sizeof one);
  errno = saved;
}

void WakeUp::clear() const noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto already_clear = ::read(descriptor_, &count, sizeof count);
}

}  // namespace tidegate::observe
