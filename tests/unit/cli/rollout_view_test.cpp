#include "cli/rollout_view.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include <sstream>

#include "cli/rollout_picture.h"
#include "cli/rollout_sample.h"

namespace tidegate::cli {
namespace {

namespace json = boost::json;

class RolloutView : public testing::Test {
 protected:
  RolloutView() {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
  }

  static RolloutPicture picture_of(const json::value& route) {
    RolloutPicture out{*read_rollout(route)};
    out.wall_ms = 1'795'521'912'000;  // 312 s after the start of the sample
    Earlier earlier{out.facts.old_side, out.facts.new_side, 2.0};
    earlier.old_side.requests -= 624;
    earlier.old_side.failures -= 6;
    earlier.new_side.requests -= 9;
    out.earlier = earlier;
    out.events = read_events(json::parse(R"({"decisions": [
      {"epoch": 12, "at_ms": 1795521900000, "route": "api", "action": "step", "actor": "rollout", "reason": "step 1 is proven", "from": "10", "to": "25"},
      {"epoch": 11, "at_ms": 1795521600000, "route": "api", "action": "rollout_start", "actor": "ops", "reason": "v42", "from": "0", "to": "10"}]})"));
    return out;
  }
  static std::size_t longest_line(const std::string& text) {
    std::size_t longest = 0;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) longest = std::max(longest, width(line));
    return longest;
  }
  static bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
};

TEST_F(RolloutView, TheTableSaysStateStepsAndChecks) {
  EXPECT_EQ(rollout_table(*read_rollout(sample_route()), {}),
            "api  running, step 2 of 6 (weight 25 %), 4m 48s to go; waits for proof\n"
            "  started   2026-11-24T12:00:00+00:00 by ops\n"
            "  waiting   not proven yet that new is not worse than old\n"
            "  ✔  1  weight  10 % for 5m\n"
            "  ▶  2  weight  25 % for 5m\n"
            "  ·  3  mirror  100 % for 10m\n"
            "  ·  4  pause\n"
            "  ·  5  check   smoke\n"
            "  ·  6  weight  100 %\n"
            "  check  verdict  failures\n"
            "  smoke  pass     0 of 3    3 of 3 paths answered\n");
}

TEST_F(RolloutView, AReasonIsSaidOnce) {
  json::value paused = sample_paused_by("check", "check smoke: /health answered 500");
  rollout(paused)["waiting"] = json::array{json::object{{"reason", "person"}, {"sentence", "check smoke: /health answered 500"}}};
  const std::string table = rollout_table(*read_rollout(paused), {});
  EXPECT_TRUE(has(table, "paused, step 2 of 6 (weight 25 %): check smoke: /health answered 500\n")) << table;
  EXPECT_FALSE(has(table, "waiting")) << table;
  json::value reverted = sample_in("reverted");
  reverted.as_object()["latched"] = true;
  reverted.as_object()["latch_reason"] = "new failed 12 of 60";
  reverted.at("gate").as_object()["sentence"] = "new failed 12 of 60";
  const std::string picture = rollout_picture(picture_of(reverted), {false, 80});
  EXPECT_EQ(picture.find("new failed 12 of 60"), picture.rfind("new failed 12 of 60")) << picture;
}

