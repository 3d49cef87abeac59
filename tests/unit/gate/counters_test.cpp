#include "gate/counters.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

#include "gate/accumulator.h"

namespace tidegate::gate {
namespace {

TEST(Ledger, CountsEachSideApart) {
  Ledger ledger;
  ledger.dispatched(Side::New, 1);
  ledger.dispatched(Side::New, 1);
  ledger.dispatched(Side::Old, 1);
  ledger.failed(Side::New, 1, 1);
  const Tally tally = ledger.read(1);
  EXPECT_EQ(tally[Side::New], (SideTally{2, 1}));
  EXPECT_EQ(tally[Side::Old], (SideTally{1, 0}));
}

TEST(Ledger, AFailureOfAnOlderStepsDispatchIsStaleAndNotCounted) {
  Ledger ledger;
  ledger.dispatched(Side::New, 1);
  ledger.dispatched(Side::New, 2);
  ledger.failed(Side::New, 1, 2);
  EXPECT_EQ(ledger.read(1)[Side::New], (SideTally{1, 0}));
  EXPECT_EQ(ledger.read(2)[Side::New], (SideTally{1, 0}));
  EXPECT_EQ(ledger.stale_failures(Side::New), 1u);
  EXPECT_EQ(ledger.stale_failures(Side::Old), 0u);
}

TEST(Ledger, AStepOfTheSameParityDoesNotInheritTheCountsOfAnEarlierOne) {
  Ledger ledger;
  ledger.dispatched(Side::New, 1);
  ledger.failed(Side::New, 1, 1);
  EXPECT_EQ(ledger.read(3)[Side::New], SideTally{});
  ledger.dispatched(Side::New, 3);
  EXPECT_EQ(ledger.read(3)[Side::New], (SideTally{1, 0}));
  EXPECT_EQ(ledger.read(1)[Side::New], SideTally{});
  ledger.failed(Side::New, 1, 3);
  EXPECT_EQ(ledger.read(3)[Side::New], (SideTally{1, 0}));
}

TEST(Ledger, TheLastCountsOfAStepOutliveItsEnd) {
  Ledger ledger;
  ledger.dispatched(Side::New, 4);
  ledger.dispatched(Side::New, 5);
  EXPECT_EQ(ledger.read(4)[Side::New], (SideTally{1, 0}));
}

TEST(Ledger, ASlowAnswerIsCountedBesideItsRequestAndOnlyInTheStepOfItsDispatch) {
  Ledger ledger;
  ledger.dispatched(Side::New, 1);
  ledger.dispatched(Side::Old, 1);
  ledger.slow(Side::New, 1, 1);
  EXPECT_EQ(ledger.read(1)[Side::New], (SideTally{1, 0, 1}));
  EXPECT_EQ(ledger.read(1)[Side::Old], (SideTally{1, 0, 0}));
  ledger.dispatched(Side::New, 2);
  ledger.slow(Side::New, 1, 2);
  EXPECT_EQ(ledger.read(2)[Side::New], (SideTally{1, 0, 0}));
  EXPECT_EQ(ledger.stale_failures(Side::New), 0u);
}

TEST(Ledger, LivesOnItsOwnCacheLines) {
  EXPECT_EQ(alignof(Ledger), kCacheLine);
  EXPECT_EQ(sizeof(Ledger) % kCacheLine, 0u);
}

TEST(Accumulator, AddsUpAllWorkersSinceTheLastTick) {
  std::array<Ledger, 3> workers;
  Accumulator accumulator({&workers[0], &workers[1], &workers[2]}, 7);
  for (Ledger& worker : workers) {
    worker.dispatched(Side::New, 7);
    worker.dispatched(Side::Old, 7);
  }
  workers[1].failed(Side::New, 7, 7);
  workers[2].failed(Side::Old, 7, 7);
  EXPECT_EQ(accumulator.take(7).errors, (Counts{3, 1, 3, 1}));
  EXPECT_EQ(accumulator.take(7).errors, Counts{});
  workers[0].dispatched(Side::New, 7);
  EXPECT_EQ(accumulator.take(7).errors, (Counts{1, 0, 0, 0}));
}

TEST(Accumulator, GivesBothStreamsTheSameRequests) {
  Ledger worker;
  Accumulator accumulator({&worker}, 7);
  for (int i = 0; i < 3; ++i) worker.dispatched(Side::New, 7);
  worker.dispatched(Side::Old, 7);
  worker.failed(Side::New, 7, 7);
  worker.slow(Side::New, 7, 7);
  worker.slow(Side::New, 7, 7);
  worker.slow(Side::Old, 7, 7);
  const StreamCounts counts = accumulator.take(7);
  EXPECT_EQ(counts.errors, (Counts{3, 1, 1, 0}));
  EXPECT_EQ(counts.slow, (Counts{3, 2, 1, 1}));
}

TEST(Accumulator, StartsAnewWithAStepEvenWhenAWorkerWasThereFirst) {
  std::array<Ledger, 2> workers;
  Accumulator accumulator({&workers[0], &workers[1]}, 1);
  for (Ledger& worker : workers) worker.dispatched(Side::New, 1);
  EXPECT_EQ(accumulator.take(1).errors, (Counts{2, 0, 0, 0}));
  workers[0].dispatched(Side::New, 3);  // ahead, in the slot of step 1
  workers[1].dispatched(Side::New, 1);  // behind
  EXPECT_EQ(accumulator.take(1).errors, (Counts{1, 0, 0, 0}));
  EXPECT_EQ(accumulator.take(3).errors, (Counts{1, 0, 0, 0}));
  workers[1].failed(Side::New, 1, 3);
  workers[1].dispatched(Side::New, 3);
  EXPECT_EQ(accumulator.take(3).errors, (Counts{1, 0, 0, 0}));
}

TEST(Accumulator, ANewOneTakesWhatWasCountedBeforeAsItsBaseline) {
  Ledger worker;
  for (int i = 0; i < 100; ++i) worker.dispatched(Side::New, 1);
  Accumulator accumulator({&worker}, 1);
  EXPECT_EQ(accumulator.take(1).errors, Counts{});
}

TEST(Accumulator, LosesNothingAndMixesNothingWhileAWorkerCounts) {
  // The worker fails every request of even hundreds of steps and none of the others: any mixture would show.
  constexpr std::uint64_t kSteps = 2'000, kRequests = 50;
  Ledger worker;
  std::atomic<std::uint64_t> step{0};
  std::thread thread([&] {
    for (std::uint64_t s = 0; s < kSteps; ++s) {
      step.store(s);
      for (std::uint64_t i = 0; i < kRequests; ++i) {
        worker.dispatched(Side::New, s);
        if (s / 2 % 2 == 0) worker.failed(Side::New, s, s);
      }
    }
  });
  Accumulator accumulator({&worker}, 0);
  std::uint64_t last = 0;
  Counts total;
  while (last + 1 < kSteps) {
    const std::uint64_t now = step.load();
    if (now != last) total = {};
    last = now;
    total += accumulator.take(now).errors;
    ASSERT_LE(total.new_failures, total.new_total);
    ASSERT_LE(total.new_total, kRequests);
    if (now / 2 % 2 == 1) {
      ASSERT_EQ(total.new_failures, 0u) << "step " << now;
    }
  }
  thread.join();
  total += accumulator.take(last).errors;
  EXPECT_EQ(total.new_total, kRequests);
}

}  // namespace
}  // namespace tidegate::gate
