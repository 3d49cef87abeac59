// A decision that is replayed from its record must come out the same, exactly, from any state that the gate can be in.
#include "control/replay.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <random>

namespace tidegate::control {
namespace {

namespace json = boost::json;
using gate::Counts;
using gate::Decision;
using gate::Reason;
using gate::RouteGate;
using gate::StreamCounts;

constexpr gate::SlowRule kSlow{0.5, 0.05, 0.02};

/// Through text, as the store keeps it.
std::optional<Replay> through_text(const json::object& record) {
  return replay(json::parse(json::serialize(record)).as_object());
}

/// Ticks until something is decided or `ticks` are over. @return the last tick and its ruling.
std::pair<GateTick, gate::Ruling> run(RouteGate& gate, const StreamCounts& counts, int ticks) {
  gate::Ruling ruling;
  std::optional<GateTick> tick;
  for (int i = 0; i < ticks; ++i) {
    tick.emplace(GateTick{gate, counts, 0.0203 + i % 7 * 1e-4});
    ruling = gate.tick(counts, tick->dt_s);
    if (ruling.decision == Decision::Revert) break;
  }
  return {*tick, ruling};
}

TEST(Replay, ARevertGivesTheSameAnswerFromItsRecord) {
  RouteGate gate({}, std::nullopt, 0.5);
  run(gate, {{10, 0, 10, 0}, {}}, 500);
  const auto [tick, ruling] = run(gate, {{10, 2, 10, 0}, {}}, 500);
  ASSERT_EQ(ruling.decision, Decision::Revert);
  const auto replayed = through_text(to_json(tick, ruling));
  ASSERT_TRUE(replayed);
  EXPECT_TRUE(replayed->same);
  EXPECT_EQ(replayed->answer.decision, Decision::Revert);
  EXPECT_EQ(replayed->answer.reason, Reason::ErrorRate);
  EXPECT_EQ(replayed->answer.statistics.s_new, ruling.statistics.s_new) << "to the last bit";
  EXPECT_EQ(replayed->answer.window->counts, ruling.window->counts);
  EXPECT_EQ(replayed->before.s_new, tick.before.gate(gate::Stream::Errors).statistics().s_new);
  EXPECT_LT(replayed->before.s_new, replayed->answer.statistics.s_new);
}

TEST(Replay, TheBreakersASlowStreamsAndASharedDegradationToo) {
  RouteGate breaker({}, kSlow, 0.5), slow({}, kSlow, 0.9), shared({}, kSlow, 0.5);
  for (RouteGate* gate : {&breaker, &slow, &shared}) run(*gate, {{90, 0, 10, 0}, {90, 0, 10, 0}}, 500);
  const auto broke = run(breaker, {{10, 10, 10, 0}, {10, 0, 10, 0}}, 50);
  EXPECT_EQ(broke.second.reason, Reason::HardBreaker);
  const auto late = run(slow, {{10, 0, 10, 0}, {10, 4, 10, 0}}, 500);
  EXPECT_EQ(late.second.reason, Reason::SlowRate);
  for (int i = 0; i < 500; ++i) {
    const GateTick tick{shared, {{10, 3, 10, 3}, {10, 0, 10, 0}}, 0.02};
    const gate::Ruling ruling = shared.tick(tick.counts, tick.dt_s);
    if (ruling.reason != Reason::SharedDegradation) continue;
    const auto replayed = through_text(to_json(tick, ruling));
    ASSERT_TRUE(replayed && replayed->same);
    break;
  }
  for (const auto& [tick, ruling] : {broke, late}) {
    const auto replayed = through_text(to_json(tick, ruling));
    ASSERT_TRUE(replayed);
    EXPECT_TRUE(replayed->same) << name(ruling.reason);
  }
}

TEST(Replay, EveryFieldOfAStateIsInTheRecord) {
  // From random states: if a field were missing, the gate that is restored would go another way than the one that was not.
  std::mt19937 random(20'260'301);
  const auto some = [&](int most) { return static_cast<std::uint64_t>(random() % static_cast<unsigned>(most + 1)); };
  for (int round = 0; round < 60; ++round) {
    RouteGate gate({}, round % 2 ? std::optional(kSlow) : std::nullopt, round % 3 ? 0.5 : 0.95);
    const auto counts = [&] {
      const std::uint64_t n = some(20), m = some(round % 3 ? 20 : 2);
      return StreamCounts{{n, some(10) ? 0 : some(static_cast<int>(n)), m, some(20) ? 0 : some(static_cast<int>(m))},
                          {n, some(10) ? 0 : some(static_cast<int>(n)), m, some(20) ? 0 : some(static_cast<int>(m))}};
    };
    for (int i = 0; i < 300; ++i) {
      if (some(100) == 0) gate.step(0.1 + 0.1 * static_cast<double>(some(8)));
      gate.tick(counts(), 0.02);
    }
    const GateTick tick{gate, counts(), 0.02};
    const gate::Ruling ruling = gate.tick(tick.counts, tick.dt_s);
    auto replayed = through_text(to_json(tick, ruling));
    ASSERT_TRUE(replayed) << round;
    ASSERT_TRUE(replayed->same) << round;
    RouteGate restored = replayed->tick.before;
    restored.tick(tick.counts, tick.dt_s);
    for (int i = 0; i < 300; ++i) {
      const StreamCounts next = counts();
      const gate::Ruling a = gate.tick(next, 0.02), b = restored.tick(next, 0.02);
      ASSERT_EQ(a.decision, b.decision) << round << " " << i;
      ASSERT_EQ(a.reason, b.reason) << round << " " << i;
      ASSERT_EQ(a.statistics.s_new, b.statistics.s_new) << round << " " << i;
      ASSERT_EQ(a.statistics.s_rel, b.statistics.s_rel) << round << " " << i;
      ASSERT_EQ(a.statistics.s_prom, b.statistics.s_prom) << round << " " << i;
    }
  }
}

TEST(Replay, ARecordIsAFewKibibytesHoweverLongTheSuspicionLasted) {
  RouteGate gate({}, kSlow, 0.5);
  gate::Ruling ruling;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t failed = i % 40 == 0;
    ruling = gate.tick({{10, failed, 10, 0}, {10, failed, 10, 0}}, 0.02);
  }
  EXPECT_LT(json::serialize(to_json({gate, {{10, 1, 10, 0}, {10, 1, 10, 0}}, 0.02}, ruling)).size(), 8'192u);
}

TEST(Replay, ARecordThatSaysSomethingElseIsNotTheSame) {
  RouteGate gate({}, std::nullopt, 0.5);
  run(gate, {{10, 0, 10, 0}, {}}, 500);
  const auto [tick, ruling] = run(gate, {{10, 2, 10, 0}, {}}, 500);
  json::value forged = json::parse(json::serialize(to_json(tick, ruling)));
  forged.at_pointer("/streams/errors/counts/new_failures") = 0;
  auto replayed = replay(forged.as_object());
  ASSERT_TRUE(replayed);
  EXPECT_FALSE(replayed->same);
  forged = json::parse(json::serialize(to_json(tick, ruling)));
  forged.at_pointer("/answer/statistics/s_new") = "1.5";
  replayed = replay(forged.as_object());
  ASSERT_TRUE(replayed);
  EXPECT_FALSE(replayed->same);
}

TEST(Replay, ARecordThatCannotBeReadIsRefusedAndNeverHarmful) {
  RouteGate gate({}, kSlow, 0.5);
  run(gate, {{10, 3, 10, 0}, {10, 1, 10, 0}}, 200);
  const GateTick tick{gate, {{10, 3, 10, 0}, {10, 1, 10, 0}}, 0.02};  // with an alarm that stands
  const gate::Ruling ruling = gate.tick(tick.counts, tick.dt_s);
  const json::value whole = json::parse(json::serialize(to_json(tick, ruling)));
  ASSERT_TRUE(replay(whole.as_object()));
  for (const char* path : {"/format", "/dt_s", "/streams", "/streams/errors", "/streams/errors/state/new",
                           "/streams/errors/state/new/lanes", "/streams/slow/parameters", "/answer", "/answer/window",
                           "/streams/errors/state/alarm/waited_s", "/streams/errors/counts/new_total"}) {
    for (const json::value& instead : {json::value("x"), json::value(-1), json::value(json::array{}), json::value(json::object{})}) {
      json::value broken = whole;
      broken.at_pointer(path) = instead;
      EXPECT_FALSE(replay(broken.as_object())) << path << " = " << instead;
    }
  }
  json::value far = whole;
  far.at_pointer("/streams/errors/state/alarm/lane") = 1'000'000;
  ASSERT_TRUE(replay(far.as_object())) << "a lane that is none is an alarm that does not stand";
  EXPECT_FALSE(replay({}));
}

}  // namespace
}  // namespace tidegate::control