TEST_F(RolloutView, ThePictureShowsBarsRatesEvidenceAndEvents) {
  EXPECT_EQ(rollout_picture(picture_of(sample_route()), {false, 80}),
            "api  running, step 2 of 6 (weight 25 %), 4m 48s to go; waits for proof\n"
            "  started   2026-11-24T12:00:00+00:00 by ops, 5m 12s ago\n"
            "  rollout   █████|·····|······|·····|······|·····|······  2 of 6\n"
            "  step      █···········································  12s of 5m\n"
            "  waiting   not proven yet that new is not worse than old\n"
            "\n"
            "  ✔  1  weight  10 % for 5m\n"
            "  ▶  2  weight  25 % for 5m\n"
            "  ·  3  mirror  100 % for 10m\n"
            "  ·  4  pause\n"
            "  ·  5  check   smoke\n"
            "  ·  6  weight  100 %\n"
            "\n"
            "  side  requests/s  errors     p50    p99\n"
            "  old          312  0.96 %  1.2 ms  81 ms\n"
            "  new          4.5  0.00 %  1.1 ms  79 ms\n"
            "  gate      inconclusive - observing: new failed 1 of 1234 requests in 12 s, old\n"
            "            3 of 3702 in the same time, threshold 1 %\n"
            "  to fail   █████·······································   12 %  1.1 of 8.9\n"
            "  to pass   ██████████████████████████████··············   68 %  3.0 of 4.4\n"
            "\n"
            "  check  verdict  failures\n"
            "  smoke  pass     0 of 3    3 of 3 paths answered\n"
            "\n"
            "  2026-11-24T12:05:00+00:00  step           10 -> 25  rollout  step 1 is proven\n"
            "  2026-11-24T12:00:00+00:00  rollout_start  0 -> 10   ops      v42\n");
}

TEST_F(RolloutView, FitsEveryWidthInEveryState) {
  std::vector<json::value> routes{sample_route(), sample_paused_by("person", std::string(200, 'x')),
                                  sample_paused_by("gate", "new failed 12 of 60 requests in 0.6 s, threshold 1 %")};
  for (const char* state : {"idle", "baking", "completed", "reverted", "aborted"}) routes.push_back(sample_in(state));
  for (json::value& route : routes) {
    route.as_object()["latched"] = true;
    route.as_object()["latch_reason"] = "new failed 12 of 60 requests in 0.6 s, old 0 of 60 in the same time";
    rollout(route)["file_differs"] = true;
    RolloutPicture picture = picture_of(route);
    picture.problem = "nothing answers at http://a-rather-long-name.example.internal:9900: Connection refused";
    for (const std::size_t columns : {40u, 60u, 80u, 120u}) {
      for (const bool color : {false, true}) {
        EXPECT_LE(longest_line(rollout_picture(picture, {color, columns})), columns) << picture.facts.state_word;
        EXPECT_LE(longest_line(rollout_table(picture.facts, {color, columns})), columns) << picture.facts.state_word;
      }
    }
  }
}

TEST_F(RolloutView, ALongNameHasItsOwnLine) {
  json::value route = sample_route();
  route.as_object()["name"] = "checkout-of-the-old-shop/v2/payments";
  const std::string text = rollout_table(*read_rollout(route), {false, 60});
  EXPECT_TRUE(text.starts_with("checkout-of-the-old-shop/v2/payments\n"
                               "  running, step 2 of 6 (weight 25 %), 4m 48s to go; waits\n"
                               "  for proof\n"))
      << text;
}

TEST_F(RolloutView, BarsGrowWithTheTerminal) {
  const auto bar = [](std::size_t columns) {
    const std::string text = rollout_picture(picture_of(sample_route()), {false, columns});
    const std::size_t at = text.find("  step      ") + 12;
    return width(text.substr(at, text.find("  12s", at) - at));
  };
  EXPECT_EQ(bar(60), 24u);
  EXPECT_EQ(bar(80), 44u);
  EXPECT_EQ(bar(120), 60u);
}

TEST_F(RolloutView, ColorsChangeNoColumn) {
  const std::string plain = rollout_picture(picture_of(sample_route()), {false, 80});
  const std::string colored = rollout_picture(picture_of(sample_route()), {true, 80});
  EXPECT_EQ(plain.find('\033'), std::string::npos);
  EXPECT_NE(colored.find('\033'), std::string::npos);
  EXPECT_EQ(longest_line(plain), longest_line(colored));
}

TEST_F(RolloutView, AStepsClockRunsBetweenTwoAnswers) {
  RolloutPicture picture = picture_of(sample_route());
  picture.facts = aged(picture.facts, 138);
  const std::string text = rollout_picture(picture, {false, 60});
  EXPECT_TRUE(has(text, "  step      ████████████············  2m 30s of 5m\n")) << text;
}

