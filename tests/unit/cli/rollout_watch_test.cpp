// Following a rollout, over answers and clocks that the tests give.
#include "cli/rollout_watch.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include <csignal>
#include <sstream>

#include "cli/rollout_sample.h"

namespace tidegate::cli {
namespace {

namespace json = boost::json;

class Following : public testing::Test {
 protected:
  using Answer = OrTrouble<RolloutAnswer>;

  Following() {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
  }

  /// One answer a second; after the last, none come any more and Ctrl-C ends it.
  WatchWorld world(std::vector<Answer> answers) {
    answers_ = std::move(answers);
    looks_ = 0;
    out_.str({});
    WatchWorld out;
    out.news = [this]() -> std::optional<Answer> {
      return looks_ < answers_.size() ? std::optional(answers_[looks_]) : std::nullopt;
    };
    out.seconds = [this] { return static_cast<double>(looks_); };
    out.wall_ms = [this] { return 1'700'000'000'000 + static_cast<std::int64_t>(looks_) * 1000; };
    out.wait = [this] { return ++looks_ < most_looks_ ? 0 : SIGINT; };
    out.size = [this] { return Size{columns_, 50}; };
    return out;
  }
  static Answer says(json::value route) { return RolloutAnswer{std::move(route), nullptr}; }
  static Answer gone() { return Trouble{Exit::Unreachable, "nothing answers at http://x:1: refused\nis it?", true}; }

  int wait(std::vector<Answer> answers, std::optional<double> limit = {}) {
    return ended(follow_in_lines(world(std::move(answers)), {true, limit}, {}, out_));
  }
  int watch(std::vector<Answer> answers, std::optional<double> limit = {}) {
    return ended(follow_in_lines(world(std::move(answers)), {false, limit}, {}, out_));
  }
  int live(std::vector<Answer> answers) {
    return ended(follow_live(world(std::move(answers)), {false, {}}, false, out_));
  }
  bool printed(const std::string& part) const { return out_.str().find(part) != std::string::npos; }

  std::ostringstream out_;
  std::string message_;
  std::size_t most_looks_ = 20, columns_ = 80;

 private:
  int ended(const Done& done) {
    message_ = done ? done->message : "";
    return done ? code(done->exit) : 0;
  }

