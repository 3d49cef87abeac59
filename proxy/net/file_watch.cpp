#include "net/file_watch.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <set>
#include <system_error>
#include <utility>

namespace tidegate::net {

namespace {

constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB |
                                  IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

std::string folder_of(const std::string& file) {
  const std::size_t slash = file.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : file.substr(0, slash);
}

/// What a file is as long as nobody touches it.
std::string signature_of(const std::string& file) {
  struct stat facts {};
  if (::stat(file.c_str(), &facts) != 0) return "error " + std::to_string(errno);
  std::string text;
  for (const auto number : {static_cast<long long>(facts.st_dev), static_cast<long long>(facts.st_ino),
                            static_cast<long long>(facts.st_size), static_cast<long long>(facts.st_mtim.tv_sec),
                            static_cast<long long>(facts.st_mtim.tv_nsec), static_cast<long long>(facts.st_ctim.tv_sec),
                            static_cast<long long>(facts.st_ctim.tv_nsec)}) {
    (text += std::to_string(number)) += ' ';
  }
  return text;
}

}  // namespace

FileWatch::FileWatch(std::vector<std::string> files, std::function<void()> changed)
    : files_(std::move(files)), changed_(std::move(changed)) {}

void FileWatch::start() {
  wake_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  inotify_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  watch_folders();
  seen_ = signatures();
  thread_ = std::thread([this] { run(); });
}

void FileWatch::stop() {
  if (!thread_.joinable()) return;
  stopping_.store(true);
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(wake_, &one, sizeof one);
  thread_.join();
  ::close(wake_);
  if (inotify_ >= 0) ::close(inotify_);
}

void FileWatch::poke() {
  poked_.store(true);
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(wake_, &one, sizeof one);
}

std::vector<std::string> FileWatch::signatures() const {
  std::vector<std::string> out;
  for (const std::string& file : files_) out.push_back(signature_of(file));
  return out;
}

/// Again and again: a folder may be deleted and made anew. The kernel knows those that it watches already.
void FileWatch::watch_folders() {
  if (inotify_ < 0) return;
  std::set<std::string> folders;
  for (const std::string& file : files_) folders.insert(folder_of(file));
  for (const std::string& folder : folders) ::inotify_add_watch(inotify_, folder.c_str(), kEvents);
}

/// @return true when something happened before the time was over.
bool FileWatch::wait(Duration most) {
  std::array<pollfd, 2> sources{pollfd{wake_, POLLIN, 0}, pollfd{inotify_, POLLIN, 0}};
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(most).count();
  const int ready = ::poll(sources.data(), inotify_ < 0 ? 1 : 2, static_cast<int>(milliseconds));
  if (ready > 0) drain();
  return ready > 0;
}

void FileWatch::drain() {
  std::array<char, 4096> space;
  while (inotify_ >= 0 && ::read(inotify_, space.data(), space.size()) > 0) {
  }
  std::uint64_t ignored = 0;
  [[maybe_unused]] const ssize_t n = ::read(wake_, &ignored, sizeof ignored);
}

void FileWatch::run() {
  ::pthread_setname_np(::pthread_self(), "certificates");
  while (!stopping_.load()) {
    bool busy = wait(kLook);
    for (int round = 0; busy && round < kQuietRounds && !stopping_.load(); ++round) busy = wait(kQuiet);
    if (stopping_.load()) return;
    watch_folders();
    std::vector<std::string> now = signatures();
    const bool changed = now != seen_;
    seen_ = std::move(now);
    if (poked_.exchange(false) || changed) changed_();
  }
}

}  // namespace tidegate::net
