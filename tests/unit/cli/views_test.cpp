#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include <boost/json.hpp>
#include <sstream>

#include "cli/explain_view.h"
#include "cli/history_view.h"
#include "cli/status_view.h"
#include "cli/table.h"

namespace tidegate::cli {
namespace {

namespace json = boost::json;

json::value status() {
  return json::parse(R"({"version": "1.2.3", "epoch": 7, "ready": true, "store": {"healthy": true},
    "routes": [{"name": "api", "clusters": {"old": "dc-west", "new": "eks"}, "epoch": 7,
      "weight": {"file": 5, "wanted": 12.5, "effective": 12.5}, "latched": false, "latch_reason": null,
      "mirror": {"file": 100, "percent": 100, "received": 1200, "mirrored": 1180,
                 "dropped": {"method": 15, "rate": 5, "reset": 0}, "in_flight": 0},
      "gate": {"verdict": "inconclusive", "reason": "observing", "old_suspect": false,
               "sentence": "observing: new failed 0 of 60 requests in 12 s, old 1 of 420 in the same time, threshold 1 %"},
      "traffic": {"old": {"requests": 90000, "failures": 12, "attempts": 90000, "failed_attempts": 14, "p50_ms": 1.24, "p99_ms": 81.4},
                  "new": {"requests": 60, "failures": 0, "attempts": 70, "failed_attempts": 10, "p50_ms": null, "p99_ms": null}}}]})");
}

std::size_t longest_line(const std::string& text) {
  std::size_t longest = 0;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) longest = std::max(longest, width(line));
  return longest;
}

TEST(StatusView, SaysEverythingInEightyColumns) {
  const std::string text = status_view(status(), {});
  EXPECT_EQ(text,
            "tidegate 1.2.3, epoch 7, ready\n"
            "\n"
            "api  (epoch 7)\n"
            "  weight  12.5 % of requests go to new (the file says 5 %)\n"
            "  gate    inconclusive - observing: new failed 0 of 60 requests in 12 s, old 1\n"
            "          of 420 in the same time, threshold 1 %\n"
            "  mirror  100 %: received 1200, mirrored 1180, dropped 20 (method 15, rate 5),\n"
            "          in flight 0\n"
            "  side  cluster  requests     failures  attempts        failed     p50    p99\n"
            "  old   dc-west     90000  12 (0.01 %)     90000   14 (0.02 %)  1.2 ms  81 ms\n"
            "  new   eks            60            0        70  10 (14.29 %)       -      -\n");
  EXPECT_LE(longest_line(text), 80u);
}

TEST(StatusView, EachAddressOfAClusterSaysHowItIsAndWhy) {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  json::value value = status();
  value.as_object()["clusters"] = json::parse(R"([
    {"name": "dc-west", "checked": false, "endpoints": [
      {"endpoint": "lb.example:443", "address": "10.0.0.1:443", "state": "healthy", "why": null, "since": null},
      {"endpoint": "lb2.example:443", "address": null, "state": "unresolved", "why": null, "since": null}]},
    {"name": "eks", "checked": true, "endpoints": [
      {"endpoint": "10.0.1.1:80", "address": "10.0.1.1:80", "state": "unhealthy", "why": "GET /healthz answered 503", "since": "2026-11-24T12:00:00.000Z"},
      {"endpoint": "10.0.1.2:80", "address": "10.0.1.2:80", "state": "healthy", "why": null, "since": null}]}])");
  const std::string text = status_view(value, {});
  EXPECT_NE(text.find("\n"
                      "cluster  endpoint         address       state                since\n"
                      "dc-west  lb.example:443   10.0.0.1:443  in use, not checked\n"
                      "dc-west  lb2.example:443  -             unresolved\n"
                      "eks      10.0.1.1:80                    unhealthy            2026-11-24T12:00:00+00:00\n"
                      "eks      10.0.1.2:80                    healthy\n"
                      "  10.0.1.1:80: GET /healthz answered 503\n"),
            std::string::npos)
      << text;
}

