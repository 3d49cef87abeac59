#include "observe/access_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "scratch.h"

namespace tidegate::observe {
namespace {

using namespace std::chrono_literals;
using test::becomes;
using test::Fifo;
using test::lines;
using test::record;

/// One or more workers' ends, with what the log reports.
struct Workers {
  explicit Workers(std::size_t count = 1) : dropped(count) {}

  AccessLog::Setup setup(const std::string& path) {
    AccessLog::Setup made;
    made.path = path;
    for (Counter& counter : dropped) made.dropped.push_back(&counter);
    made.on_error = [this](std::string_view line) {
      const std::lock_guard lock(mutex);
      reports.emplace_back(line);
    };
    return made;
  }
  std::vector<std::string> reported() {
    const std::lock_guard lock(mutex);
    return reports;
  }

  std::vector<Counter> dropped;
  std::mutex mutex;
  std::vector<std::string> reports;
};

bool is_json(const std::string& line) {
  boost::system::error_code error;
  boost::json::parse(line, error);
  return !error;
}

std::size_t count_json(const std::string& text) {
  std::size_t count = 0;
  for (const std::string& line : lines(text)) count += is_json(line) ? 1 : 0;
  return count;
}

TEST(AccessLog, WritesWhatWasQueuedBeforeItEnds) {
  const test::Scratch scratch;
  Workers workers(2);
  {
    AccessLog log(workers.setup(scratch.path("access.log")));
    log.sink(0)->write(record("/a"));
    log.sink(1)->write(record("/b"));
    log.sink(0)->write(record("/c"));
  }
  const std::string text = test::content(scratch.path("access.log"));
  EXPECT_EQ(count_json(text), 3u);
  EXPECT_LT(text.find("/a"), text.find("/c"));
  EXPECT_NE(text.find("/b"), std::string::npos);
}

TEST(AccessLog, ALineIsWrittenSoonWithoutAnybodyAskingForIt) {
  const test::Scratch scratch;
  Workers workers;
  AccessLog log(workers.setup(scratch.path("access.log")));
  log.sink(0)->write(record());
  EXPECT_TRUE(becomes([&] { return count_json(test::content(scratch.path("access.log"))) == 1; }));
}

TEST(AccessLog, AppendsToAFileThatIsThere) {
  const test::Scratch scratch;
  Workers workers;
  for (int run = 0; run < 2; ++run) AccessLog(workers.setup(scratch.path("access.log"))).sink(0)->write(record());
  EXPECT_EQ(lines(test::content(scratch.path("access.log"))).size(), 2u);
}

TEST(AccessLog, AFileThatCannotBeOpenedIsNamed) {
  Workers workers;
  try {
    AccessLog log(workers.setup("/nowhere/access.log"));
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), ENOENT);
    EXPECT_NE(std::string(error.what()).find("/nowhere/access.log"), std::string::npos);
  }
}

TEST(AccessLog, ASampleIsExactAndErrorsAreAlwaysLogged) {
  const test::Scratch scratch;
  Workers workers;
  AccessLog::Setup setup = workers.setup(scratch.path("access.log"));
  setup.sample = 0.1;
  {
    AccessLog log(std::move(setup));
    for (int i = 0; i < 1000; ++i) log.sink(0)->write(record("/fine"));
    AccessRecord error = record("/error");
    error.response_code = 503;
    AccessRecord left = record("/left");
    left.response_code = 499;
    left.response_flags = "DC";
    for (int i = 0; i < 20; ++i) log.sink(0)->write(error);
    for (int i = 0; i < 30; ++i) log.sink(0)->write(left);
  }
  std::map<std::string, int> seen;
  for (const std::string& line : lines(test::content(scratch.path("access.log")))) {
    ++seen[std::string(boost::json::parse(line).at("path").as_string())];
  }
  EXPECT_NEAR(seen["/fine"], 100, 2);
  EXPECT_EQ(seen["/error"], 20);
  EXPECT_EQ(seen["/left"], 30);
  EXPECT_EQ(workers.dropped[0].read(), 0u);
}

TEST(AccessLog, ASampleOfNothingOrEverythingIsThat) {
  const test::Scratch scratch;
  Workers workers;
  for (const double sample : {0.0, 1.0}) {
    AccessLog::Setup setup = workers.setup(scratch.path(std::to_string(sample)));
    setup.sample = sample;
    AccessLog log(std::move(setup));
    for (int i = 0; i < 1000; ++i) log.sink(0)->write(record());
  }
  EXPECT_EQ(lines(test::content(scratch.path(std::to_string(0.0)))).size(), 0u);
  EXPECT_EQ(lines(test::content(scratch.path(std::to_string(1.0)))).size(), 1000u);
}

