#include "observe/log_destination.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace tidegate::observe {

namespace {

constexpr std::string_view kStdout = "stdout";

/// O_NONBLOCK does nothing to a file; a FIFO without a reader fails instead of waiting for one.
int open_to_append(const std::string& path) noexcept {
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
}

bool may_block(int descriptor) noexcept {
  struct stat about {};
  if (::fstat(descriptor, &about) != 0) return true;
  return S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode) || ::isatty(descriptor) == 1;
}

}  // namespace

LogDestination::LogDestination(std::string path) : path_(std::move(path)) {
  if (path_ == kStdout) {
    descriptor_ = STDOUT_FILENO;
    ask_first_ = may_block(descriptor_);
    return;
  }
  const int descriptor = open_to_append(path_);
  if (descriptor < 0) throw std::system_error(errno, std::system_category(), "access log " + path_);
  take(descriptor);
}

LogDestination::~LogDestination() {
  if (owned_) ::close(descriptor_);
}

void LogDestination::take(int descriptor) noexcept {
  if (owned_) ::close(descriptor_);
  descriptor_ = descriptor;
  owned_ = true;
  in_line_ = torn_ = false;
}

int LogDestination::reopen() noexcept {
  if (!owned_) return 0;
  const int descriptor = open_to_append(path_);
  if (descriptor < 0) return errno;
  take(descriptor);
  return 0;
}

LogDestination::Wrote LogDestination::write(std::string_view bytes) noexcept {
  if (torn_) {
    const Wrote ended = put("\n");
    if (ended.bytes == 0) return ended;
    torn_ = false;
  }
  return put(bytes);
}

LogDestination::Wrote LogDestination::put(std::string_view bytes) noexcept {
  if (ask_first_) {
    if (!is_ready()) return {};
    bytes = bytes.substr(0, PIPE_BUF);
  }
  ssize_t count = 0;
  do {
    count = ::write(descriptor_, bytes.data(), bytes.size());
  } while (count < 0 && errno == EINTR);
  if (count < 0) return {0, errno == EAGAIN ? 0 : errno};
  if (count > 0) in_line_ = bytes[static_cast<std::size_t>(count) - 1] != '\n';
  return {static_cast<std::size_t>(count), 0};
}

/// An error is ready too: write() says which.
bool LogDestination::is_ready() const noexcept {
  pollfd asked{descriptor_, POLLOUT, 0};
  return ::poll(&asked, 1, 0) > 0;
}

}  // namespace tidegate::observe
