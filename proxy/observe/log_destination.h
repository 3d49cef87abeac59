// Where the access log goes: standard output or a file (also a FIFO or a device). It writes without waiting, so that
// its thread can always be told to stop, and it keeps lines apart: what follows a torn line begins on a new one. It
// does not queue, retry or count. Owned by AccessLog and used on its thread alone.
//
// Standard output is shared with whoever started Tidegate, so O_NONBLOCK, which is a property of the open file and not
// of the descriptor, must not be set on it. A pipe, socket or terminal that was inherited is asked by poll() instead,
// and gets at most PIPE_BUF bytes at a time, which a pipe that says it is writable takes without blocking.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tidegate::observe {

class LogDestination {
 public:
  /// @param path "stdout" or a file, which is appended to and made (0640) if it is not there.
  /// @throws std::system_error naming the path.
  explicit LogDestination(std::string path);
  ~LogDestination();
  LogDestination(const LogDestination&) = delete;
  LogDestination& operator=(const LogDestination&) = delete;

  struct Wrote {
    std::size_t bytes = 0;  ///< 0 without an error: not now; poll descriptor() for POLLOUT
    int error = 0;          ///< errno
  };
  Wrote write(std::string_view bytes) noexcept;

  /// The rest of a line that was begun will not come.
  void abandon_line() noexcept { torn_ = torn_ || in_line_; }

  /// Opens the path again, after a rotation. Standard output stays.
  /// @return errno; then the old file goes on.
  int reopen() noexcept;

  const std::string& path() const noexcept { return path_; }
  int descriptor() const noexcept { return descriptor_; }

 private:
  void take(int descriptor) noexcept;
  bool is_ready() const noexcept;
  Wrote put(std::string_view bytes) noexcept;

  const std::string path_;
  int descriptor_ = -1;
  bool owned_ = false;
  bool ask_first_ = false;  ///< inherited, and writing may block
  bool in_line_ = false;    ///< the last byte was not a newline
  bool torn_ = false;
};

}  // namespace tidegate::observe
