// Ids of requests: which ones are passed on, and how new ones look.
#include "forward/trace.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "forward/rewrite.h"

namespace tidegate::forward {
namespace {

TEST(RequestId, IsPassedOnWhenItIsVisibleAndShort) {
  for (const std::string& text : {std::string("a"), std::string(128, 'x'), std::string("f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
                                  std::string("!~\"{}<>")}) {
    EXPECT_TRUE(is_request_id(text)) << text;
  }
  for (const std::string& text : {std::string(), std::string(129, 'x'), std::string("a b"), std::string("a\tb"),
                                  std::string("a\nb"), std::string("\x7f"), std::string("\xc3\xa4"), std::string(1, '\0')}) {
    EXPECT_FALSE(is_request_id(text)) << text;
  }
}

TEST(Traceparent, IsPassedOnWhenItIsWellFormed) {
  EXPECT_TRUE(is_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
  EXPECT_TRUE(is_traceparent("00-00000000000000000000000000000001-0000000000000001-00"));
  EXPECT_TRUE(is_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff"));
  for (const char* text : {
           "", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-011",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
           "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-B7AD6B7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0G",
           "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
           "00-00000000000000000000000000000000-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
           "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331_01",
           "00-0af7651916cd43dd8448eb211c80319cb-7ad6b7169203331-01"}) {
    EXPECT_FALSE(is_traceparent(text)) << text;
  }
}

TEST(Identity, MakesAUuidOfVersion4) {
  Random random(7);
  for (int i = 0; i < 1'000; ++i) {
    std::array<char, 36> space{};
    const std::string_view id = Identity(random).write_request_id(space);
    ASSERT_TRUE(is_request_id(id));
    EXPECT_EQ(id[8], '-');
    EXPECT_EQ(id[13], '-');
    EXPECT_EQ(id[14], '4');
    EXPECT_EQ(id[18], '-');
    EXPECT_NE(std::string_view("89ab").find(id[19]), std::string_view::npos) << id;
    EXPECT_EQ(id[23], '-');
  }
}

TEST(Identity, MakesATraceparentThatHasTheRequestIdInIt) {
  Random random(8);
  const Identity identity(random);
  std::array<char, 36> id_space{};
  std::array<char, 55> trace_space{};
  std::string id(identity.write_request_id(id_space));
  const std::string_view trace = identity.write_traceparent(trace_space);
  EXPECT_TRUE(is_traceparent(trace)) << trace;
  EXPECT_TRUE(trace.ends_with("-00")) << "not sampled";
  std::erase(id, '-');
  EXPECT_EQ(trace.substr(3, 32), id);
}

TEST(Identity, IsNeverTheSameTwice) {
  Random random(9);
  std::set<std::string> seen;
  std::array<char, 36> space{};
  for (int i = 0; i < 10'000; ++i) seen.emplace(Identity(random).write_request_id(space));
  EXPECT_EQ(seen.size(), 10'000u);
}

}  // namespace
}  // namespace tidegate::forward
