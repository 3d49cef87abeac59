// Buffers and the pool of their blocks.
#include "base/buffer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidegate {
namespace {

constexpr std::size_t kMediumBytes = bytes_of(BlockSize::Medium);

TEST(Buffer, HoldsNoMemoryUntilItIsNeeded) {
  BlockPool pool;
  Buffer buffer(pool);
  EXPECT_FALSE(buffer.has_memory());
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.free_bytes(), 0u);
  buffer.consume(0);
  buffer.release();
  buffer.ensure();
  EXPECT_EQ(buffer.capacity(), kMediumBytes);
  buffer.release();
  EXPECT_FALSE(buffer.has_memory());
}

TEST(Buffer, GivesBackWhatWasAppendedInOrder) {
  BlockPool pool;
  Buffer buffer(pool);
  buffer.append("hello ");
  buffer.append("");
  buffer.append("world");
  EXPECT_EQ(buffer.view(), "hello world");
  buffer.consume(6);
  EXPECT_EQ(buffer.view(), "world");
  buffer.drop_back(2);
  EXPECT_EQ(buffer.view(), "wor");
  buffer.consume(3);
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.free_bytes(), kMediumBytes) << "an empty buffer begins anew";
}

TEST(Buffer, GrowsBeyondABlockAndKeepsWhatItHolds) {
  BlockPool pool;
  Buffer buffer(pool);
  std::string expected;
  for (int i = 0; i < 10'000; ++i) {
    const std::string piece = std::to_string(i) + ",";
    buffer.append(piece);
    expected += piece;
    if (i % 3 == 0) {
      buffer.consume(1);
      expected.erase(0, 1);
    }
  }
  EXPECT_EQ(buffer.view(), expected);
  EXPECT_GT(buffer.capacity(), kMediumBytes);
}

TEST(Buffer, MakesRoomByMovingBeforeItGrows) {
  BlockPool pool;
  Buffer buffer(pool);
  buffer.append(std::string(kMediumBytes, 'a'));
  buffer.consume(kMediumBytes - 3);
  buffer.reserve(kMediumBytes - 3);
  EXPECT_EQ(buffer.capacity(), kMediumBytes);
  EXPECT_EQ(buffer.view(), "aaa");
  buffer.reserve(kMediumBytes - 2);
  EXPECT_GT(buffer.capacity(), kMediumBytes);
  EXPECT_GE(buffer.free_bytes(), kMediumBytes - 2);
  EXPECT_EQ(buffer.view(), "aaa");
}

TEST(Buffer, MovedFromHoldsNothing) {
  BlockPool pool;
  Buffer from(pool);
  from.append("x");
  Buffer to(std::move(from));
  EXPECT_EQ(to.view(), "x");
  EXPECT_FALSE(from.has_memory());  // NOLINT: that is what is tested
  from.append("y");
  from.swap(to);
  EXPECT_EQ(from.view(), "x");
  EXPECT_EQ(to.view(), "y");
}

TEST(Buffer, BeginsWithTheBlockThatItWasToldAndGrowsThroughTheSizes) {
  BlockPool pool;
  Buffer buffer(pool, BlockSize::Small);
  buffer.append("head");
  EXPECT_EQ(buffer.capacity(), bytes_of(BlockSize::Small));
  buffer.reserve(bytes_of(BlockSize::Small));
  EXPECT_EQ(buffer.capacity(), kMediumBytes);
  buffer.reserve(kMediumBytes);
  EXPECT_GT(buffer.capacity(), kMediumBytes);
  EXPECT_EQ(buffer.view(), "head");
  buffer.release();
  buffer.ensure();
  EXPECT_EQ(buffer.capacity(), bytes_of(BlockSize::Small)) << "anew, it begins small";
}

TEST(Buffer, ChangesToALargeBlockOnlyWhenItHoldsNothingAndOneIsLeft) {
  BlockPool pool;
  std::vector<Buffer> others;
  for (std::size_t i = 0; i + 1 < kLargeBlocks; ++i) {
    others.emplace_back(pool);
    others.back().prefer_large();
    ASSERT_EQ(others.back().capacity(), bytes_of(BlockSize::Large));
  }
  Buffer busy(pool);
  busy.append("x");
  busy.prefer_large();
  EXPECT_EQ(busy.capacity(), kMediumBytes);
  EXPECT_EQ(busy.view(), "x");
  Buffer last(pool);
  last.ensure();
  last.prefer_large();
  EXPECT_EQ(last.capacity(), bytes_of(BlockSize::Large));
  Buffer late(pool);
  late.prefer_large();
  late.ensure();
  EXPECT_EQ(late.capacity(), kMediumBytes);
  last.release();
  late.prefer_large();
  EXPECT_EQ(late.capacity(), bytes_of(BlockSize::Large));
}

TEST(BlockPool, LendsTheNewestBlockFirstAndTrims) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "under AddressSanitizer nothing is kept";
#endif
  BlockPool pool;
  char* a = pool.take(BlockSize::Medium);
  char* b = pool.take(BlockSize::Medium);
  char* small = pool.take(BlockSize::Small);
  EXPECT_EQ(pool.kept_bytes(), 0u);
  pool.give(a, BlockSize::Medium);
  pool.give(small, BlockSize::Small);
  pool.give(b, BlockSize::Medium);
  EXPECT_EQ(pool.kept_bytes(), 2 * kMediumBytes + bytes_of(BlockSize::Small));
  EXPECT_EQ(pool.take(BlockSize::Medium), b);
  EXPECT_EQ(pool.take(BlockSize::Medium), a);
  EXPECT_EQ(pool.take(BlockSize::Small), small);
  for (int i = 0; i < 5; ++i) pool.give(static_cast<char*>(::operator new(kMediumBytes)), BlockSize::Medium);
  pool.give(a, BlockSize::Medium);
  pool.give(b, BlockSize::Medium);
  pool.give(small, BlockSize::Small);
  pool.trim(3 * kMediumBytes);
  EXPECT_EQ(pool.kept_bytes(), 2 * kMediumBytes + bytes_of(BlockSize::Small)) << "the larger ones go first";
  pool.trim(10 * kMediumBytes);
  EXPECT_EQ(pool.kept_bytes(), 2 * kMediumBytes + bytes_of(BlockSize::Small));
}

TEST(BlockPool, TakesBackBlocksButNotWhatGrewLarger) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "under AddressSanitizer nothing is kept";
#endif
  BlockPool pool;
  { Buffer buffer(pool); buffer.append("x"); }
  EXPECT_EQ(pool.kept_bytes(), kMediumBytes);
  { Buffer buffer(pool); buffer.append(std::string(kMediumBytes + 1, 'x')); }
  const std::size_t large = bytes_of(BlockSize::Large);
  EXPECT_EQ(pool.kept_bytes(), kMediumBytes + large) << "the block it began with and the one that it grew to are back";
  { Buffer buffer(pool); buffer.append(std::string(large + 1, 'x')); }
  EXPECT_EQ(pool.kept_bytes(), kMediumBytes + large) << "memory that is larger than any block is not kept";
}

}  // namespace
}  // namespace tidegate
