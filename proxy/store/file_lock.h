// One Tidegate per state file: an advisory lock (flock) on FILE.lock, held for as long as the store is open. The kernel
// drops it when the process ends, however it ends, so there is never a stale lock to remove. Why not SQLite's
// `locking_mode = EXCLUSIVE`: it admits one connection only, and history is read over a second one while the writer
// waits for the disk; and it keeps an operator from opening the file with sqlite3 to look. A second Tidegate is refused
// before it touches the database.
#pragma once

#include <string>

#include "store/store.h"

namespace tidegate::store {

class FileLock {
 public:
  /// @param path of the file to guard; PATH.lock is created beside it (mode 0600) and left there.
  static Result<FileLock> take(const std::string& path);
  /// The lock of a process that this one follows: the descriptor that it handed over holds it as well. It must guard the same
  /// file: another one knows nothing of the latches.
  static Result<FileLock> take_over(int descriptor, const std::string& path);
  /// To be handed over.
  int descriptor() const noexcept { return fd_; }

  FileLock(FileLock&& from) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) noexcept : fd_(fd) {}
  int fd_;
};

}  // namespace tidegate::store
