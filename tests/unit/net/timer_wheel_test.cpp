// The timer wheel in made-up time: never early, at most a tick late, whatever callbacks do.
#include "net/timer_wheel.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <vector>

#include "base/random.h"

namespace tidegate::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A timer that remembers when it fired.
struct Probe {
  explicit Probe(const TimePoint& clock) : now(clock), timer(&Probe::fired, this) {}
  static void fired(void* self) {
    auto* probe = static_cast<Probe*>(self);
    ++probe->times;
    probe->at = probe->now;
    if (probe->then) probe->then();
  }
  const TimePoint& now;
  Timer timer;
  int times = 0;
  TimePoint at{};
  std::function<void()> then;
};

struct TimerWheelTest : testing::Test {
  TimePoint now = TimePoint{} + seconds(1'000);
  const TimePoint start = now;
  TimerWheel wheel{now};
  Probe probe{now};

  void arm(Probe& which, Duration after) { wheel.arm(which.timer, now, after); }
  /// Turns the wheel in steps until that much time has passed.
  void pass(Duration time, Duration step = milliseconds(1)) {
    for (const TimePoint end = now + time; now < end;) {
      now += std::min(step, end - now);
      wheel.advance(now);
    }
  }
};

TEST_F(TimerWheelTest, FiresOnceNeverEarlyAndAtMostATickLate) {
  for (const Duration after : {Duration(milliseconds(0)), Duration(milliseconds(1)), Duration(milliseconds(9)), Duration(milliseconds(10)),
                               Duration(milliseconds(11)), Duration(milliseconds(995)), Duration(seconds(10)), Duration(milliseconds(10'239)),
                               Duration(milliseconds(10'240)), Duration(milliseconds(10'241)), Duration(seconds(75))}) {
    Probe once(now);
    const TimePoint begun = now;
    arm(once, after);
    EXPECT_TRUE(once.timer.armed());
    pass(after + milliseconds(30));
    ASSERT_EQ(once.times, 1) << after.count();
    EXPECT_GE(once.at, begun + after) << after.count();
    EXPECT_LE(once.at, begun + after + TimerWheel::kTick + milliseconds(1)) << after.count();
    EXPECT_FALSE(once.timer.armed());
  }
}

TEST_F(TimerWheelTest, MovingATimerBackIsAsGoodAsArmingItThen) {
  arm(probe, milliseconds(50));
  for (int i = 0; i < 100; ++i) {
    pass(milliseconds(40));
    arm(probe, milliseconds(50));
  }
  EXPECT_EQ(probe.times, 0);
  const TimePoint last = now;
  pass(milliseconds(100));
  EXPECT_EQ(probe.times, 1);
  EXPECT_GE(probe.at, last + milliseconds(50));
  EXPECT_LE(probe.at, last + milliseconds(61));
}

TEST_F(TimerWheelTest, MovingATimerForwardMakesItFireSooner) {
  arm(probe, seconds(60));
  arm(probe, milliseconds(20));
  pass(milliseconds(31));
  EXPECT_EQ(probe.times, 1);
  pass(seconds(70), milliseconds(10));
  EXPECT_EQ(probe.times, 1);
}

TEST_F(TimerWheelTest, ADisarmedTimerStaysSilentAndCanBeArmedAgain) {
  arm(probe, milliseconds(50));
  probe.timer.disarm();
  EXPECT_FALSE(probe.timer.armed());
  pass(milliseconds(20));
  arm(probe, milliseconds(20));
  const TimePoint begun = now;
  pass(milliseconds(100));
  EXPECT_EQ(probe.times, 1);
  EXPECT_GE(probe.at, begun + milliseconds(20));
  EXPECT_LE(probe.at, begun + milliseconds(31));
  arm(probe, milliseconds(20));
  probe.timer.disarm();
  pass(milliseconds(100));
  EXPECT_EQ(probe.times, 1);
}

TEST_F(TimerWheelTest, ADestroyedTimerIsForgotten) {
  {
    Probe gone(now);
    arm(gone, milliseconds(20));
  }
  pass(milliseconds(100));
}

TEST_F(TimerWheelTest, MoreThanATurnAwayItIsLookedAtAndPutBack) {
  arm(probe, seconds(95));
  pass(seconds(94), milliseconds(7));
  EXPECT_EQ(probe.times, 0);
  pass(seconds(2), milliseconds(7));
  EXPECT_EQ(probe.times, 1);
  EXPECT_GE(probe.at, start + seconds(95));
  EXPECT_LE(probe.at, start + seconds(95) + milliseconds(17));
}

TEST_F(TimerWheelTest, ALoopThatWasStoppedFiresWhatIsDueAndKeepsTheRest) {
  Probe soon(now), later(now), far(now);
  arm(soon, milliseconds(50));
  arm(later, seconds(200));
  arm(far, seconds(100'000));
  now += seconds(100);
  wheel.advance(now);
  EXPECT_EQ(soon.times, 1);
  EXPECT_EQ(later.times, 0);
  pass(seconds(99), milliseconds(10));
  EXPECT_EQ(later.times, 0);
  pass(seconds(2), milliseconds(10));
  EXPECT_EQ(later.times, 1);
  EXPECT_LE(later.at, start + seconds(200) + milliseconds(20));
  now += seconds(200'000);
  wheel.advance(now);
  EXPECT_EQ(far.times, 1);
}

TEST_F(TimerWheelTest, ACallbackMayArmItselfAndOthers) {
  Probe other(now);
  probe.then = [&] {
    arm(other, milliseconds(0));
    if (probe.times < 3) arm(probe, milliseconds(10));
  };
  arm(probe, milliseconds(10));
  pass(milliseconds(200));
  EXPECT_EQ(probe.times, 3);
  EXPECT_GE(other.times, 1);
  EXPECT_LE(other.times, 3);
}

TEST_F(TimerWheelTest, ACallbackMayDestroyAndDisarmOthersOfTheSameTick) {
  auto doomed = std::make_unique<Probe>(now);
  Probe silenced(now), moved(now);
  for (Probe* each : {&probe, doomed.get(), &silenced, &moved}) arm(*each, milliseconds(20));
  probe.then = [&] {
    doomed.reset();
    silenced.timer.disarm();
    arm(moved, milliseconds(500));
  };
  pass(milliseconds(100));
  EXPECT_EQ(probe.times, 1);
  EXPECT_EQ(silenced.times, 0);
  EXPECT_EQ(moved.times, 0) << "it was pushed back while it was due";
  pass(milliseconds(500));
  EXPECT_EQ(moved.times, 1);
}

TEST_F(TimerWheelTest, TheLoopMaySleepForEverWithoutTimersAndNotLongerThanTheFirstOne) {
  EXPECT_LT(wheel.until_next(now), Duration::zero());
  arm(probe, milliseconds(500));
  const Duration wait = wheel.until_next(now);
  EXPECT_GE(wait, milliseconds(500));
  EXPECT_LE(wait, milliseconds(520));
  Probe sooner(now);
  arm(sooner, milliseconds(20));
  EXPECT_LE(wheel.until_next(now), milliseconds(40));
  now += seconds(1);
  EXPECT_EQ(wheel.until_next(now), Duration::zero()) << "late: do not sleep";
}

TEST_F(TimerWheelTest, SleepingAsLongAsItSaysFiresEveryTimerInTime) {
  Random random(20261122);
  std::vector<std::unique_ptr<Probe>> probes;
  std::vector<TimePoint> due;
  for (int i = 0; i < 500; ++i) {
    const Duration after = milliseconds(random.next() % 40'000);
    probes.push_back(std::make_unique<Probe>(now));
    due.push_back(now + after);
    arm(*probes.back(), after);
  }
  for (Duration wait = wheel.until_next(now); wait >= Duration::zero(); wait = wheel.until_next(now)) {
    now += wait + milliseconds(1);
    wheel.advance(now);
    ASSERT_LT(now, start + seconds(60));
  }
  for (std::size_t i = 0; i < probes.size(); ++i) {
    ASSERT_EQ(probes[i]->times, 1) << i;
    EXPECT_GE(probes[i]->at, due[i]);
    EXPECT_LE(probes[i]->at, due[i] + milliseconds(21));
  }
}

TEST_F(TimerWheelTest, RandomArmingMovingAndStoppingNeverFiresEarlyOrTwice) {
  Random random(7);
  std::vector<std::unique_ptr<Probe>> probes;
  std::vector<TimePoint> due(64, TimePoint::max());
  for (int i = 0; i < 64; ++i) probes.push_back(std::make_unique<Probe>(now));
  for (int round = 0; round < 20'000; ++round) {
    const std::size_t i = random.next() % probes.size();
    const Duration after = milliseconds(random.next() % (random.next() % 8 == 0 ? 30'000 : 300));
    if (random.next() % 4 == 0) {
      probes[i]->timer.disarm();
      due[i] = TimePoint::max();
    } else {
      arm(*probes[i], after);
      due[i] = now + after;
    }
    now += milliseconds(random.next() % 50 == 0 ? random.next() % 12'000 : random.next() % 8);
    wheel.advance(now);
    for (std::size_t at = 0; at < probes.size(); ++at) {
      if (probes[at]->times > 0) {
        ASSERT_EQ(probes[at]->times, 1);
        ASSERT_LE(due[at], now) << "early or disarmed";
        probes[at]->times = 0;
        due[at] = TimePoint::max();
      }
      ASSERT_TRUE(due[at] == TimePoint::max() || due[at] + 2 * TimerWheel::kTick > now) << "late";
    }
  }
}

}  // namespace
}  // namespace tidegate::net
