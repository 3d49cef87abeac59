#include "config/suggest.h"

#include <gtest/gtest.h>

#include <array>

#include "config/keys.h"
#include "config/placement.h"
#include "config/machine.h"

namespace tidegate::config {
namespace {

constexpr std::array<std::string_view, 4> kKeys{"weight", "timeout", "old", "max_error_rate"};

TEST(Suggestion, IsTheNearestKeyForASlip) {
  EXPECT_EQ(suggestion("wieght", kKeys), "; did you mean \"weight\"?");
  EXPECT_EQ(suggestion("weights", kKeys), "; did you mean \"weight\"?");
  EXPECT_EQ(suggestion("maxErrorRate", kKeys), "; did you mean \"max_error_rate\"?");
  EXPECT_EQ(suggestion("max-error-rate", kKeys), "; did you mean \"max_error_rate\"?");
  EXPECT_EQ(suggestion("Old", kKeys), "; did you mean \"old\"?");
}

TEST(Suggestion, IsNothingForAnotherWord) {
  EXPECT_EQ(suggestion("frobnicate", kKeys), "");
  EXPECT_EQ(suggestion("", kKeys), "");
  EXPECT_EQ(suggestion(std::string(100'000, 'w'), kKeys), "");
}

TEST(Synonym, IsWhatOtherProgramsSay) {
  constexpr std::array<std::string_view, 3> kProtocols{"http1", "http2", "auto"};
  EXPECT_EQ(synonym("h2", kProtocols), "http2");
  EXPECT_EQ(synonym("HTTP/2", kProtocols), "http2");
  EXPECT_EQ(synonym("HTTP/1.1", kProtocols), "http1");
  EXPECT_EQ(synonym("h3", kProtocols), "");
  constexpr std::array<std::string_view, 2> kAlpn{"h2", "http/1.1"};
  EXPECT_EQ(synonym("http2", kAlpn), "h2");
  EXPECT_EQ(synonym("warning", kAlpn), "") << "only where it is one of the words";
}

TEST(Placement, IsTheNearestSectionThatHasTheKey) {
  const auto known = known_keys();
  using List = std::vector<std::string>;
  EXPECT_EQ(sections_with("cert", "listeners[]", known), List{"listeners[].tls.certificates[]"});
  EXPECT_EQ(sections_with("cert", "clusters.NAME", known), List{"clusters.NAME.tls"});
  EXPECT_EQ(sections_with("over", "routes[]", known), List{"routes[].gate.slow"});
  EXPECT_EQ(sections_with("weight", "", known), List{"routes[]"});
  EXPECT_EQ(sections_with("admin", "routes[].gate", known), List{""});
  EXPECT_EQ(sections_with("frobnicate", "", known), List{});
}

TEST(Placement, OfAKeyThatIsEverywhereTellsNothing) {
  const std::vector<std::string> known{"a.x", "b.x", "c.x", "d.x", "e.f.y"};
  EXPECT_TRUE(sections_with("x", "", known).empty());
  EXPECT_EQ(listed(sections_with("x", "a.g", known)), "a");
  EXPECT_EQ(listed({"a", "b", ""}), "a, b or the top of the file");
}

TEST(EditDistance, CountsASwapOnce) {
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("abc", "abc"), 0u);
  EXPECT_EQ(edit_distance("abcd", "abdc"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(Workers, AreOneACpuWithinTheQuota) {
  EXPECT_EQ(workers_for(8, std::nullopt), 8u);
  EXPECT_EQ(workers_for(8, 2.5), 2u);
  EXPECT_EQ(workers_for(8, 0.5), 1u);
  EXPECT_EQ(workers_for(8, 64.0), 8u);
  EXPECT_EQ(workers_for(0, std::nullopt), 1u);
  EXPECT_EQ(workers_for(1000, std::nullopt), kMostWorkers);
  EXPECT_GE(automatic_workers(), 1u);
}

TEST(Workers, ReadTheQuotaOfCgroupV2) {
  EXPECT_EQ(parse_cpu_max("150000 100000"), 1.5);
  EXPECT_EQ(parse_cpu_max("max 100000"), std::nullopt);
  for (const char* text : {"", "x", "100", "100 ", "100 0", " 1 1"}) EXPECT_EQ(parse_cpu_max(text), std::nullopt)
      << text;
}

}  // namespace
}  // namespace tidegate::config
