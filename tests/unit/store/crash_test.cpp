// What survives: a process that is killed in the middle of saving, a disk that is full, a second process on the same
// file. Each runs the store in a forked child, which ends by _exit or by a signal.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <random>

#include "store/scratch.h"
#include "store/sqlite_store.h"

namespace tidegate::store {
namespace {

using test::change;
using test::Scratch;

/// A child process with a pipe from it.
class Child {
 public:
  explicit Child(const std::function<int(int pipe)>& story) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      ::_exit(story(ends[1]));
    }
    ::close(ends[1]);
    from_ = ends[0];
  }
  ~Child() {
    ::close(from_);
    if (pid_ > 0) kill();
  }

  /// The next number that it wrote; empty when there is none within the time, or none any more (then ended() is true).
  std::optional<std::uint64_t> next(int timeout_ms) {
    pollfd wait{from_, POLLIN, 0};
    if (::poll(&wait, 1, timeout_ms) <= 0) return std::nullopt;
    std::uint64_t number = 0;
    if (::read(from_, &number, sizeof number) == sizeof number) return number;
    ended_ = true;
    return std::nullopt;
  }
  bool ended() const { return ended_; }
  void kill() {
    ::kill(pid_, SIGKILL);
    wait();
  }
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
  int from_ = -1;
  bool ended_ = false;
};

void tell(int pipe, std::uint64_t number) {
  if (::write(pipe, &number, sizeof number) != sizeof number) ::_exit(9);
}

int save_for_ever(const std::string& path, int pipe) {
  auto store = SqliteStore::open(path);
  if (!store) return 1;
  std::uint64_t epoch = (*store)->load().value().epoch;
  for (;;) {
    if (!(*store)->save(change(++epoch))) return 2;
    tell(pipe, epoch);
  }
}

TEST(SqliteStoreCrash, AKillAtAnyMomentKeepsWhatWasAcknowledgedAndTearsNothing) {
  const Scratch scratch;
  const unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  std::uint64_t known = 0;
  for (int kill = 0; kill < 50; ++kill) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", kill " + std::to_string(kill));
    {
      Child child([&](int pipe) { return save_for_ever(scratch.path(), pipe); });
      // So many acknowledgements, or so many milliseconds: some kills hit the opening, most the saving.
      const unsigned acknowledgements = random() % 20;
      const int patience_ms = random() % 4 == 0 ? static_cast<int>(random() % 5) : 10'000;
      for (unsigned i = 0; i < acknowledgements; ++i) {
        const auto epoch = child.next(patience_ms);
        if (!epoch) break;
        known = *epoch;
      }
      child.kill();
      while (const auto epoch = child.next(10'000)) known = *epoch;
      ASSERT_TRUE(child.ended());
    }
    auto store = SqliteStore::open(scratch.path());
    ASSERT_TRUE(store) << store.error().message;
    const State state = (*store)->load().value();
    ASSERT_TRUE(state.epoch == known || state.epoch == known + 1) << state.epoch << " after " << known;
    if (state.epoch > 0) {
      ASSERT_EQ(state.routes, std::vector{change(state.epoch).route});
      ASSERT_EQ((*store)->history("", 1).value(), std::vector{change(state.epoch).decision});
    }
    known = state.epoch;
  }
  EXPECT_GT(known, 50u);
}

/// Exit codes name the step that went wrong.
int fill_the_disk(const std::string& path, int pipe) {
  ::signal(SIGXFSZ, SIG_IGN);
  auto store = SqliteStore::open(path);
  if (!store || !(*store)->save(change(1))) return 1;

  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit full{200'000, limit.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &full);
  Change big = change(2);
  big.decision.record = std::string(50'000, 'x');
  std::uint64_t epoch = 1;
  for (int i = 0; i < 100; ++i) {
    big.route.epoch = big.decision.epoch = epoch + 1;
    if (!(*store)->save(big)) break;
    ++epoch;
  }
  const auto failed = (*store)->save(big);
  if (failed || failed.error().message.find(path) == std::string::npos) return 2;
  if ((*store)->load().value().epoch != epoch) return 3;
  if ((*store)->history("", 1).value().front().epoch != epoch) return 4;

  ::setrlimit(RLIMIT_FSIZE, &limit);  // somebody made room
  if (!(*store)->save(change(epoch + 1))) return 5;
  tell(pipe, epoch + 1);
  return 0;
}

TEST(SqliteStoreCrash, AFullDiskFailsTheSaveKeepsTheStateAndIsOverWhenThereIsRoom) {
  const Scratch scratch;
  Child child([&](int pipe) { return fill_the_disk(scratch.path(), pipe); });
  const auto epoch = child.next(30'000);
  EXPECT_EQ(child.wait(), 0);
  ASSERT_TRUE(epoch);
  auto store = SqliteStore::open(scratch.path());
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ((*store)->load().value().epoch, *epoch);
}

TEST(SqliteStoreCrash, AnotherProcessIsRefusedWithTheIdOfTheHolderAndAdmittedAfterItsDeath) {
  const Scratch scratch;
  Child child([&](int pipe) { return save_for_ever(scratch.path(), pipe); });
  ASSERT_TRUE(child.next(30'000));
  auto refused = SqliteStore::open(scratch.path());
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("in use by another Tidegate (process "), std::string::npos)
      << refused.error().message;
  child.kill();
  EXPECT_TRUE(SqliteStore::open(scratch.path()));
}

}  // namespace
}  // namespace tidegate::store