TEST(StatusView, TheEvidenceOfEachStreamStandsBesideWhatWouldProveIt) {
  json::value value = status();
  value.at("routes").as_array()[0].at("gate").as_object()["on_fail"] = "notify";
  value.at("routes").as_array()[0].at("gate").as_object()["streams"] = json::parse(R"({
    "errors": {"verdict": "inconclusive", "statistics": {"s_new": 4.51, "s_old": 0.0, "s_rel": null, "s_prom": 3.1},
               "thresholds": {"h_new": 8.699515, "h_old": 6, "h_rel": 8.29, "h_prom": 4.38}},
    "slow": {"verdict": "fail", "statistics": {"s_new": 10.3, "s_old": 1, "s_rel": 2, "s_prom": -20},
             "thresholds": {"h_new": 10.3, "h_old": 6, "h_rel": 9.9, "h_prom": 4.38}}})");
  const std::string text = status_view(value, {});
  EXPECT_NE(text.find("  stream  verdict       new too high  old too high  new worse   not worse\n"
                      "  errors  inconclusive  4.5 of 8.7    0.0 of 6.0    - of 8.3    3.1 of 4.4\n"
                      "  slow    fail          10.3 of 10.3  1.0 of 6.0    2.0 of 9.9  -20.0 of 4.4\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("gate    inconclusive (on_fail: notify, reverts nothing) - observing"), std::string::npos) << text;
  EXPECT_LE(longest_line(text), 80u);
}

TEST(StatusView, ALatchSaysWhyAndHowToOpenIt) {
  json::value value = status();
  json::object& route = value.at("routes").as_array()[0].as_object();
  route["latched"] = true;
  route["latch_reason"] = "new failed 12 of 60 requests in 0.6 s";
  route["weight"] = json::parse(R"({"file": 5, "wanted": 0, "effective": 0})");
  const std::string text = status_view(value, {});
  EXPECT_NE(text.find("latched new failed 12 of 60 requests in 0.6 s\n"), std::string::npos) << text;
  EXPECT_NE(text.find("open it: tidegate rearm api\n"), std::string::npos) << text;
}

TEST(StatusView, WantedAndEffectiveAreBothSaidWhereTheyDiffer) {
  json::value value = status();
  value.at("routes").as_array()[0].at("weight") = json::parse(R"({"file": 10, "wanted": 10, "effective": 5})");
  EXPECT_NE(status_view(value, {}).find("weight  wanted 10 %, effective 5 % (as in the file)\n"), std::string::npos);
}

TEST(StatusView, AStoreThatFailsIsSaid) {
  json::value value = status();
  value.as_object()["store"] = json::parse(R"({"healthy": false, "last_error": "disk full", "pending": 2})");
  EXPECT_NE(status_view(value, {}).find("the store fails: disk full (2 decisions are not durable)"), std::string::npos);
}

TEST(StatusView, WhatTheMirrorDidNotSampleIsNamedSo) {
  json::value value = status();
  value.at("routes").as_array()[0].at("mirror").as_object()["dropped"] = json::object{{"percent", 20}};
  const std::string text = status_view(value, {false, 120});
  EXPECT_NE(text.find("dropped 20 (not in the sample 20)"), std::string::npos) << text;
}

TEST(StatusView, ColorsChangeNoColumn) {
  const std::string plain = status_view(status(), {});
  const std::string colored = status_view(status(), {true, 80});
  EXPECT_NE(colored.find("\033["), std::string::npos);
  EXPECT_EQ(longest_line(colored), longest_line(plain));
  EXPECT_EQ(plain.find('\033'), std::string::npos);
}

TEST(StatusView, AnAnswerOfAnotherVersionCostsCellsAndNotTheTable) {
  EXPECT_NE(status_view(json::parse(R"({"routes": [{"name": "api"}, 5]})"), {}).find("api"), std::string::npos);
  EXPECT_NO_THROW(status_view(json::value(5), {}));
}

TEST(StatusView, WhatAnOperatorWroteCannotCommandTheTerminal) {
  json::value value = status();
  value.at("routes").as_array()[0].as_object()["name"] = "a\033[2J\xc2\x9b";
  EXPECT_NE(status_view(value, {}).find("a?[2J?  (epoch"), std::string::npos);
}

TEST(HistoryView, ShowsWhoWhatAndWhy) {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  EXPECT_EQ(history_view(json::parse(R"({"decisions": [
      {"epoch": 12, "at_ms": 1700000000250, "route": "api", "action": "revert", "actor": "gate", "reason": "new failed", "from": "10", "to": "0"},
      {"epoch": 9, "at_ms": 1699999999000, "route": "all", "action": "weight", "actor": "anna", "reason": "", "from": "5", "to": "10"}]})")),
            "TIME                       EPOCH  ROUTE  ACTION  FROM -> TO  ACTOR  REASON\n"
            "2023-11-14T22:13:20+00:00     12  api    revert  10 -> 0     gate   new failed\n"
            "2023-11-14T22:13:19+00:00      9  all    weight  5 -> 10     anna\n");
  EXPECT_EQ(history_view(json::parse(R"({"decisions": []})")), "no decisions yet\n");
}

TEST(HistoryView, WhatARolloutDoesHasWeightsLikeAWeight) {
  for (const char* action : {"rollout_start", "step", "rollout_pause", "rollout_resume", "rollout_promote", "rollout_abort",
                             "rollout_retry", "rollout_undo", "rollout_bake", "rollout_completed", "rollout_held"}) {
    json::value history = json::parse(R"({"decisions": [{"epoch": 9, "at_ms": 0, "route": "api", "actor": "rollout",
      "reason": "why", "from": "10", "to": "25.5"}]})");
    history.at("decisions").as_array()[0].as_object()["action"] = action;
    const std::string text = history_view(history);
    EXPECT_NE(text.find(std::string(action)), std::string::npos) << text;
    EXPECT_NE(text.find("  10 -> 25.5  rollout  why\n"), std::string::npos) << text;
  }
}

