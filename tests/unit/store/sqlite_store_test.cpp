#include "store/sqlite_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "store/scratch.h"

namespace tidegate::store {
namespace {

using test::change;
using test::Scratch;

std::string error_of(const std::string& path) {
  auto store = SqliteStore::open(path);
  return store ? "opened" : store.error().message;
}

void expect_says(const std::string& message, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << "\"" << message << "\" does not say \"" << part << "\"";
  }
}

void run_sql(const std::string& path, const char* sql) {
  int code = SQLITE_OK;
  auto database = sqlite::Connection::open(path, code);
  ASSERT_EQ(code, SQLITE_OK);
  ASSERT_EQ(database.execute(sql), SQLITE_OK) << database.message();
}

TEST(SqliteStore, ANewOneIsEmpty) {
  const Scratch scratch;
  auto store = SqliteStore::open(scratch.path()).value();
  const State state = store->load().value();
  EXPECT_EQ(state.epoch, 0u);
  EXPECT_TRUE(state.routes.empty());
  EXPECT_TRUE(store->history("", 10).value().empty());
}

TEST(SqliteStore, FindsADecisionByItsNumber) {
  const Scratch scratch;
  auto store = SqliteStore::open(scratch.path()).value();
  for (const std::uint64_t epoch : {3u, 4u, 7u}) ASSERT_TRUE(store->save(change(epoch)));
  EXPECT_EQ(store->decision(4).value()->epoch, 4u);
  EXPECT_EQ(store->decision(7).value()->epoch, 7u);
  EXPECT_FALSE(store->decision(5).value());
}

TEST(SqliteStore, GivesBackEveryFieldAlsoAfterAReopen) {
  const Scratch scratch;
  Change latched{.route = {.route = "api \"quoted\"; é",
                           .file_weight = Weight::of_units(1'000),
                           .weight = Weight::none(),
                           .latched = true,
                           .latch_reason = "new failed 12 of 60 requests in 0.6 s",
                           .file_mirror = Weight::whole(),
                           .mirror = Weight::of_units(1),
                           .epoch = 7},
                 .decision = {.epoch = 7,
                              .at_ms = 1'700'000'000'123,
                              .route = "api \"quoted\"; é",
                              .action = Action::Revert,
                              .actor = "gate",
                              .reason = "new failed 12 of 60 requests in 0.6 s",
                              .from = "25",
                              .to = "0",
                              .record = R"({"s_new": 8.7})"}};
  auto store = SqliteStore::open(scratch.path()).value();
  ASSERT_TRUE(store->save(latched));
  for (int round = 0; round < 2; ++round) {
    const State state = store->load().value();
    EXPECT_EQ(state.epoch, 7u);
    EXPECT_EQ(state.routes, std::vector{latched.route});
    EXPECT_EQ(store->history("", 10).value(), std::vector{latched.decision});
    store.reset();
    store = SqliteStore::open(scratch.path()).value();
  }
}

TEST(SqliteStore, KeepsTheLatestOfARouteAndTheHistoryOfAllNewestFirst) {
  const Scratch scratch;
  auto store = SqliteStore::open(scratch.path()).value();
  for (const auto& [epoch, route] : {std::pair<std::uint64_t, const char*>{1, "a"}, {2, "b"}, {3, "a"}}) {
    ASSERT_TRUE(store->save(change(epoch, route)));
  }
  const State state = store->load().value();
  EXPECT_EQ(state.routes, (std::vector{change(3, "a").route, change(2, "b").route}));
  EXPECT_EQ(store->history("", 10).value(),
            (std::vector{change(3, "a").decision, change(2, "b").decision, change(1, "a").decision}));
  EXPECT_EQ(store->history("a", 10).value(), (std::vector{change(3, "a").decision, change(1, "a").decision}));
  EXPECT_EQ(store->history("a", 1).value(), std::vector{change(3, "a").decision});
  EXPECT_TRUE(store->history("c", 10).value().empty());
}

TEST(SqliteStore, TheEpochNeverGoesBack) {
  const Scratch scratch;
  auto store = SqliteStore::open(scratch.path()).value();
  ASSERT_TRUE(store->save(change(9, "a")));
  ASSERT_TRUE(store->save(change(4, "b")));
  EXPECT_EQ(store->load().value().epoch, 9u);
}

TEST(SqliteStore, ForgetsTheOldestDecisionsBeyondTheBound) {
  const Scratch scratch;
  auto store = SqliteStore::open(scratch.path(), {.history_rows = 5}).value();
  for (std::uint64_t epoch = 1; epoch <= 12; ++epoch) ASSERT_TRUE(store->save(change(epoch)));
  const auto history = store->history("", 100).value();
  ASSERT_EQ(history.size(), 5u);
  EXPECT_EQ(history.front().epoch, 12u);
  EXPECT_EQ(history.back().epoch, 8u);
}

TEST(SqliteStore, HistoryIsReadWhileTheWriterWrites) {
  const Scratch scratch;
  auto store = SqliteStore::open(scratch.path()).value();
  ASSERT_TRUE(store->save(change(1)));
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (std::uint64_t epoch = 2; epoch <= 100; ++epoch) EXPECT_TRUE(store->save(change(epoch)));
    done = true;
  });
  std::uint64_t last = 0;
  while (!done) {
    const auto history = store->history("api", 3);
    ASSERT_TRUE(history) << history.error().message;
    ASSERT_GE(history->front().epoch, last);
    last = history->front().epoch;
  }
  writer.join();
  EXPECT_EQ(store->history("", 1).value().front().epoch, 100u);
}

