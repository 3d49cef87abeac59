// What is known of addresses: the last thing that was told, for as long as it can be true.
#include "observe/health_board.h"

#include <gtest/gtest.h>

namespace tidegate::observe {
namespace {

using namespace std::chrono_literals;
const TimePoint kNow = TimePoint{} + 1h;

struct HealthBoardTest : testing::Test {
  std::string state(const std::string& address, TimePoint now = kNow) const {
    const HealthBoard::Found found = board.look("new", address, now);
    return std::string(found.healthy ? "healthy" : "unhealthy") + (found.ejected ? " ejected" : "") + " " +
           std::to_string(found.since_ms) + (found.why.empty() ? "" : ": " + found.why);
  }
  HealthBoard board;
};

TEST_F(HealthBoardTest, WhatNobodyToldOfIsHealthy) { EXPECT_EQ(state("a:1"), "healthy 0"); }

TEST_F(HealthBoardTest, SaysTheLastThingThatWasToldAndSinceWhen) {
  board.set_health("new", "a:1", false, "answered 503", 5);
  board.set_health("old", "a:1", true, "", 6);
  EXPECT_EQ(state("a:1"), "unhealthy 5: answered 503");
  board.set_health("new", "a:1", true, "ignored", 7);
  EXPECT_EQ(state("a:1"), "healthy 7");
}

TEST_F(HealthBoardTest, AnEjectionIsOverByItself) {
  board.eject("new", "a:1", "3 failures in a row", kNow, 10s, 5);
  board.eject("new", "a:1", "another worker's", kNow + 1ms, 10s, 6);
  EXPECT_EQ(state("a:1"), "healthy ejected 5: 3 failures in a row");
  EXPECT_EQ(state("a:1", kNow + 10s), "healthy ejected 5: 3 failures in a row");
  EXPECT_EQ(state("a:1", kNow + 11s), "healthy 0");
  board.eject("new", "a:1", "again", kNow + 20s, 10s, 7);
  EXPECT_EQ(state("a:1", kNow + 25s), "healthy ejected 7: again");
}

TEST_F(HealthBoardTest, WhatIsUnhealthyAndEjectedIsUnhealthyFirst) {
  board.eject("new", "a:1", "3 failures in a row", kNow, 10s, 5);
  board.set_health("new", "a:1", false, "refused", 6);
  EXPECT_EQ(state("a:1"), "unhealthy ejected 6: refused");
}

TEST_F(HealthBoardTest, ForgetsAddressesThatAClusterHasNoMore) {
  for (const char* address : {"a:1", "b:1"}) board.set_health("new", address, false, "refused", 5);
  board.keep_addresses("new", {"b:1"});
  board.keep_addresses("old", {});
  EXPECT_EQ(state("a:1"), "healthy 0");
  EXPECT_EQ(state("b:1"), "unhealthy 5: refused");
}

TEST_F(HealthBoardTest, AnotherBoardGoesOnWithItsRecords) {
  board.set_health("new", "a:1", false, "refused", 5);
  board.eject("new", "b:1", "3 failures in a row", kNow, 10s, 6);
  const std::vector<HealthBoard::Record> records = board.records(kNow + 4s);
  board.keep_clusters({});
  for (const HealthBoard::Record& one : records) board.restore(one, kNow + 1h);
  EXPECT_EQ(state("a:1", kNow + 1h), "unhealthy 5: refused");
  EXPECT_EQ(state("b:1", kNow + 1h + 5s), "healthy ejected 6: 3 failures in a row");
  EXPECT_EQ(state("b:1", kNow + 1h + 7s), "healthy 0");
}

TEST_F(HealthBoardTest, AReloadKeepsWhatItsClustersStillFindOut) {
  const auto fill = [this] {
    board.set_health("new", "a:1", false, "refused", 5);
    board.eject("new", "b:1", "3 failures in a row", kNow, 10s, 6);
  };
  fill();
  board.keep_clusters({{"new", true, true}});
  EXPECT_EQ(state("a:1") + ", " + state("b:1"), "unhealthy 5: refused, healthy ejected 6: 3 failures in a row");
  board.keep_clusters({{"new", false, true}});
  EXPECT_EQ(state("a:1") + ", " + state("b:1"), "healthy 0, healthy ejected 6: 3 failures in a row");
  fill();
  board.keep_clusters({{"new", true, false}});
  EXPECT_EQ(state("a:1") + ", " + state("b:1"), "unhealthy 5: refused, healthy 0");
  board.keep_clusters({{"old", true, true}});
  EXPECT_EQ(state("a:1"), "healthy 0");
}

}  // namespace
}  // namespace tidegate::observe
