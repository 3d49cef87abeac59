// `tidegate rollout ...` against a server that answers as each test says: what is asked, printed, and the exit code.
#include "cli/rollout.h"

#include <gtest/gtest.h>

#include <mutex>
#include <sstream>

#include "cli/cli.h"
#include "cli/conversation.h"
#include "cli/fake_api.h"
#include "cli/rollout_sample.h"
#include "cli/yaml.h"

namespace tidegate::cli {
namespace {

namespace json = boost::json;

class Rollout : public testing::Test {
 protected:
  Rollout() : server_([this](const FakeApi::Asked& asked) { return answer(asked); }) {}

  int call(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--server", server_.address()});
    out_.str({});
    err_.str({});
    in_.clear();
    {
      const std::lock_guard lock(mutex_);
      posted_.clear();
    }
    return dispatch(
        std::move(arguments), [](const std::string&) { return std::nullopt; },
        [this](bool color) { return Terminal{out_, err_, in_, tty_, tty_, color && tty_, 80}; }, {});
  }
  bool printed(const std::string& part) const { return out_.str().find(part) != std::string::npos; }
  bool complained(const std::string& part) const { return err_.str().find(part) != std::string::npos; }
  std::vector<FakeApi::Asked> posted() {
    const std::lock_guard lock(mutex_);
    return posted_;
  }

  json::value route_ = sample_route();
  FakeApi::Answer post_{200, R"({"epoch": 13, "durable": true, "note": null})"};
  std::ostringstream out_, err_;
  std::istringstream in_;
  bool tty_ = false;

 private:
  FakeApi::Answer answer(const FakeApi::Asked& asked) {
    const std::lock_guard lock(mutex_);
    if (asked.method == "POST") {
      posted_.push_back(asked);
      return post_;
    }
    if (asked.target.starts_with("/api/v1/history?limit=5&route=a%2Fb") || asked.target.starts_with("/api/v1/history?limit=5&route=api")) {
      return {200, R"({"decisions": []})"};
    }
    if (!asked.target.starts_with("/api/v1/routes/a")) return {404, R"({"error": {"code": "not_found", "message": "no"}})"};
    return {200, json::serialize(route_), "\"12\""};
  }

