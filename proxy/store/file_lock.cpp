#include "store/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace tidegate::store {
namespace {

/// The holder wrote its process id; empty when it has not come to that yet.
std::string holder(int fd) {
  char text[32];
  const ssize_t got = ::pread(fd, text, sizeof text, 0);
  std::string pid(text, got > 0 ? static_cast<std::size_t>(got) : 0);
  pid.erase(pid.find_last_not_of(" \n") + 1);
  return pid.empty() ? "" : " (process " + pid + ")";
}

}  // namespace

Result<FileLock> FileLock::take(const std::string& path) {
  const std::string name = path + ".lock";
  const int fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return Error{"cannot write " + name + ": " + std::strerror(errno)};
  FileLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return Error{"the state file " + path + " is in use by another Tidegate" + holder(fd) +
                   "; give each its own `state.path`"};
    }
    return Error{"cannot lock " + name + ": " + std::strerror(errno)};
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  // The id is for the message above only: a full disk must not keep Tidegate from starting with the state that it has.
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0) errno = 0;
  return lock;
}

Result<FileLock> FileLock::take_over(int descriptor, const std::string& path) {
  FileLock lock(descriptor);
  struct stat handed{}, wanted{};
  const bool same = ::fstat(descriptor, &handed) == 0 && ::stat((path + ".lock").c_str(), &wanted) == 0 &&
                    handed.st_dev == wanted.st_dev && handed.st_ino == wanted.st_ino;
  if (!same) {
    return Error{"the state file " + path + " is not that of the process before: what was set at run time would be forgotten; "
                 "change `state` by a restart"};
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(descriptor, 0) != 0 || ::pwrite(descriptor, pid.data(), pid.size(), 0) < 0) errno = 0;
  return lock;
}

FileLock::FileLock(FileLock&& from) noexcept : fd_(std::exchange(from.fd_, -1)) {}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace tidegate::store
