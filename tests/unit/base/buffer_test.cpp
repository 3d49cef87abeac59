// Buffers and the pool of their blocks.
#include "base/buffer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidegate {
namespace {

TEST(Buffer, HoldsNoMemoryUntilItIsNeeded) {
  BlockPool pool;
  Buffer buffer(pool);
  EXPECT_FALSE(buffer.has_memory());
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.free_bytes(), 0u);
  buffer.consume(0);
  buffer.release();
  buffer.ensure();
  EXPECT_EQ(buffer.capacity(), kBlockBytes);
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
  EXPECT_EQ(buffer.free_bytes(), kBlockBytes) << "an empty buffer begins anew";
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
  EXPECT_GT(buffer.capacity(), kBlockBytes);
}

TEST(Buffer, MakesRoomByMovingBeforeItGrows) {
  BlockPool pool;
  Buffer buffer(pool);
  buffer.append(std::string(kBlockBytes, 'a'));
  buffer.consume(kBlockBytes - 3);
  buffer.reserve(kBlockBytes - 3);
  EXPECT_EQ(buffer.capacity(), kBlockBytes);
  EXPECT_EQ(buffer.view(), "aaa");
  buffer.reserve(kBlockBytes - 2);
  EXPECT_GT(buffer.capacity(), kBlockBytes);
  EXPECT_GE(buffer.free_bytes(), kBlockBytes - 2);
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

TEST(BlockPool, LendsTheNewestBlockFirstAndTrims) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "under AddressSanitizer nothing is kept";
#endif
  BlockPool pool;
  char* a = pool.take();
  char* b = pool.take();
  EXPECT_EQ(pool.kept(), 0u);
  pool.give(a);
  pool.give(b);
  EXPECT_EQ(pool.kept(), 2u);
  EXPECT_EQ(pool.take(), b);
  EXPECT_EQ(pool.take(), a);
  for (int i = 0; i < 5; ++i) pool.give(static_cast<char*>(::operator new(kBlockBytes)));
  pool.give(a);
  pool.give(b);
  pool.trim(3);
  EXPECT_EQ(pool.kept(), 3u);
  pool.trim(10);
  EXPECT_EQ(pool.kept(), 3u);
}

TEST(BlockPool, TakesBackBlocksButNotWhatGrewLarger) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "under AddressSanitizer nothing is kept";
#endif
  BlockPool pool;
  { Buffer buffer(pool); buffer.append("x"); }
  EXPECT_EQ(pool.kept(), 1u);
  { Buffer buffer(pool); buffer.append(std::string(kBlockBytes + 1, 'x')); }
  EXPECT_EQ(pool.kept(), 1u) << "the block it began with is back, the larger memory is not kept";
}

}  // namespace
}  // namespace tidegate
