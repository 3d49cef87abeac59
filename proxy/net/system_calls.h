// The system calls that every request makes, without glibc's cancellation points: in a program with threads those cost two
// locked instructions a call, and no thread of Tidegate is ever cancelled. Results and errno are those of the usual
// functions. Sanitizers watch the usual functions, so under them these are used.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>

namespace tidegate::net {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

inline ssize_t receive(int descriptor, void* to, std::size_t most) noexcept { return ::recv(descriptor, to, most, 0); }
inline ssize_t send(int descriptor, const void* from, std::size_t bytes, int flags) noexcept {
  return ::send(descriptor, from, bytes, flags);
}
inline ssize_t send(int descriptor, const msghdr& message, int flags) noexcept {
  return ::sendmsg(descriptor, &message, flags);
}
inline int wait_for_events(int epoll, epoll_event* events, int most, int timeout_ms) noexcept {
  return ::epoll_wait(epoll, events, most, timeout_ms);
}

#else

inline ssize_t receive(int descriptor, void* to, std::size_t most) noexcept {
  return ::syscall(SYS_recvfrom, descriptor, to, most, 0, nullptr, nullptr);
}
inline ssize_t send(int descriptor, const void* from, std::size_t bytes, int flags) noexcept {
  return ::syscall(SYS_sendto, descriptor, from, bytes, flags, nullptr, 0);
}
inline ssize_t send(int descriptor, const msghdr& message, int flags) noexcept {
  return ::syscall(SYS_sendmsg, descriptor, &message, flags);
}
inline int wait_for_events(int epoll, epoll_event* events, int most, int timeout_ms) noexcept {
  constexpr std::size_t kMaskBytes = 8;  // of the kernel's sigset_t; there is no mask
  return static_cast<int>(::syscall(SYS_epoll_pwait, epoll, events, most, timeout_ms, nullptr, kMaskBytes));
}

#endif

}  // namespace tidegate::net