  std::mutex mutex_;
  std::vector<FakeApi::Asked> posted_;
  FakeApi server_;
};

TEST_F(Rollout, EachActionAsksItsEndpointAndSaysWhatHoldsNow) {
  for (const auto& [action, done] : std::vector<std::pair<std::string, std::string>>{
           {"start", "started"}, {"pause", "paused"}, {"resume", "resumed"}, {"promote", "promoted"},
           {"abort", "aborted"}, {"retry", "retried"}, {"undo", "undone"}}) {
    EXPECT_EQ(call({"rollout", action, "api", "--reason", "ticket 4711"}), 0) << err_.str();
    EXPECT_EQ(out_.str(), "api: rollout " + done +
                              " (epoch 13); now step 2 of 6: weight 25 %, 4m 48s to go; waits for proof\n");
    ASSERT_EQ(posted().size(), 1u);
    EXPECT_EQ(posted()[0].target, "/api/v1/routes/api/rollout/" + action);
    EXPECT_EQ(json::parse(posted()[0].body), (json::value{{"actor", actor()}, {"reason", "ticket 4711"}}));
  }
}

TEST_F(Rollout, TheWeightIsSaidWhereTheStateDoesNot) {
  route_ = sample_in("aborted");
  route_.at("weight").as_object()["effective"] = 0;
  EXPECT_EQ(call({"rollout", "abort", "api"}), 0);
  EXPECT_EQ(out_.str(), "api: rollout aborted (epoch 13); now aborted, step 2 of 6 (weight 25 %); weight of new is 0 %\n");
}

TEST_F(Rollout, ANoteOfTheServerIsPassedOn) {
  post_.json = R"({"epoch": 13, "durable": false, "note": "in force, but not durable"})";
  EXPECT_EQ(call({"rollout", "abort", "api"}), 0);
  EXPECT_TRUE(printed("\nnote: in force, but not durable\n"));
}

TEST_F(Rollout, DataIsTheAnswer) {
  EXPECT_EQ(call({"rollout", "pause", "api", "-o", "json"}), 0);
  EXPECT_EQ(json::parse(out_.str()), json::parse(post_.json));
}

TEST_F(Rollout, PromoteFullIsAMemberOfTheQuestion) {
  EXPECT_EQ(call({"rollout", "promote", "api", "--full"}), 0);
  EXPECT_EQ(json::parse(posted().at(0).body).at("full"), true);
  EXPECT_EQ(call({"rollout", "promote", "api"}), 0);
  EXPECT_EQ(json::parse(posted().at(0).body).as_object().count("full"), 0u);
}

/// Or two who promote at once would move two steps, the first of them unwatched.
TEST_F(Rollout, WhatGivesNewMoreIsAskedForByWhatWasSeenAndWhatTakesBackWhateverThereIs) {
  for (const char* action : {"start", "resume", "promote", "retry"}) {
    EXPECT_EQ(call({"rollout", action, "api"}), 0);
    EXPECT_EQ(posted().at(0).if_match, "\"12\"") << action;
  }
  for (const char* action : {"pause", "abort", "undo"}) {
    EXPECT_EQ(call({"rollout", action, "api"}), 0);
    EXPECT_EQ(posted().at(0).if_match, "") << action;
  }
}

TEST_F(Rollout, AConflictEndsWithFive) {
  post_ = {409, R"({"error": {"code": "conflict", "message": "no rollout runs", "field": null}})"};
  for (const char* action : {"start", "pause", "resume", "promote", "abort", "retry", "undo"}) {
    EXPECT_EQ(call({"rollout", action, "api"}), 5) << action;
    EXPECT_TRUE(complained("no rollout runs"));
  }
}

TEST_F(Rollout, StartAndFullAskOnATerminal) {
  tty_ = true;
  in_.str("n\n");
  EXPECT_EQ(call({"rollout", "start", "api"}), 1);
  EXPECT_TRUE(complained("api: start the rollout with step 1 of 6 (weight 10 % for 5m), weight of new is 25 % now? [y/N]"))
      << err_.str();
  in_.str("n\n");
  EXPECT_EQ(call({"rollout", "promote", "api", "--full"}), 1);
  EXPECT_TRUE(complained("api: weight of new from 25 % to step 6 of 6 (weight 100 %) at once? [y/N]")) << err_.str();
  EXPECT_TRUE(posted().empty());
  in_.str("y\n");
  EXPECT_EQ(call({"rollout", "start", "api"}), 0);
  EXPECT_EQ(posted().size(), 1u);
}

TEST_F(Rollout, NothingElseAsksAndYesAnswers) {
  tty_ = true;
  for (const char* action : {"pause", "resume", "promote", "abort", "retry", "undo"}) {
    EXPECT_EQ(call({"rollout", action, "api"}), 0) << action;
    EXPECT_FALSE(complained("[y/N]")) << action;
  }
  EXPECT_EQ(call({"rollout", "start", "api", "--yes"}), 0);
  EXPECT_EQ(call({"rollout", "promote", "api", "--full", "-y"}), 0);
  EXPECT_FALSE(complained("[y/N]"));
  tty_ = false;
  EXPECT_EQ(call({"rollout", "start", "api"}), 0);
}

TEST_F(Rollout, StatusEndsWithHowItStands) {
  const auto code_of = [this](json::value route) {
    route_ = std::move(route);
    return call({"rollout", "status", "api"});
  };
  EXPECT_EQ(code_of(sample_route()), 0);
  EXPECT_TRUE(printed("api  running, step 2 of 6"));
  EXPECT_EQ(code_of(sample_in("idle")), 0);
  EXPECT_EQ(code_of(sample_in("baking")), 0);
  EXPECT_EQ(code_of(sample_in("completed")), 0);
  EXPECT_EQ(code_of(sample_in("reverted")), 10);
  EXPECT_EQ(code_of(sample_in("aborted")), 11);
  EXPECT_EQ(code_of(sample_paused_by("person", "paused by anna")), 12);
  EXPECT_TRUE(printed("paused by anna"));
  EXPECT_EQ(err_.str(), "") << "the code is all that is left to say";
}

TEST_F(Rollout, StatusComesAsData) {
  route_ = sample_in("reverted");
  EXPECT_EQ(call({"rollout", "status", "api", "-o", "json"}), 10);
  EXPECT_EQ(json::parse(out_.str()), route_.at("rollout"));
  EXPECT_EQ(call({"rollout", "status", "api", "-o", "yaml"}), 10);
  EXPECT_EQ(out_.str(), to_yaml(json::parse(json::serialize(route_.at("rollout")))));
}

TEST_F(Rollout, ARouteWithoutOneSaysSo) {
  route_.as_object()["rollout"] = nullptr;
  EXPECT_EQ(call({"rollout", "status", "api"}), 1);
  EXPECT_TRUE(complained("api has no rollout in the configuration"));
  EXPECT_EQ(call({"rollout", "status", "api", "--wait"}), 1);
  tty_ = true;
  EXPECT_EQ(call({"rollout", "start", "api"}), 1);
}

TEST_F(Rollout, WaitEndsWithTheRollout) {
  route_ = sample_in("completed");
  EXPECT_EQ(call({"rollout", "status", "api", "--wait"}), 0);
  EXPECT_TRUE(printed(" completed, weight 25 %\n")) << out_.str();
  route_ = sample_in("reverted");
  EXPECT_EQ(call({"rollout", "status", "api", "--wait"}), 10);
  route_ = sample_paused_by("gate", "new failed 12 of 60");
  EXPECT_EQ(call({"rollout", "status", "api", "--wait"}), 12);
}

TEST_F(Rollout, WaitWithDataPrintsTheDataLastAndTheChangesBeside) {
  route_ = sample_in("aborted");
  EXPECT_EQ(call({"rollout", "status", "api", "--wait", "-o", "json"}), 11);
  EXPECT_EQ(json::parse(out_.str()), route_.at("rollout"));
  EXPECT_TRUE(complained(" aborted, step 2 of 6"));
}

TEST_F(Rollout, AWaitWithATimeEndsWhenItIsOver) {
  EXPECT_EQ(call({"rollout", "status", "api", "--wait", "--timeout", "50ms"}), 124);
  rollout(route_)["waiting"] = json::parse(R"([{"reason": "evidence", "sentence": "x"}])");
  EXPECT_EQ(call({"rollout", "status", "api", "--wait", "--timeout", "500ms"}), 12);
}

TEST_F(Rollout, WatchDrawsOnATerminalAndPrintsLinesElsewhere) {
  route_ = sample_in("completed");
  EXPECT_EQ(call({"rollout", "watch", "api"}), 0);
  EXPECT_FALSE(printed("\033"));
  EXPECT_TRUE(printed(" completed, weight 25 %\n"));
  tty_ = true;
  EXPECT_EQ(call({"rollout", "watch", "api", "--no-color"}), 0);
  EXPECT_TRUE(printed("\033[?25l"));
  EXPECT_TRUE(printed("  to pass   "));
  EXPECT_TRUE(printed("\033[?25h"));
}

}  // namespace
}  // namespace tidegate::cli
