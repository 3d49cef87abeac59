// What the tests of metrics and the access log share: a directory that goes away with the test, a pipe with a name,
// records, and waiting for what another thread does.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "observe/access_record.h"

namespace tidegate::observe::test {

class Scratch {
 public:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "tidegate-observe-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("no scratch directory");
    directory_ = name;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  std::string path(const std::string& name) const { return (directory_ / name).string(); }

 private:
  std::filesystem::path directory_;
};

/// A FIFO with a reader that reads when it is told to.
struct Fifo {
  explicit Fifo(const Scratch& scratch) : path(scratch.path("fifo")) {
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    EXPECT_GE(reader, 0);
  }
  ~Fifo() { close(); }
  void close() {
    if (reader >= 0) ::close(std::exchange(reader, -1));
  }
  /// Until every writer has closed it.
  std::string read_to_end() const {
    ::fcntl(reader, F_SETFL, 0);
    std::string all;
    char block[4096];
    for (ssize_t n = 0; (n = ::read(reader, block, sizeof block)) > 0;) all.append(block, static_cast<std::size_t>(n));
    return all;
  }
  std::string path;
  int reader = -1;
};

inline AccessRecord record(std::string_view path = "/") {
  AccessRecord made;
  made.method = "GET";
  made.path = path;
  made.response_code = 200;
  return made;
}

inline std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream all;
  all << file.rdbuf();
  return std::move(all).str();
}

inline std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> found;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) found.push_back(line);
  return found;
}

/// True as soon as `done` is; false if that takes longer than any slow machine needs.
template <class Done>
bool becomes(Done done) {
  const TimePoint until = Clock::now() + std::chrono::seconds(30);
  while (!done()) {
    if (Clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace tidegate::observe::test