TEST_F(RolloutView, ABakeIsOnePartMoreAndHasItsClock) {
  json::value route = sample_in("baking");
  rollout(route)["step"] = 6;
  rollout(route)["bake_elapsed_s"] = 1800;
  const std::string text = rollout_picture(picture_of(route), {false, 60});
  EXPECT_TRUE(has(text, "  rollout   ██|███|██|███|██|███|█··  bake\n")) << text;
  EXPECT_TRUE(has(text, "  bake      ████████████············  30m of 1h\n")) << text;
  EXPECT_TRUE(has(text, "  ✔  6  weight  100 %\n")) << text;
}

TEST_F(RolloutView, ARevertShowsWhyAndWhere) {
  json::value route = sample_in("reverted");
  route.as_object()["latched"] = true;
  route.as_object()["latch_reason"] = "new failed 12 of 60 requests in 0.6 s";
  const std::string text = rollout_picture(picture_of(route), {false, 80});
  EXPECT_TRUE(has(text, "api  reverted, step 2 of 6 (weight 25 %)\n")) << text;
  EXPECT_TRUE(has(text, "  reverted  new failed 12 of 60 requests in 0.6 s\n")) << text;
  EXPECT_FALSE(has(text, "12s of 5m")) << text;
}

TEST_F(RolloutView, AMissingNumberIsADash) {
  json::value route = sample_route();
  route.at("gate").at("statistics").as_object()["s_new"] = nullptr;
  route.at("gate").at("statistics").as_object()["s_prom"] = -3;
  route.at("traffic").at("new").as_object()["p50_ms"] = nullptr;
  RolloutPicture picture = picture_of(route);
  picture.earlier.reset();
  const std::string text = rollout_picture(picture, {false, 60});
  EXPECT_TRUE(has(text, "  to fail   ························  -\n")) << text;
  EXPECT_TRUE(has(text, "    0 %  -3.0 of 4.4\n")) << text;
  EXPECT_TRUE(has(text, "  new            -       -       -  79 ms\n")) << text;
}

TEST_F(RolloutView, ManyStepsAreShownAroundThePresentOne) {
  json::value route = sample_route();
  json::array steps;
  for (int i = 1; i <= 30; ++i) {
    steps.push_back(json::object{{"kind", "weight"}, {"text", "weight " + std::to_string(i) + " %"}, {"weight", i}});
  }
  rollout(route)["steps"] = steps;
  const auto list = [&route](int step) {
    rollout(route)["step"] = step;
    return rollout_table(*read_rollout(route), {});
  };
  EXPECT_TRUE(has(list(1), "  ▶  1  weight  1 %\n"));
  EXPECT_TRUE(has(list(1), "  ·  9  weight  9 %\n  21 more\n")) << list(1);
  EXPECT_TRUE(has(list(15), "  10 before\n  ✔  11  weight  11 %\n")) << list(15);
  EXPECT_TRUE(has(list(15), "  ·  19  weight  19 %\n  11 more\n")) << list(15);
  EXPECT_TRUE(has(list(30), "  21 before\n  ✔  22  weight  22 %\n")) << list(30);
  EXPECT_FALSE(has(list(30), "more"));
}

TEST_F(RolloutView, WhatAnOperatorWroteCannotCommandTheTerminal) {
  json::value route = sample_paused_by("person", "a\033[2Jb");
  rollout(route)["started_by"] = "\x9b\033]0;x";
  rollout(route)["steps"].as_array()[0].as_object()["text"] = "weight\n\033[H";
  rollout(route)["checks"].as_array()[0].as_object()["sentence"] = "\r\n\033c";
  route.at("gate").as_object()["sentence"] = "\033[?25h";
  EXPECT_EQ(rollout_picture(picture_of(route), {false, 80}).find('\033'), std::string::npos);
  EXPECT_EQ(rollout_table(*read_rollout(route), {}).find('\033'), std::string::npos);
  EXPECT_EQ(read_events(json::parse(R"({"decisions": [{"reason": "\u001b[2J"}]})")).at(0).reason, "?[2J");
}

}  // namespace
}  // namespace tidegate::cli
