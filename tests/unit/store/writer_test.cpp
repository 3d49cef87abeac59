#include "store/writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "store/scratch.h"
#include "store/sqlite_store.h"

namespace tidegate::store {
namespace {

using test::change;
using namespace std::chrono_literals;

/// A store in memory that fails, or hangs, for as long as the test says so.
class FakeStore : public Store {
 public:
  Result<State> load() override { return State{}; }
  Result<std::vector<Decision>> history(const std::string&, std::size_t) override { return std::vector<Decision>{}; }
  Result<std::optional<Decision>> decision(std::uint64_t) override { return std::optional<Decision>(); }
  Result<void> save(const Change& change) override {
    std::unique_lock lock(mutex_);
    ++attempts_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !hanging_; });
    if (broken_) return Error{"disk full"};
    saved_.push_back(change.decision.epoch);
    changed_.notify_all();
    return {};
  }

  void set_broken(bool broken) { set(broken_, broken); }
  void set_hanging(bool hanging) { set(hanging_, hanging); }
  void wait_for_attempts(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return attempts_ >= count; });
  }
  std::vector<std::uint64_t> saved() {
    const std::lock_guard lock(mutex_);
    return saved_;
  }
  int attempts() {
    const std::lock_guard lock(mutex_);
    return attempts_;
  }

 private:
  void set(bool& what, bool value) {
    const std::lock_guard lock(mutex_);
    what = value;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool broken_ = false, hanging_ = false;
  int attempts_ = 0;
  std::vector<std::uint64_t> saved_;
};

/// Collects what the writer says about each change.
class Answers {
 public:
  Writer::Done expect(std::uint64_t epoch) {
    return [this, epoch](const Result<void>& result) {
      const std::lock_guard lock(mutex_);
      said_.push_back({epoch, result ? "" : result.error().message});
      changed_.notify_all();
    };
  }
  std::vector<std::pair<std::uint64_t, std::string>> wait(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return said_.size() >= count; });
    return said_;
  }
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return said_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<std::uint64_t, std::string>> said_;
};

using Said = std::vector<std::pair<std::uint64_t, std::string>>;
constexpr auto kOrdinary = Writer::Kind::Ordinary;
constexpr auto kMust = Writer::Kind::Must;

/// Retries at once; and never, where a test must not depend on a retry.
Writer::Limits quick() { return {.first_pause = 1ms, .longest_pause = 2ms}; }
Writer::Limits patient() { return {.first_pause = 1h, .longest_pause = 1h}; }

TEST(Writer, SavesInTheOrderOfSubmission) {
  FakeStore store;
  Answers answers;
  Writer writer(store);
  for (std::uint64_t epoch = 1; epoch <= 50; ++epoch) {
    ASSERT_TRUE(writer.submit(change(epoch), epoch % 3 == 0 ? kMust : kOrdinary, answers.expect(epoch)));
  }
  const Said said = answers.wait(50);
  for (std::uint64_t epoch = 1; epoch <= 50; ++epoch) {
    EXPECT_EQ(said[epoch - 1], (std::pair<std::uint64_t, std::string>{epoch, ""}));
    EXPECT_EQ(store.saved()[epoch - 1], epoch);
  }
  EXPECT_TRUE(writer.healthy());
  EXPECT_EQ(writer.failures(), 0u);
}

TEST(Writer, TriesAMustUntilTheStoreWorksAgain) {
  FakeStore store;
  store.set_broken(true);
  Answers answers;
  Writer writer(store, quick());
  ASSERT_TRUE(writer.submit(change(1), kMust, answers.expect(1)));
  ASSERT_TRUE(writer.submit(change(2), kMust, answers.expect(2)));
  store.wait_for_attempts(5);
  EXPECT_EQ(answers.count(), 0u);
  EXPECT_FALSE(writer.healthy());
  EXPECT_EQ(writer.last_error(), "disk full");
  EXPECT_GE(writer.failures(), 4u);
  EXPECT_EQ(writer.pending(), 2u);
  store.set_broken(false);
  EXPECT_EQ(answers.wait(2), (Said{{1, ""}, {2, ""}}));
  EXPECT_EQ(store.saved(), (std::vector<std::uint64_t>{1, 2}));
  EXPECT_TRUE(writer.healthy());
  EXPECT_EQ(writer.last_error(), "");
}

TEST(Writer, AnOrdinaryIsTriedOnceAndFails) {
  FakeStore store;
  store.set_broken(true);
  Answers answers;
  Writer writer(store, quick());
  ASSERT_TRUE(writer.submit(change(1), kOrdinary, answers.expect(1)));
  EXPECT_EQ(answers.wait(1), (Said{{1, "disk full"}}));
  EXPECT_EQ(store.attempts(), 1);
  EXPECT_EQ(writer.pending(), 0u);
  EXPECT_FALSE(writer.healthy());
}

TEST(Writer, AnOrdinaryBehindAFailingMustFailsFastAndDoesNotOvertakeIt) {
  FakeStore store;
  store.set_broken(true);
  Answers answers;
  Writer writer(store, patient());
  ASSERT_TRUE(writer.submit(change(1), kMust, answers.expect(1)));
  store.wait_for_attempts(1);
  ASSERT_TRUE(writer.submit(change(2), kOrdinary, answers.expect(2)));
  EXPECT_EQ(answers.wait(1), (Said{{2, "disk full"}}));
  EXPECT_EQ(writer.pending(), 1u);
  EXPECT_TRUE(store.saved().empty());
}

