// When an attempt is made again and on which side: a table of questions (PRODUCT §3, retry).
#include "forward/retry.h"

#include <gtest/gtest.h>

#include <string>

#include "forward/worker.h"

namespace tidegate::forward {
namespace {

struct RetryTest : testing::Test {
  RetryTest() {
    runtime.route = &route;
    request.method = http::Method::Get;
    set_weight(50);
  }
  void set_weight(int percent) {
    route.live->publish({Weight::of_units(static_cast<std::uint32_t>(percent) * 100), 3, 4});
  }
  RetryDecision ask() const {
    return decide_retry({runtime, request, failure, status, side, attempts, on_budget, holds_body, is_usable, ended});
  }
  route::RetryPolicy& policy() { return route.policy.retry; }

  route::Route route;
  RouteRuntime runtime;
  http::RequestHead request;
  Failure failure = Failure::Reset;
  std::uint16_t status = 0;
  Side side = Side::New;
  std::uint32_t attempts = 1;
  bool on_budget = false;
  bool holds_body = true;
  PerSide<bool> is_usable{{true, true}};
  bool ended = false;
};

TEST_F(RetryTest, ASideWithNobodyWellIsNotAskedWhileThisOneHasSomebody) {
  is_usable[Side::Old] = false;
  EXPECT_EQ(ask().side, Side::New);
  is_usable[Side::New] = false;
  EXPECT_EQ(ask().side, Side::Old) << "nobody is well anywhere";
}

TEST_F(RetryTest, WhatWasNeverSentIsMadeAgainWhateverTheMethod) {
  request.method = http::Method::Post;
  EXPECT_FALSE(ask().retry);
  failure = Failure::Connect;
  EXPECT_TRUE(ask().retry);
  policy().on_connect = false;
  EXPECT_FALSE(ask().retry);
}

TEST_F(RetryTest, AFailureOfNewIsSavedByOldOffTheBudget) {
  runtime.retrying = 1'000;
  const RetryDecision decision = ask();
  EXPECT_TRUE(decision.retry);
  EXPECT_EQ(decision.side, Side::Old);
  EXPECT_FALSE(decision.uses_budget);
  EXPECT_EQ(decision.split.step, 3u);
  EXPECT_EQ(decision.split.epoch, 4u);
}

TEST_F(RetryTest, AFailureOfOldGoesToNewOnTheBudget) {
  side = Side::Old;
  const RetryDecision decision = ask();
  EXPECT_TRUE(decision.retry);
  EXPECT_EQ(decision.side, Side::New);
  EXPECT_TRUE(decision.uses_budget);
}

TEST_F(RetryTest, NewAtWeightZeroIsNotAsked) {
  set_weight(0);
  side = Side::Old;
  EXPECT_TRUE(ask().retry);
  EXPECT_EQ(ask().side, Side::Old);
  EXPECT_TRUE(ask().uses_budget);
  side = Side::New;
  policy().other_side = false;  // a revert reaches a request in flight at its next choice of a side
  EXPECT_EQ(ask().side, Side::Old);
  EXPECT_FALSE(ask().uses_budget);
}

TEST_F(RetryTest, NewAtTheSmallestWeightIsAsked) {
  route.live->publish({Weight::of_units(1), 0, 0});
  side = Side::Old;
  EXPECT_EQ(ask().side, Side::New);
}

TEST_F(RetryTest, StaysOnItsSideWhereTheRouteSaysSo) {
  policy().other_side = false;
  for (const Side s : {Side::Old, Side::New}) {
    side = s;
    EXPECT_EQ(ask().side, s);
    EXPECT_TRUE(ask().uses_budget);
  }
}

TEST_F(RetryTest, EndsWhenTheAttemptsAreUsedUp) {
  attempts = 2;
  EXPECT_FALSE(ask().retry);
  policy().retries = 3;
  attempts = 3;
  EXPECT_TRUE(ask().retry);
  attempts = 4;
  EXPECT_FALSE(ask().retry);
  policy().retries = 0;
  attempts = 1;
  EXPECT_FALSE(ask().retry);
}

TEST_F(RetryTest, EndsWhenNobodyWaits) {
  ended = true;
  EXPECT_FALSE(ask().retry);
}

TEST_F(RetryTest, TheBudgetIsAShareButAtLeastThree) {
  side = Side::Old;
  for (const auto& [in_flight, allowed] : {std::pair{0u, 3u}, {1u, 3u}, {15u, 3u}, {19u, 3u}, {20u, 4u}, {100u, 20u}}) {
    runtime.in_flight = in_flight;
    runtime.retrying = allowed - 1;
    EXPECT_TRUE(ask().retry) << in_flight;
    runtime.retrying = allowed;
    EXPECT_FALSE(ask().retry) << in_flight;
  }
  policy().budget = 0;
  runtime.in_flight = 1'000'000;
  runtime.retrying = 2;
  EXPECT_TRUE(ask().retry);
  runtime.retrying = 3;
  EXPECT_FALSE(ask().retry);
}

TEST_F(RetryTest, RetriesAndHedgesShareOneBudget) {
  runtime.in_flight = 20;
  runtime.retrying = 3;
  EXPECT_TRUE(has_budget(runtime));
  runtime.retrying = 4;
  EXPECT_FALSE(has_budget(runtime));
}

TEST_F(RetryTest, AnExchangeThatIsOnTheBudgetAlreadyDoesNotPayTwice) {
  side = Side::Old;
  runtime.retrying = 3;
  policy().retries = 5;
  EXPECT_FALSE(ask().retry);
  on_budget = true;
  EXPECT_TRUE(ask().retry);
}

TEST_F(RetryTest, OnlyTheFailuresThatTheRouteNamesAreRetried) {
  policy() = {};
  for (const auto& [which, expected] : {std::pair{Failure::Connect, true}, {Failure::Reset, true}, {Failure::Timeout, false},
                                        {Failure::Protocol, false}, {Failure::Status, false}, {Failure::Overflow, false},
                                        {Failure::Canceled, false}, {Failure::None, false}}) {
    failure = which;
    EXPECT_EQ(ask().retry, expected) << name(which);
  }
  policy().on_connect = policy().on_reset = false;
  policy().on_timeout = true;
  for (const Failure which : {Failure::Connect, Failure::Reset, Failure::Timeout}) {
    failure = which;
    EXPECT_EQ(ask().retry, which == Failure::Timeout) << name(which);
  }
}

TEST_F(RetryTest, OnlyTheStatusesThatTheRouteNamesAreRetried) {
  failure = Failure::None;
  policy().on_statuses = {502, 503};
  for (const int code : {200, 404, 500, 501, 502, 503, 504}) {
    status = static_cast<std::uint16_t>(code);
    EXPECT_EQ(ask().retry, code == 502 || code == 503) << code;
  }
}

TEST_F(RetryTest, SafeMethodsOnlyUnlessIdempotentOnesAreAllowed) {
  using http::Method;
  for (const auto& [method, safe, idempotent] :
       {std::tuple{Method::Get, true, true}, {Method::Head, true, true}, {Method::Options, true, true},
        {Method::Put, false, true}, {Method::Delete, false, true}, {Method::Post, false, false},
        {Method::Patch, false, false}, {Method::Other, false, false}}) {
    request.method = method;
    policy().methods = route::RetryPolicy::Methods::Safe;
    EXPECT_EQ(ask().retry, safe) << http::label(method);
    policy().methods = route::RetryPolicy::Methods::Idempotent;
    EXPECT_EQ(ask().retry, idempotent) << http::label(method);
  }
}

TEST_F(RetryTest, ABodyIsSentAgainWhileAllOfItIsHeld) {
  policy().on_timeout = true;
  policy().on_statuses = {503};
  request.framing = http::Framing::Length;
  for (const bool held : {true, false}) {
    holds_body = held;
    status = 503;
    for (const Failure which : {Failure::Connect, Failure::Reset, Failure::Timeout, Failure::None}) {
      failure = which;
      EXPECT_EQ(ask().retry, held) << name(which);
    }
  }
}

constexpr std::uint64_t kLargest = ~std::uint64_t{0};

TEST(Backoff, TheFirstAttemptOnASideIsMadeAtOnce) { EXPECT_EQ(backoff({}, 0, kLargest), Duration::zero()); }

TEST(Backoff, DoublesUpToItsMost) {
  using std::chrono::milliseconds;
  int expected = 25;
  for (std::uint32_t asked = 1; asked < 100; ++asked) {
    const Duration longest = backoff({}, asked, kLargest);
    EXPECT_LE(longest, milliseconds(expected)) << asked;
    EXPECT_GT(longest, milliseconds(expected - 1)) << asked;
    expected = std::min(expected * 2, 250);
  }
}

TEST(Backoff, IsAnyPartOfItsTime) {
  EXPECT_EQ(backoff({}, 3, 0), Duration::zero());
  EXPECT_EQ(backoff({}, 3, kLargest / 2 + 1), std::chrono::milliseconds(50));
}

TEST(Backoff, IsNothingWhereItsBaseIs) { EXPECT_EQ(backoff({Duration::zero(), Duration::zero()}, 3, kLargest), Duration::zero()); }

}  // namespace
}  // namespace tidegate::forward
