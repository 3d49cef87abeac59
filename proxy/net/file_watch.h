// Tells when files may have changed: at once where the kernel says so (inotify on their folders, which sees a file that is
// written, replaced or linked anew, and Kubernetes' swap of the `..data` link), and after kLook where it does not (a link
// into another folder, a network file system). It waits until the folder is quiet, because a certificate and its key are
// two files.
//
// A thread of its own, which calls back. Not here: what is in the files.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"

namespace tidegate::net {

class FileWatch {
 public:
  static constexpr Duration kLook = std::chrono::seconds(10);
  static constexpr Duration kQuiet = std::chrono::milliseconds(200);
  static constexpr int kQuietRounds = 25;  ///< a folder that is never quiet is looked at nevertheless

  FileWatch(std::vector<std::string> files, std::function<void()> changed);
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;
  ~FileWatch() { stop(); }

  /// @throws std::system_error when there are no descriptors left. Without inotify only the look is left.
  void start();
  void stop();
  /// Any thread: calls back, changed or not.
  void poke();

 private:
  void run();
  void watch_folders();
  bool wait(Duration most);
  void drain();
  std::vector<std::string> signatures() const;

  const std::vector<std::string> files_;
  const std::function<void()> changed_;
  int inotify_ = -1;
  int wake_ = -1;
  std::vector<std::string> seen_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> poked_{false};
  std::thread thread_;
};

}  // namespace tidegate::net
