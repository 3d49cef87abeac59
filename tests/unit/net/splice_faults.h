// Makes the Nth splice() of the program fail, pipes run out, or the kernel refuse large pipes: these functions come before
// those of the C library. Included by one source of an executable.
#pragma once

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdarg>

namespace tidegate::net::test {

struct SpliceFaults {
  SpliceFaults() noexcept { ::signal(SIGPIPE, SIG_IGN); }  // as the program does
  int calls = 0;             ///< of splice() so far
  int fails_at = -1;         ///< the call that fails, counted from 0
  int error = 0;             ///< with this
  bool no_pipes = false;     ///< pipe2(): EMFILE
  int pipe_bytes = 0;        ///< unless 0: pipes have this size and cannot be made larger
};
inline SpliceFaults faults;

}  // namespace tidegate::net::test

extern "C" {

ssize_t splice(int from, off64_t* from_at, int to, off64_t* to_at, size_t most, unsigned flags) {
  auto& faults = tidegate::net::test::faults;
  if (faults.calls++ == faults.fails_at) {
    errno = faults.error;
    return -1;
  }
  return ::syscall(SYS_splice, from, from_at, to, to_at, most, flags);
}

int pipe2(int* both, int flags) noexcept {
  if (tidegate::net::test::faults.no_pipes) {
    errno = EMFILE;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_pipe2, both, flags));
}

int fcntl(int descriptor, int command, ...) {
  va_list rest;
  va_start(rest, command);
  const long argument = va_arg(rest, long);
  va_end(rest);
  const int size = tidegate::net::test::faults.pipe_bytes;
  if (size != 0 && command == F_GETPIPE_SZ) return size;
  if (size != 0 && command == F_SETPIPE_SZ) {
    errno = EPERM;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fcntl, descriptor, command, argument));
}

}  // extern "C"
