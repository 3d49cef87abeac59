#include "control/check_board.h"

#include <gtest/gtest.h>

namespace tidegate::control {
namespace {

using gate::Verdict;

class CheckBoardTest : public testing::Test {
 protected:
  CheckBoardTest() {
    for (const char* name : {"smoke", "errors"}) {
      check::CheckPolicy policy;
      policy.name = name;
      policy.failures = 2;
      policy.interval = Duration::zero();
      policies_.push_back(policy);
    }
  }
  void tick(const std::vector<std::string>& names) {
    board_.tick(TimePoint::max(), names, [this](const check::CheckPolicy& policy, CheckBoard::Answered answered) {
      asked_.push_back(policy.name);
      pending_.push_back(std::move(answered));
    });
  }
  void answer(Verdict verdict, std::size_t question = 0) {
    const CheckBoard::Answered answered = pending_.at(question);
    pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(question));
    answered({verdict, "because", {}});
  }
  std::optional<Verdict> verdict_of(const std::string& name) { return board_.answers({name}).front().verdict; }

  std::vector<check::CheckPolicy> policies_;
  CheckBoard board_{policies_};
  std::vector<std::string> asked_;
  std::vector<CheckBoard::Answered> pending_;
};

TEST_F(CheckBoardTest, AsksEachOnceUntilItAnswers) {
  tick({"smoke", "errors"});
  tick({"smoke", "errors"});
  EXPECT_EQ(asked_, (std::vector<std::string>{"smoke", "errors"}));
  EXPECT_EQ(verdict_of("smoke"), std::nullopt);
  answer(Verdict::Pass);
  EXPECT_EQ(verdict_of("smoke"), Verdict::Pass);
  tick({"smoke", "errors"});
  EXPECT_EQ(asked_.size(), 3u);
}

TEST_F(CheckBoardTest, AnAnswerOfAStepThatIsOverDoesNotCount) {
  tick({"smoke"});
  board_.begin_step();
  tick({"smoke"});
  ASSERT_EQ(pending_.size(), 2u);
  answer(Verdict::Pass, 0);
  EXPECT_EQ(verdict_of("smoke"), std::nullopt);
  answer(Verdict::Pass, 0);
  EXPECT_EQ(verdict_of("smoke"), Verdict::Pass);
}

TEST_F(CheckBoardTest, OnlyFailuresInARowAreAFailure) {
  for (const Verdict verdict : {Verdict::Fail, Verdict::Pass, Verdict::Fail}) {
    tick({"smoke"});
    answer(verdict);
  }
  EXPECT_FALSE(board_.failure());
  tick({"smoke"});
  answer(Verdict::Fail);
  ASSERT_TRUE(board_.failure());
  EXPECT_EQ(board_.failure()->check->name, "smoke");
  EXPECT_EQ(board_.failure()->sentence, "because");
}

TEST_F(CheckBoardTest, WantOfAnAnswerIsNeverAFailureAndDoesNotForgiveOne) {
  for (const Verdict verdict : {Verdict::Fail, Verdict::Error, Verdict::Inconclusive}) {
    tick({"smoke"});
    answer(verdict);
  }
  EXPECT_FALSE(board_.failure());
  tick({"smoke"});
  answer(Verdict::Fail);
  EXPECT_TRUE(board_.failure());
}

TEST_F(CheckBoardTest, OneThatTheConfigurationLostIsAnError) {
  tick({"gone"});
  EXPECT_TRUE(asked_.empty());
  EXPECT_EQ(verdict_of("gone"), Verdict::Error);
  EXPECT_FALSE(board_.failure());
}

TEST_F(CheckBoardTest, OneThatIsNotWantedForAWhileKeepsItsAnswerAndIsNotAsked) {
  tick({"smoke"});
  answer(Verdict::Pass);
  tick({});
  EXPECT_EQ(asked_.size(), 1u);
  EXPECT_EQ(verdict_of("smoke"), Verdict::Pass);
}

TEST_F(CheckBoardTest, EveryVerdictIsCounted) {
  for (const Verdict verdict : {Verdict::Pass, Verdict::Fail, Verdict::Pass}) {
    tick({"smoke"});
    answer(verdict);
  }
  ASSERT_EQ(board_.counts().size(), 1u);
  EXPECT_EQ(board_.counts()[0].verdicts, (std::array<std::uint64_t, 4>{2, 1, 0, 0}));
}

}  // namespace
}  // namespace tidegate::control