TEST(SqliteStore, TheFilesAreForTheirOwnerOnly) {
  const Scratch scratch;
  auto store = SqliteStore::open(scratch.path()).value();
  ASSERT_TRUE(store->save(change(1)));
  for (const char* name : {"tidegate.db", "tidegate.db-wal", "tidegate.db-shm", "tidegate.db.lock"}) {
    struct stat found{};
    ASSERT_EQ(::stat(scratch.path(name).c_str(), &found), 0) << name;
    EXPECT_EQ(found.st_mode & 0777u, 0600u) << name;
  }
}

TEST(SqliteStore, AMissingDirectoryIsNamed) {
  const Scratch scratch;
  expect_says(error_of(scratch.path("missing/tidegate.db")),
              {scratch.path("missing/tidegate.db"), "directory", "does not exist"});
}

TEST(SqliteStore, APathBelowAFileIsRefused) {
  const Scratch scratch;
  std::ofstream(scratch.path("file")) << "x";
  expect_says(error_of(scratch.path("file/tidegate.db")), {scratch.path("file/tidegate.db"), "not a directory"});
}

TEST(SqliteStore, ADirectoryThatCannotBeWrittenIsNamed) {
  // /proc refuses new files also to root.
  expect_says(error_of("/proc/tidegate.db"), {"/proc/tidegate.db", "cannot"});
}

TEST(SqliteStore, ADirectoryInPlaceOfTheFileIsRefused) {
  const Scratch scratch;
  std::filesystem::create_directory(scratch.path());
  expect_says(error_of(scratch.path()), {scratch.path(), "Is a directory"});
}

