#include "observe/byte_ring.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace tidegate::observe {
namespace {

std::string take_all(ByteRing& ring) {
  std::string all;
  while (const std::size_t left = ring.readable()) {
    const std::string_view front = ring.front(left);
    all += front;
    ring.pop(front.size());
  }
  return all;
}

TEST(ByteRing, GivesBackWhatWasPushedInOrder) {
  ByteRing ring(16);
  EXPECT_EQ(ring.readable(), 0u);
  EXPECT_TRUE(ring.push("abc\n"));
  EXPECT_TRUE(ring.push("de\n"));
  EXPECT_EQ(take_all(ring), "abc\nde\n");
}

TEST(ByteRing, ALineThatWrapsAroundStaysWhole) {
  ByteRing ring(16);
  std::string in, out;
  for (int i = 0; i < 100; ++i) {
    const std::string line = std::string(static_cast<std::size_t>(i % 11), static_cast<char>('a' + i % 26)) + "\n";
    ASSERT_TRUE(ring.push(line));
    in += line;
    out += take_all(ring);
  }
  EXPECT_EQ(out, in);
}

TEST(ByteRing, WhatDoesNotFitIsRefusedAndLeavesNothingBehind) {
  ByteRing ring(16);
  EXPECT_TRUE(ring.push("0123456789\n"));
  EXPECT_FALSE(ring.push("too long"));
  EXPECT_TRUE(ring.push("fits\n"));
  EXPECT_FALSE(ring.push("\n"));
  EXPECT_EQ(take_all(ring), "0123456789\nfits\n");
  EXPECT_TRUE(ring.push("0123456789abcde\n"));
  EXPECT_FALSE(ring.push("more than the whole ring"));
}

TEST(ByteRing, CallsForAReaderOnceForEachHalf) {
  ByteRing ring(16);
  EXPECT_TRUE(ring.push("1234567"));
  EXPECT_FALSE(ring.wants_reader());
  EXPECT_TRUE(ring.push("8"));
  EXPECT_TRUE(ring.wants_reader());
  EXPECT_FALSE(ring.wants_reader());
  EXPECT_TRUE(ring.push("9"));
  EXPECT_FALSE(ring.wants_reader());
  take_all(ring);
  EXPECT_TRUE(ring.push("1234567"));
  EXPECT_FALSE(ring.wants_reader());
  EXPECT_TRUE(ring.push("8"));
  EXPECT_TRUE(ring.wants_reader());
}

TEST(ByteRing, TwoThreadsPassAMillionBytesWithoutLossOrDisorder) {
  ByteRing ring(1024);
  constexpr std::size_t kBytes = 1'000'000;
  std::thread producer([&ring] {
    for (std::size_t sent = 0; sent < kBytes;) {
      const std::string block(1 + sent % 97, static_cast<char>('a' + sent % 26));
      if (ring.push(block)) sent += block.size();
      else std::this_thread::yield();
    }
  });
  std::string expected, got;
  while (expected.size() < kBytes) {
    expected += std::string(1 + expected.size() % 97, static_cast<char>('a' + expected.size() % 26));
  }
  while (got.size() < expected.size()) {
    got += take_all(ring);
    std::this_thread::yield();
  }
  producer.join();
  EXPECT_TRUE(got == expected);
}

}  // namespace
}  // namespace tidegate::observe
