#include "net/unix_socket.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace tidegate::net {

namespace {

constexpr int kBacklog = 4096;  // the kernel bounds it by net.core.somaxconn

int open_socket() noexcept { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

[[noreturn]] void fail(int error, const Address& address, const char* more = "") {
  throw std::system_error(error, std::generic_category(), "cannot listen on " + text(address) + more);
}

/// Empty for an abstract name.
std::string path_of(const Address& address) {
  const std::string_view name = unix_name(address);
  return name.empty() || name[0] == '\0' ? std::string() : std::string(name);
}

/// Nobody accepts there any more: whoever listens makes connect() succeed, or EAGAIN when its backlog is full.
bool is_stale(const Address& address) noexcept {
  const int probe = open_socket();
  if (probe < 0) return false;
  const bool refused = ::connect(probe, address.get(), address.length) != 0 && errno == ECONNREFUSED;
  ::close(probe);
  return refused;
}

/// The address is in use. @return after its file, which nobody uses, was removed.
void make_way(const Address& address) {
  const std::string path = path_of(address);
  struct stat found {};
  if (path.empty()) fail(EADDRINUSE, address);
  if (::lstat(path.c_str(), &found) != 0) return;  // gone meanwhile
  if (!S_ISSOCK(found.st_mode)) fail(EADDRINUSE, address, ": there is a file that is not a socket");
  if (!is_stale(address)) fail(EADDRINUSE, address);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) fail(errno, address);
}

void bind_to(int descriptor, const Address& address) {
  if (::bind(descriptor, address.get(), address.length) == 0) return;
  if (errno != EADDRINUSE) fail(errno, address);
  make_way(address);
  if (::bind(descriptor, address.get(), address.length) != 0) fail(errno, address);
}

}  // namespace

int listen_unix(const Address& address, std::optional<mode_t> mode) {
  const int descriptor = open_socket();
  if (descriptor < 0) fail(errno, address);
  try {
    bind_to(descriptor, address);
    const std::string path = path_of(address);
    if (mode && !path.empty() && ::chmod(path.c_str(), *mode) != 0) fail(errno, address);
    if (::listen(descriptor, kBacklog) != 0) fail(errno, address);
  } catch (...) {
    ::close(descriptor);
    throw;
  }
  return descriptor;
}

UnixSocketFile::UnixSocketFile(const Address& bound) : path_(path_of(bound)) {
  struct stat found {};
  if (path_.empty() || ::lstat(path_.c_str(), &found) != 0) path_.clear();
  device_ = found.st_dev;
  inode_ = found.st_ino;
}

UnixSocketFile::UnixSocketFile(UnixSocketFile&& from) noexcept
    : path_(std::exchange(from.path_, {})), device_(from.device_), inode_(from.inode_) {}

void UnixSocketFile::remove() noexcept {
  if (path_.empty()) return;
  struct stat found {};
  const bool ours = ::lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_;
  if (ours) ::unlink(path_.c_str());
  path_.clear();
}

}  // namespace tidegate::net