TEST(SqliteStore, AFileThatIsNoDatabaseIsRefusedAndLeftAlone) {
  const Scratch scratch;
  for (const std::string& text : {std::string("x"), std::string("routes: []\n"), std::string(100'000, '\xff')}) {
    std::ofstream(scratch.path(), std::ios::binary | std::ios::trunc) << text;
    expect_says(error_of(scratch.path()), {scratch.path(), "not a Tidegate state file"});
    EXPECT_EQ(std::filesystem::file_size(scratch.path()), text.size());
  }
}

TEST(SqliteStore, TheDatabaseOfAnotherProgramIsRefusedAndLeftAlone) {
  const Scratch scratch;
  std::ofstream(scratch.path()).close();
  run_sql(scratch.path(), "CREATE TABLE theirs (x)");
  expect_says(error_of(scratch.path()), {scratch.path(), "another program"});
}

TEST(SqliteStore, AFileOfANewerVersionIsRefused) {
  const Scratch scratch;
  SqliteStore::open(scratch.path()).value().reset();
  run_sql(scratch.path(), "PRAGMA user_version = 3");
  expect_says(error_of(scratch.path()), {scratch.path(), "newer Tidegate", "schema 3", "knows 2"});
}

TEST(SqliteStore, AFileOfTheVersionBeforeIsUpgradedAndKeepsEverything) {
  const Scratch scratch;
  {
    auto store = SqliteStore::open(scratch.path()).value();
    ASSERT_TRUE(store->save(change(7)));
  }
  run_sql(scratch.path(), "ALTER TABLE routes DROP COLUMN rollout; PRAGMA user_version = 1");
  auto store = SqliteStore::open(scratch.path()).value();
  const State state = store->load().value();
  EXPECT_EQ(state.epoch, 7u);
  ASSERT_EQ(state.routes.size(), 1u);
  EXPECT_EQ(state.routes.front(), change(7).route);
  EXPECT_EQ(state.routes.front().rollout, "");
  EXPECT_EQ(store->history("", 10).value().size(), 1u);
}

TEST(SqliteStore, ARolloutIsKeptWithItsRoute) {
  const Scratch scratch;
  Change with_rollout = change(8);
  with_rollout.route.rollout = R"({"state":"running"})";
  with_rollout.decision.action = Action::RolloutStart;
  {
    auto store = SqliteStore::open(scratch.path()).value();
    ASSERT_TRUE(store->save(with_rollout));
  }
  auto store = SqliteStore::open(scratch.path()).value();
  EXPECT_EQ(store->load().value().routes.front(), with_rollout.route);
  EXPECT_EQ(store->history("", 1).value().front().action, Action::RolloutStart);
}

TEST(SqliteStore, ADamagedFileIsRefused) {
  const Scratch scratch;
  {
    auto store = SqliteStore::open(scratch.path()).value();
    for (std::uint64_t epoch = 1; epoch <= 200; ++epoch) ASSERT_TRUE(store->save(change(epoch)));
  }
  const auto size = std::filesystem::file_size(scratch.path());
  ASSERT_GT(size, 4 * 4096u);
  // Every page but the first one in turn, and the head of the schema page behind the file header.
  for (std::uintmax_t at = 100; at < size; at = at == 100 ? 4096 : at + 4096) {
    std::filesystem::copy_file(scratch.path(), scratch.path("damaged.db"),
                               std::filesystem::copy_options::overwrite_existing);
    std::fstream file(scratch.path("damaged.db"), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file << std::string(512, '\xa5');
    file.close();
    const std::string message = error_of(scratch.path("damaged.db"));
    expect_says(message, {scratch.path("damaged.db"), "damaged"});
  }
}

/// It would be taken for all of it.
TEST(SqliteStore, AWeightThatCannotBeIsDamageAndNotAHundredPercent) {
  for (const char* const sql : {"UPDATE routes SET weight = 20000", "UPDATE routes SET weight = -1", "UPDATE routes SET file_weight = 10001",
                                "UPDATE routes SET mirror = 4294967296"}) {
    const Scratch scratch;
    ASSERT_TRUE(SqliteStore::open(scratch.path()).value()->save(change(7)));
    run_sql(scratch.path(), sql);
    const auto state = SqliteStore::open(scratch.path()).value()->load();
    ASSERT_FALSE(state) << sql;
    expect_says(state.error().message, {scratch.path(), "damaged", "route api has a weight outside of 0 to 100 %"});
  }
}

TEST(SqliteStore, AFileThatWasCutOffIsRefused) {
  const Scratch scratch;
  {
    auto store = SqliteStore::open(scratch.path()).value();
    for (std::uint64_t epoch = 1; epoch <= 200; ++epoch) ASSERT_TRUE(store->save(change(epoch)));
  }
  std::filesystem::resize_file(scratch.path(), 2 * 4096);
  expect_says(error_of(scratch.path()), {scratch.path(), "damaged"});
}

TEST(SqliteStore, ASecondTidegateOnTheSameFileIsRefusedUntilTheFirstIsGone) {
  const Scratch scratch;
  auto first = SqliteStore::open(scratch.path()).value();
  expect_says(error_of(scratch.path()),
              {scratch.path(), "in use by another Tidegate", "process " + std::to_string(::getpid())});
  ASSERT_TRUE(first->save(change(1)));
  first.reset();
  EXPECT_EQ(error_of(scratch.path()), "opened");
}

TEST(SqliteStore, SaysActionsInTheWordsOfTheHistory) {
  for (const Action action : {Action::Weight, Action::Mirror, Action::Revert, Action::Rearm}) {
    EXPECT_EQ(action_named(name(action)), action);
  }
  EXPECT_EQ(name(Action::Revert), "revert");
  EXPECT_EQ(action_named("explode"), std::nullopt);
}

}  // namespace
}  // namespace tidegate::store