TEST(AccessLog, AReaderThatStallsCostsLinesAndNeverAWorkersTime) {
  const test::Scratch scratch;
  Fifo fifo(scratch);
  Workers workers;
  AccessLog::Setup setup = workers.setup(fifo.path);
  setup.limits.ring_bytes = 64 * 1024;
  setup.limits.flush = 30s;
  auto log = std::make_unique<AccessLog>(std::move(setup));
  std::uint64_t written = 0;
  for (; workers.dropped[0].read() < 100 && written < 1'000'000; ++written) log->sink(0)->write(record());
  EXPECT_EQ(workers.dropped[0].read(), 100u);

  auto text = std::async(std::launch::async, [&fifo] { return fifo.read_to_end(); });
  log.reset();
  EXPECT_EQ(count_json(text.get()), written - 100);
  EXPECT_TRUE(workers.reported().empty());
}

TEST(AccessLog, EndsWithinItsBoundWhenNobodyReads) {
  const test::Scratch scratch;
  Fifo fifo(scratch);
  Workers workers;
  AccessLog::Setup setup = workers.setup(fifo.path);
  setup.limits.flush = 20ms;
  {
    AccessLog log(std::move(setup));
    while (workers.dropped[0].read() == 0) log.sink(0)->write(record());
  }
  ASSERT_EQ(workers.reported().size(), 1u);
  EXPECT_NE(workers.reported()[0].find("lines lost: "), std::string::npos) << workers.reported()[0];
}

TEST(AccessLog, AReaderThatLeftIsReportedAndItsLinesAreCounted) {
  const test::Scratch scratch;
  Fifo fifo(scratch);
  Workers workers;
  AccessLog log(workers.setup(fifo.path));
  fifo.close();
  log.sink(0)->write(record());
  ASSERT_TRUE(becomes([&] { return log.lost() == 1 && !workers.reported().empty(); }));
  EXPECT_EQ(workers.reported()[0], "access log " + fifo.path + " cannot be written: Broken pipe; lines lost: 1");
  EXPECT_EQ(workers.dropped[0].read(), 0u);
}

TEST(AccessLog, AFullDiskLosesLinesAndIsReportedOnceInItsTime) {
  Workers workers;
  AccessLog log(workers.setup("/dev/full"));
  for (std::uint64_t lost = 1; lost <= 5; ++lost) {
    log.sink(0)->write(record());
    ASSERT_TRUE(becomes([&] { return log.lost() == lost; }));
  }
  ASSERT_TRUE(becomes([&] { return !workers.reported().empty(); }));
  EXPECT_EQ(workers.reported().size(), 1u);
  EXPECT_NE(workers.reported()[0].find("No space left on device; lines lost: 1"), std::string::npos);
}

TEST(AccessLog, TheNextReportTellsWhatWasLostSinceTheLast) {
  Workers workers;
  AccessLog::Setup setup = workers.setup("/dev/full");
  setup.limits.report = Duration::zero();
  AccessLog log(std::move(setup));
  for (std::size_t reports = 1; reports <= 3; ++reports) {
    log.sink(0)->write(record());
    ASSERT_TRUE(becomes([&] { return workers.reported().size() == reports; }));
    EXPECT_TRUE(workers.reported().back().ends_with("; lines lost: 1"));
  }
}

TEST(AccessLog, AfterARotationLinesGoToTheNewFile) {
  const test::Scratch scratch;
  const std::string path = scratch.path("access.log"), moved = scratch.path("access.log.1");
  Workers workers;
  {
    AccessLog log(workers.setup(path));
    log.sink(0)->write(record("/before"));
    ASSERT_TRUE(becomes([&] { return !test::content(path).empty(); }));
    std::filesystem::rename(path, moved);
    log.reopen();
    ASSERT_TRUE(becomes([&] { return std::filesystem::exists(path); }));
    log.sink(0)->write(record("/after"));
  }
  EXPECT_NE(test::content(moved).find("/before"), std::string::npos);
  EXPECT_NE(test::content(path).find("/after"), std::string::npos);
  EXPECT_EQ(count_json(test::content(path)), 1u);
}

TEST(AccessLog, ARotationThatFailsKeepsTheOldFileAndSaysSo) {
  const test::Scratch scratch;
  const std::string path = scratch.path("access.log"), moved = scratch.path("access.log.1");
  Workers workers;
  {
    AccessLog log(workers.setup(path));
    std::filesystem::rename(path, moved);
    std::filesystem::create_directory(path);
    log.reopen();
    ASSERT_TRUE(becomes([&] { return workers.reported().size() == 1; }));
    log.sink(0)->write(record());
  }
  EXPECT_NE(workers.reported()[0].find("Is a directory"), std::string::npos) << workers.reported()[0];
  EXPECT_EQ(count_json(test::content(moved)), 1u);
}

