#include "base/memory_shares.h"

#include <gtest/gtest.h>

namespace tidegate {
namespace {

std::vector<MemoryShare> shares_of(std::uint64_t budget, const std::vector<std::size_t>& lent) { return share_out(budget, lent); }

TEST(MemoryShares, AWorkerMayHoldWhatTheOthersLeave) {
  EXPECT_EQ(shares_of(100, {0}), (std::vector<MemoryShare>{{100, 50}}));
  EXPECT_EQ(shares_of(100, {10, 20, 0}), (std::vector<MemoryShare>{{80, 30}, {90, 40}, {70, 20}}));
  EXPECT_TRUE(shares_of(100, {}).empty());
}

TEST(MemoryShares, WhatAWorkerHoldsItselfNeverMakesItsShareSmaller) {
  for (const std::size_t own : {0u, 1u, 50u, 99u, 100u, 101u, 4000000u}) {
    EXPECT_EQ(shares_of(100, {own})[0], (MemoryShare{100, 50})) << own;
    EXPECT_EQ(shares_of(100, {own, 30})[0], (MemoryShare{70, 20})) << own;
  }
}

TEST(MemoryShares, NothingIsLeftWhereTheOthersHoldAllOfItOrMore) {
  EXPECT_EQ(shares_of(100, {1, 49})[0], (MemoryShare{51, 1}));
  EXPECT_EQ(shares_of(100, {1, 50})[0], (MemoryShare{50, 0}));
  EXPECT_EQ(shares_of(100, {1, 100})[0], (MemoryShare{0, 0}));
  EXPECT_EQ(shares_of(100, {1, 3000000000})[0], (MemoryShare{0, 0}));
}

}  // namespace
}  // namespace tidegate