TEST(ExplainView, ShowsTheNumbersBeforeAndAfterAndTheReplaysAnswer) {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  const json::value decision = json::parse(R"({"epoch": 17, "at_ms": 1700000000250, "route": "api", "action": "revert",
    "actor": "gate", "reason": "new failed 12 of 60 requests in 0.6 s", "from": "50", "to": "0",
    "record": {"stream": "errors", "statistics_before": {"s_new": 7.188, "s_old": 0, "s_rel": null, "s_prom": -3},
               "statistics": {"s_new": 8.6995, "s_old": 0, "s_rel": 1.5, "s_prom": -4},
               "thresholds": {"h_new": 8.6995, "h_old": 6, "h_rel": 8.294, "h_prom": 4.382},
               "window": {"seconds": 0.6, "new": {"requests": 60, "failures": 12}, "old": {"requests": 60, "failures": 0}},
               "step": {"seconds": 62, "new": {"requests": 3000, "failures": 14}, "old": {"requests": 3000, "failures": 2}},
               "parameters": {"max_error_rate": 0.01, "breaker": {"requests": 20}, "slow_over_s": null}},
    "replay": {"possible": true, "same": true, "decision": "revert", "reason": "error_rate", "sentence": "new failed 12 of 60",
               "tick": {"seconds": 0.02, "errors": {"new": {"requests": 10, "failures": 2}, "old": {"requests": 10, "failures": 0}}}}})");
  EXPECT_EQ(explain_view(decision, {}),
            "decision 17 of route api: revert 50 -> 0\n"
            "  when     2023-11-14T22:13:20+00:00\n"
            "  who      gate\n"
            "  why      new failed 12 of 60 requests in 0.6 s\n"
            "  counted                new         old        in\n"
            "  since the alarm began  12 of 60    0 of 60    0.60 s\n"
            "  since the step began   14 of 3000  2 of 3000  62.00 s\n"
            "  the deciding tick      2 of 10     0 of 10    0.02 s\n"
            "  evidence            before  after  proof at\n"
            "  new too high        7.19    8.70   8.70\n"
            "  old too high        0.00    0.00   6.00\n"
            "  new worse than old  -       1.50   8.29\n"
            "  new not worse       -3.00   -4.00  4.38\n"
            "  set      max_error_rate 0.01, breaker {requests 20}\n"
            "  replayed revert (error_rate), new failed 12 of 60\n"
            "           same answer\n");
}

TEST(ExplainView, AReplayInTheSameWordsDoesNotRepeatThem) {
  const std::string text = explain_view(json::parse(R"({"epoch": 3, "at_ms": 0, "route": "api", "action": "revert", "actor": "gate",
    "reason": "new failed 12 of 60", "from": "5", "to": "0",
    "replay": {"possible": true, "same": true, "decision": "revert", "reason": "error_rate", "sentence": "new failed 12 of 60"}})"), {});
  EXPECT_NE(text.find("  replayed revert (error_rate)\n           same answer\n"), std::string::npos) << text;
}

TEST(ExplainView, ADecisionOfAPersonHasNothingToReplay) {
  const std::string text = explain_view(json::parse(R"({"epoch": 3, "at_ms": 0, "route": "api", "action": "weight", "actor": "anna",
    "reason": "", "from": "5", "to": "10", "record": {"gate": {"verdict": "inconclusive", "sentence": "observing: ..."}},
    "replay": {"possible": false, "same": null, "why": "a decision of anna, not of the gate: nothing to replay"}})"), {});
  EXPECT_NE(text.find("  gate     inconclusive - observing: ...\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  replay   a decision of anna, not of the gate: nothing to replay\n"), std::string::npos) << text;
}

TEST(Table, CountsSignsAndNotBytes) {
  Table table({Table::Align::Left, Table::Align::Right});
  table.row({"grün", "1"});
  table.row({"\033[31mrot\033[0m", "22"});
  table.row({"x"});
  EXPECT_EQ(table.text(1), " grün   1\n \033[31mrot\033[0m   22\n x\n");
}

TEST(Wrapped, AWordThatIsTooLongStandsAlone) {
  EXPECT_EQ(wrapped("aa bbbbbbbbbb cc dd", 2, 8), "aa\n  bbbbbbbbbb\n  cc dd");
  EXPECT_EQ(wrapped("", 2, 8), "");
}

}  // namespace
}  // namespace tidegate::cli