TEST(AccessLog, TwoWorkersAtFullSpeedLoseNothingUncounted) {
  constexpr int kEach = 20'000;
  const test::Scratch scratch;
  Workers workers(2);
  {
    AccessLog log(workers.setup(scratch.path("access.log")));
    const auto work = [&log](std::size_t worker, const char* path) {
      AccessRecord one = record(path);
      for (one.epoch = 1; one.epoch <= kEach; ++one.epoch) log.sink(worker)->write(one);
    };
    std::thread other(work, 1, "/1");
    work(0, "/0");
    other.join();
  }
  std::map<std::string, std::uint64_t> last, count;
  for (const std::string& line : lines(test::content(scratch.path("access.log")))) {
    const boost::json::value parsed = boost::json::parse(line);
    const std::string path(parsed.at("path").as_string());
    const auto epoch = parsed.at("epoch").to_number<std::uint64_t>();
    EXPECT_GT(epoch, last[path]);
    last[path] = epoch;
    ++count[path];
  }
  EXPECT_EQ(count["/0"] + workers.dropped[0].read(), std::uint64_t{kEach});
  EXPECT_EQ(count["/1"] + workers.dropped[1].read(), std::uint64_t{kEach});
}

/// Standard output is a pipe while it lives.
class PipedStdout {
 public:
  PipedStdout() : saved_(::dup(STDOUT_FILENO)) {
    std::fflush(stdout);
    EXPECT_EQ(::pipe2(ends_, O_CLOEXEC), 0);
    ::dup2(ends_[1], STDOUT_FILENO);
  }
  ~PipedStdout() {
    restore();
    ::close(ends_[0]);
  }
  int flags() const { return ::fcntl(STDOUT_FILENO, F_GETFL); }
  int reader() const { return ends_[0]; }
  void restore() {
    if (saved_ < 0) return;
    ::dup2(saved_, STDOUT_FILENO);
    ::close(std::exchange(saved_, -1));
    ::close(ends_[1]);
  }

 private:
  int saved_;
  int ends_[2] = {-1, -1};
};

TEST(AccessLog, StandardOutputIsSharedSoItsFlagsAreLeftAlone) {
  Workers workers;
  PipedStdout piped;
  const int flags = piped.flags();
  {
    AccessLog log(workers.setup("stdout"));
    log.reopen();
    for (int i = 0; i < 50; ++i) log.sink(0)->write(record());
  }
  EXPECT_EQ(piped.flags(), flags);
  piped.restore();
  std::string text;
  char block[4096];
  for (ssize_t n = 0; (n = ::read(piped.reader(), block, sizeof block)) > 0;) {
    text.append(block, static_cast<std::size_t>(n));
  }
  EXPECT_EQ(count_json(text), 50u);
  EXPECT_EQ(lines(text).size(), 50u);
}

TEST(AccessLog, AStandardOutputThatNobodyReadsDoesNotHoldTheProcess) {
  Workers workers;
  AccessLog::Setup setup = workers.setup("stdout");
  setup.limits.flush = 20ms;
  PipedStdout piped;
  {
    AccessLog log(std::move(setup));
    while (workers.dropped[0].read() == 0) log.sink(0)->write(record());
  }
  EXPECT_EQ(workers.reported().size(), 1u);
}

TEST(LogDestination, WhatFollowsATornLineBeginsOnANewOne) {
  const test::Scratch scratch;
  Fifo fifo(scratch);
  {
    LogDestination destination(fifo.path);
    ASSERT_EQ(::fcntl(destination.descriptor(), F_SETPIPE_SZ, 4096), 4096);
    char block[4096];
    EXPECT_EQ(destination.write("whole\n").bytes, 6u);
    destination.abandon_line();
    EXPECT_EQ(::read(fifo.reader, block, sizeof block), 6);
    EXPECT_EQ(destination.write(std::string(8192, 'x')).bytes, 4096u);
    EXPECT_EQ(destination.write("x").bytes, 0u);
    destination.abandon_line();
    EXPECT_EQ(::read(fifo.reader, block, sizeof block), 4096);
    EXPECT_EQ(destination.write("next\n").bytes, 5u);
    EXPECT_EQ(destination.write("more\n").bytes, 5u);
  }
  EXPECT_EQ(fifo.read_to_end(), "\nnext\nmore\n");
}

}  // namespace
}  // namespace tidegate::observe
