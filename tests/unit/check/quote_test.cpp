#include "check/quote.h"

#include <gtest/gtest.h>

namespace tidegate::check {
namespace {

TEST(Quote, KeepsTextThatFits) { EXPECT_EQ(quote("größer \xF0\x9F\x8C\x8A", 40), "größer \xF0\x9F\x8C\x8A"); }

TEST(Quote, CutsBetweenCharacters) {
  EXPECT_EQ(quote("größer", 3), "gr...");
  EXPECT_EQ(quote("größer", 4), "grö...");
  EXPECT_EQ(quote("abc", 3), "abc");
}

TEST(Quote, IsOneLineOfUtf8WhateverCame) {
  EXPECT_EQ(quote("a\r\nb\tc\x7F", 40), "a  b c ");
  EXPECT_EQ(quote("a\xFF\xC3", 40), "a??");
  EXPECT_EQ(quote("\xC0\xAF\xED\xA0\x80\xF4\x90\x80\x80\xE0\x80\x80", 40), "????????????");
}

}  // namespace
}  // namespace tidegate::check
