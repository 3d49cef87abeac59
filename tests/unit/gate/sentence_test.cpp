#include "gate/sentence.h"

#include <gtest/gtest.h>

namespace tidegate::gate {
namespace {

Ruling ruling(Decision decision, Reason reason, const Window& window) {
  Ruling out;
  out.decision = decision;
  out.reason = reason;
  out.window = window;
  out.step = {{1200, 3, 1190, 2}, 62.04};
  out.silent_s = 12.34;
  return out;
}

TEST(Sentence, SaysARevertInCounts) {
  EXPECT_EQ(sentence(ruling(Decision::Revert, Reason::ErrorRate, {{60, 12, 60, 0}, 0.6}), {}),
            "new failed 12 of 60 requests in 0.6 s, old 0 of 60 in the same time, threshold 1 %, "
            "false-revert budget 0.1 % a day");
}

TEST(Sentence, SaysWhatTheBreakerSaw) {
  EXPECT_EQ(sentence(ruling(Decision::Revert, Reason::HardBreaker, {{200, 200, 199, 1}, 0.2}), {}),
            "new failed 200 of 200 requests in 0.2 s, old 1 of 199 in the same time, "
            "breaker 95 % of 20 requests for 0.2 s");
  Parameters at_once;
  at_once.breaker = {.share = 0.95, .requests = 10, .for_s = 0};
  EXPECT_EQ(sentence(ruling(Decision::Revert, Reason::HardBreaker, {{10, 10, 0, 0}, 0.01}), at_once),
            "new failed 10 of 10 requests in 0.01 s, old had no requests in the same time, "
            "breaker 95 % of 10 requests");
}

TEST(Sentence, SaysNumbersWithoutTrailingZeros) {
  Parameters p;
  p.max_error_rate = 0.0025;
  p.false_revert_budget = 0.01;
  p.budget_period_s = 3600;
  EXPECT_EQ(sentence(ruling(Decision::Revert, Reason::ErrorRate, {{1, 1, 1, 0}, 10.0}), p),
            "new failed 1 of 1 request in 10 s, old 0 of 1 in the same time, threshold 0.25 %, "
            "false-revert budget 1 % an hour");
  p.budget_period_s = 7200;
  EXPECT_EQ(sentence(ruling(Decision::Revert, Reason::ErrorRate, {{40, 9, 30, 0}, 150}), p),
            "new failed 9 of 40 requests in 2.5 min, old 0 of 30 in the same time, threshold 0.25 %, "
            "false-revert budget 1 % in 2 h");
}

TEST(Sentence, SaysWhyItHolds) {
  const Window alarm{{60, 12, 3, 0}, 0.6};
  EXPECT_EQ(sentence(ruling(Decision::Hold, Reason::Observing, alarm), {}),
            "observing: new failed 3 of 1200 requests in 62 s, old 2 of 1190 in the same time, threshold 1 %");
  EXPECT_EQ(sentence(ruling(Decision::Hold, Reason::NoData, alarm), {}), "no data: new had no request for 12.3 s");
  EXPECT_EQ(sentence(ruling(Decision::Hold, Reason::Attribution, alarm), {}),
            "attribution: new failed 12 of 60 requests in 0.6 s, old 0 of 3 in the same time, threshold 1 %; "
            "waiting for old's data for at most 5 s");
  EXPECT_EQ(sentence(ruling(Decision::Hold, Reason::SharedDegradation, {{60, 12, 60, 11}, 0.6}), {}),
            "shared degradation: new failed 12 of 60 requests in 0.6 s, old 11 of 60 in the same time, threshold 1 %; "
            "held because old fails too");
  EXPECT_EQ(sentence(ruling(Decision::Hold, Reason::WorseThanOld, alarm), {}),
            "worse than old: new failed 3 of 1200 requests in 62 s, old 2 of 1190 in the same time, "
            "more than 2 x old + 0.5 %, threshold 1 %");
}

TEST(Sentence, SaysWhatAPromotionIsProvenBy) {
  Ruling promote = ruling(Decision::Promote, Reason::Promote, {});
  promote.window.reset();
  EXPECT_EQ(sentence(promote, {}),
            "promote: new failed 3 of 1200 requests in 62 s, old 2 of 1190 in the same time, "
            "not worse than old + 0.5 %, promote error 5 %");
  promote.step.counts.old_total = promote.step.counts.old_failures = 0;
  EXPECT_EQ(sentence(promote, {}),
            "promote: new failed 3 of 1200 requests in 62 s, old had no requests in the same time, "
            "below the threshold 1 %, promote error 5 %");
}

}  // namespace
}  // namespace tidegate::gate