  std::vector<Answer> answers_;
  std::size_t looks_ = 0;
};

json::value step(int number, double elapsed) {
  json::value out = sample_route();
  rollout(out)["step"] = number;
  rollout(out)["step_elapsed_s"] = elapsed;
  return out;
}

TEST_F(Following, EachChangeIsOneLineAndNothingElse) {
  json::value proven = step(1, 300);
  rollout(proven)["waiting"].as_array().erase(rollout(proven)["waiting"].as_array().begin());
  EXPECT_EQ(wait({says(step(1, 0)), says(step(1, 0.5)), says(proven), says(step(2, 0)), says(sample_in("baking")),
                  says(sample_in("completed"))}),
            0);
  EXPECT_EQ(out_.str(),
            "2023-11-14T22:13:20+00:00 check smoke: pass - 3 of 3 paths answered\n"
            "2023-11-14T22:13:20+00:00 step 1 of 6: weight 10 %, 5m to go; waits for proof\n"
            "2023-11-14T22:13:22+00:00 step 1 of 6: weight 10 %, waits for proof\n"
            "2023-11-14T22:13:23+00:00 step 2 of 6: weight 25 %, 5m to go; waits for proof\n"
            "2023-11-14T22:13:24+00:00 baking at weight 25 %, 1h to go\n"
            "2023-11-14T22:13:25+00:00 completed, weight 25 %\n");
  EXPECT_EQ(message_, "");
}

TEST_F(Following, ItEndsWithTheCodeOfTheRolloutsEnd) {
  EXPECT_EQ(wait({says(sample_route()), says(sample_in("completed"))}), 0);
  EXPECT_EQ(wait({says(sample_route()), says(sample_in("reverted"))}), 10);
  EXPECT_EQ(wait({says(sample_route()), says(sample_in("aborted"))}), 11);
  EXPECT_EQ(watch({says(sample_route()), says(sample_in("completed"))}), 0);
  EXPECT_EQ(watch({says(sample_route()), says(sample_in("reverted"))}), 10);
  EXPECT_EQ(watch({says(sample_route()), says(sample_in("aborted"))}), 11);
}

TEST_F(Following, APauseThatNeedsAPersonEndsAPipelineAndNotAWatch) {
  const json::value paused = sample_paused_by("person", "paused by anna");
  EXPECT_EQ(wait({says(sample_route()), says(paused)}), 12);
  EXPECT_TRUE(printed("paused, step 2 of 6 (weight 25 %): paused by anna\n")) << out_.str();
  EXPECT_EQ(watch({says(paused), says(sample_route()), says(sample_in("completed"))}), 0);
}

TEST_F(Following, APauseOfAStepThatHasATimeEndsNothing) {
  EXPECT_EQ(wait({says(sample_paused_by("step", "")), says(sample_in("completed"))}), 0);
}

TEST_F(Following, ARolloutThatNeverBeganIsAMistakeOfAPipeline) {
  EXPECT_EQ(wait({says(sample_in("idle"))}), 1);
  EXPECT_EQ(message_, "api: no rollout runs\nbegin it: tidegate rollout start api");
  EXPECT_EQ(watch({says(sample_in("idle")), says(sample_route()), says(sample_in("completed"))}), 0);
}

TEST_F(Following, OneThatWasTakenBackIsAborted) {
  EXPECT_EQ(wait({says(sample_route()), says(sample_in("idle"))}), 11);
  EXPECT_EQ(watch({says(sample_route()), says(sample_in("idle"))}), 11);
}

TEST_F(Following, WhenTheTimeIsOverItSaysWhetherItRunsOrIsHeld) {
  EXPECT_EQ(wait({says(sample_route())}, 3), 124);
  EXPECT_EQ(message_, "api: not ended after 3s: running, step 2 of 6 (weight 25 %), 4m 48s to go; waits for proof");
  EXPECT_EQ(watch({says(sample_paused_by("person", "paused by anna"))}, 3), 12);
}

TEST_F(Following, HeldAsInconclusiveIsTwelveWhenTheTimeIsOver) {
  json::value held = step(2, 400);
  rollout(held)["waiting"] = json::parse(R"([{"reason": "evidence", "sentence": "x"}])");
  EXPECT_EQ(wait({says(held)}, 3), 12);
  EXPECT_EQ(message_, "api: held after 3s: running, step 2 of 6 (weight 25 %), waits for proof");
}

TEST_F(Following, WithoutATimeThereIsNoEndButTheRollouts) {
  most_looks_ = 100'000;
  EXPECT_EQ(wait({says(sample_route())}), 130);
}

TEST_F(Following, AServerThatRestartsIsWaitedFor) {
  EXPECT_EQ(wait({says(sample_route()), gone(), gone(), says(sample_route()), says(sample_in("completed"))}), 0);
  EXPECT_TRUE(printed("2023-11-14T22:13:21+00:00 nothing answers at http://x:1: refused; waiting\n"
                      "2023-11-14T22:13:23+00:00 step 2 of 6: weight 25 %, 4m 48s to go; waits for proof\n"))
      << out_.str();
}

TEST_F(Following, AServerThatNeverAnsweredOrRefusesIsToldAtOnce) {
  EXPECT_EQ(wait({gone()}), 4);
  EXPECT_EQ(message_, "nothing answers at http://x:1: refused\nis it?");
  EXPECT_EQ(wait({says(sample_route()), Trouble{Exit::Failed, "unauthorized"}}), 1);
}

TEST_F(Following, ARouteWithoutARolloutFails) {
  json::value route = sample_route();
  route.as_object()["rollout"] = nullptr;
  EXPECT_EQ(wait({says(route)}), 1);
  EXPECT_EQ(watch({says(sample_route()), says(route)}), 1);
}

TEST_F(Following, AVerdictOfACheckIsALineWhenItChanges) {
  json::value failed = sample_route();
  json::object& check = rollout(failed)["checks"].as_array()[0].as_object();
  check["verdict"] = "fail";
  check["sentence"] = "/health answered 500";
  EXPECT_EQ(wait({says(sample_route()), says(failed), says(failed), says(sample_in("aborted"))}), 11);
  EXPECT_TRUE(printed("2023-11-14T22:13:21+00:00 check smoke: fail - /health answered 500\n2023-11-14T22:13:23+00:00 check smoke: pass")) << out_.str();
}

TEST_F(Following, TheLivePictureIsDrawnAtEachLookAndCountsRates) {
  json::value later = step(2, 14.3);
  later.at("traffic").at("new").as_object()["requests"] = 3200;
  EXPECT_EQ(live({says(step(2, 12.3)), says(later), says(sample_in("completed"))}), 0);
  EXPECT_TRUE(printed("  new          200  0.00 %")) << out_.str();
  EXPECT_TRUE(printed("api  completed, weight 25 %"));
  EXPECT_TRUE(out_.str().starts_with("\033[?25l"));
  EXPECT_TRUE(out_.str().ends_with("\033[?25h"));
}

TEST_F(Following, TheLiveClockRunsWithoutAnswers) {
  most_looks_ = 4;
  EXPECT_EQ(live({says(step(2, 0))}), 130);
  for (const char* left : {"5m to go", "4m 59s to go", "4m 58s to go", "4m 57s to go"}) {
    EXPECT_TRUE(printed(left)) << left;
  }
  EXPECT_TRUE(out_.str().ends_with("\033[?25h"));
}

TEST_F(Following, TheLiveClockStandsWhileTheServerIsAway) {
  most_looks_ = 4;
  EXPECT_EQ(live({says(step(2, 0)), gone(), gone(), gone()}), 130);
  EXPECT_TRUE(printed("  server    nothing answers at http://x:1: refused"));
  EXPECT_FALSE(printed("4m 5"));
}

TEST_F(Following, NothingIsClearedForAServerThatDoesNotAnswer) {
  EXPECT_EQ(live({gone()}), 4);
  EXPECT_EQ(out_.str(), "");
}

TEST_F(Following, RatesBeginAnewWithTheServer) {
  json::value restarted = sample_route();
  restarted.at("traffic").at("new").as_object()["requests"] = 5;
  most_looks_ = 2;
  EXPECT_EQ(live({says(sample_route()), says(restarted)}), 130);
  EXPECT_TRUE(printed("  new            -       -"));
  EXPECT_FALSE(printed("  new          -"));
}

}  // namespace
}  // namespace tidegate::cli