TEST(Writer, AnOrdinaryBehindAFailingMustIsSavedAfterItWhenTheStoreWorksAgain) {
  FakeStore store;
  store.set_broken(true);
  Answers answers;
  Writer writer(store, patient());
  ASSERT_TRUE(writer.submit(change(1), kMust, answers.expect(1)));
  ASSERT_TRUE(writer.submit(change(2), kOrdinary, answers.expect(2)));
  answers.wait(1);
  store.set_broken(false);
  ASSERT_TRUE(writer.submit(change(3), kOrdinary, answers.expect(3)));  // the must is due in an hour
  EXPECT_EQ(answers.wait(3), (Said{{2, "disk full"}, {1, ""}, {3, ""}}));
  EXPECT_EQ(store.saved(), (std::vector<std::uint64_t>{1, 3}));
}

TEST(Writer, BeyondTheBoundAnOrdinaryIsRefusedAndAMustReplacesTheLastOfItsRoute) {
  FakeStore store;
  store.set_hanging(true);
  Answers answers;
  Writer::Limits limits = quick();
  limits.pending = 4;
  Writer writer(store, limits);
  ASSERT_TRUE(writer.submit(change(1, "a"), kMust, answers.expect(1)));
  store.wait_for_attempts(1);  // it is being written: it cannot be replaced any more
  ASSERT_TRUE(writer.submit(change(2, "a"), kMust, answers.expect(2)));
  ASSERT_TRUE(writer.submit(change(3, "b"), kOrdinary, answers.expect(3)));
  ASSERT_TRUE(writer.submit(change(4, "a"), kMust, answers.expect(4)));
  EXPECT_FALSE(writer.submit(change(5, "b"), kOrdinary, answers.expect(5)));
  ASSERT_TRUE(writer.submit(change(6, "a"), kMust, answers.expect(6)));  // replaces 4
  ASSERT_TRUE(writer.submit(change(7, "c"), kMust, answers.expect(7)));  // the first of its route
  EXPECT_EQ(writer.pending(), 5u);
  store.set_hanging(false);
  Said said = answers.wait(6);
  EXPECT_EQ(store.saved(), (std::vector<std::uint64_t>{1, 2, 3, 6, 7}));
  std::sort(said.begin(), said.end());
  EXPECT_EQ(said, (Said{{1, ""}, {2, ""}, {3, ""}, {4, ""}, {6, ""}, {7, ""}}));
}

TEST(Writer, ThePauseDoublesFrom100MillisecondsTo5Seconds) {
  const Writer::Limits limits;
  std::vector<Duration> pauses;
  for (Duration pause{0}; pauses.size() < 8; pauses.push_back(pause)) pause = Writer::next_pause(pause, limits);
  EXPECT_EQ(pauses, (std::vector<Duration>{100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 5s, 5s}));
}

TEST(Writer, TheEndFlushesWhatIsPendingInOrder) {
  FakeStore store;
  store.set_broken(true);
  Answers answers;
  {
    Writer writer(store, patient());
    ASSERT_TRUE(writer.submit(change(1), kMust, answers.expect(1)));
    ASSERT_TRUE(writer.submit(change(2), kMust, answers.expect(2)));
    store.wait_for_attempts(1);
    store.set_broken(false);
  }
  EXPECT_EQ(store.saved(), (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(answers.wait(2), (Said{{1, ""}, {2, ""}}));
}

TEST(Writer, TheEndTriesAStoreThatFailsOnceAndSaysWhatWasLost) {
  FakeStore store;
  store.set_broken(true);
  Answers answers;
  {
    Writer writer(store, patient());
    ASSERT_TRUE(writer.submit(change(1), kMust, answers.expect(1)));
    ASSERT_TRUE(writer.submit(change(2), kMust, answers.expect(2)));
    store.wait_for_attempts(1);
  }
  EXPECT_LE(store.attempts(), 2);
  EXPECT_EQ(answers.wait(2), (Said{{1, "disk full"}, {2, "disk full"}}));
}

TEST(Writer, TheEndBeginsNoWriteWhenItsTimeIsOver) {
  FakeStore store;
  store.set_hanging(true);
  Answers answers;
  {
    Writer::Limits limits = quick();
    limits.flush = Duration::zero();
    Writer writer(store, limits);
    ASSERT_TRUE(writer.submit(change(1), kMust, answers.expect(1)));
    store.wait_for_attempts(1);
    ASSERT_TRUE(writer.submit(change(2), kMust, answers.expect(2)));
    store.set_broken(true);
    store.set_hanging(false);
  }
  EXPECT_TRUE(store.saved().empty());
  const Said said = answers.wait(2);
  EXPECT_EQ(said[1].second, "stopped before it could be stored");
}

TEST(Writer, WritesToTheRealStore) {
  const test::Scratch scratch;
  auto store = SqliteStore::open(scratch.path()).value();
  Answers answers;
  {
    Writer writer(*store);
    for (std::uint64_t epoch = 1; epoch <= 20; ++epoch) {
      ASSERT_TRUE(writer.submit(change(epoch), kMust, answers.expect(epoch)));
    }
    answers.wait(20);
  }
  EXPECT_EQ(store->load().value().epoch, 20u);
  EXPECT_EQ(store->history("", 100).value().size(), 20u);
}

}  // namespace
}  // namespace tidegate::store
