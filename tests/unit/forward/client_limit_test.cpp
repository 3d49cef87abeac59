#include "forward/client_limit.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace tidegate::forward {
namespace {

ClientId id(const std::string& host) { return client_id(net::make_address(host, 4000).value()).value(); }

TEST(ClientLimit, IsExactForEachClientAlone) {
  ClientLimit limit(2);
  EXPECT_TRUE(limit.enter(id("192.0.2.1")));
  EXPECT_TRUE(limit.enter(id("192.0.2.1")));
  EXPECT_FALSE(limit.enter(id("192.0.2.1")));
  EXPECT_TRUE(limit.enter(id("192.0.2.2")));
  limit.leave(id("192.0.2.1"));
  EXPECT_TRUE(limit.enter(id("192.0.2.1")));
  EXPECT_FALSE(limit.enter(id("192.0.2.1")));
}

TEST(ClientLimit, RefusesNobodyWhenTheBoundWasTakenAwayMeanwhile) {
  ClientLimit limit(1);
  const ClientId client{0, 1};
  ASSERT_TRUE(limit.enter(client));
  EXPECT_FALSE(limit.enter(client));
  limit.set_most(0);
  EXPECT_TRUE(limit.enter(client));
  EXPECT_TRUE(limit.enter(ClientId{0, 2}));
}

TEST(ClientLimit, TakesIPv6ByItsSubscriber) {
  EXPECT_EQ(id("2001:db8:1:2::1"), id("2001:db8:1:2:ffff::9"));
  EXPECT_NE(id("2001:db8:1:2::1"), id("2001:db8:1:3::1"));
}

TEST(ClientLimit, TakesIPv4ByItsAddressHoweverItIsWritten) {
  EXPECT_EQ(id("192.0.2.1"), id("::ffff:192.0.2.1"));
  EXPECT_NE(id("192.0.2.1"), id("192.0.2.2"));
  EXPECT_NE(id("::ffff:192.0.2.1"), id("::ffff:192.0.2.2"));
  EXPECT_NE(id("0.0.0.0"), id("::1"));
}

TEST(ClientLimit, KnowsNobodyOnAUnixDomainSocket) {
  EXPECT_FALSE(client_id(net::make_unix_address("/run/a.sock")).has_value());
  EXPECT_FALSE(client_id(net::Address{}).has_value());
}

TEST(ClientLimit, ForgetsWhoHasNoConnectionLeft) {
  ClientLimit limit(1);
  for (int i = 0; i < 1000; ++i) {
    ClientPlace place;
    ASSERT_TRUE(place.take(limit, id("198.51." + std::to_string(i / 250) + "." + std::to_string(i % 250))));
    EXPECT_EQ(limit.clients(), 1u);
  }
  EXPECT_EQ(limit.clients(), 0u);
}

TEST(ClientLimit, GivesAPlaceBackOnce) {
  ClientLimit limit(2);
  ClientPlace first, second, third;
  ASSERT_TRUE(first.take(limit, id("::1")) && second.take(limit, id("::1")));
  EXPECT_FALSE(third.take(limit, id("::1")));
  third.give_back();
  first.give_back();
  first.give_back();
  EXPECT_TRUE(third.take(limit, id("::1")));
  EXPECT_FALSE(first.take(limit, id("::1")));
}

TEST(ClientLimit, HoldsForAllThreadsTogether) {
  constexpr int kMost = 5;
  ClientLimit limit(kMost);
  std::atomic<int> held{0}, most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) {
        ClientPlace place;
        if (!place.take(limit, id("192.0.2.1"))) continue;
        const int now = ++held;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {}
        --held;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most.load(), kMost);
  EXPECT_EQ(limit.clients(), 0u);
}

}  // namespace
}  // namespace tidegate::forward
