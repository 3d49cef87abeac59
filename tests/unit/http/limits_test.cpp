// The bounds of heads: what is exactly at a bound passes, one more does not, and the status says which bound it was (H1).
#include <string>

#include "http/every_way.h"

namespace tidegate::http::test {
namespace {

std::string with_target(std::size_t bytes) { return "GET /" + std::string(bytes - 1, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n"; }

/// A request of exactly so many bytes.
std::string of_size(std::size_t bytes) {
  const std::string before = "GET / HTTP/1.1\r\nHost: h\r\nx: ";
  return before + std::string(bytes - before.size() - 4, 'v') + "\r\n\r\n";
}

std::string with_fields(std::size_t count) {
  std::string out = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (std::size_t i = 1; i < count; ++i) out += "a:b\r\n";
  return out + "\r\n";
}

TEST(HeadLimits, ATargetAtTheBoundPassesAndOneByteMoreIs414) {
  for (const std::size_t bound : {16u, 100u, 16'384u}) {
    HeadLimits limits;
    limits.uri_bytes = bound;
    EXPECT_TRUE(request(with_target(bound), limits).starts_with("GET /aaa"));
    EXPECT_EQ(request(with_target(bound + 1), limits).substr(0, 3), "414");
    EXPECT_EQ(request(with_target(bound + 1000), limits).substr(0, 3), "414");
  }
}

TEST(HeadLimits, TheAbsoluteFormCountsAsAWhole) {
  HeadLimits limits;
  limits.uri_bytes = 16;
  EXPECT_TRUE(request("GET http://h/aaaaaaa HTTP/1.1\r\nHost: h\r\n\r\n", limits).starts_with("GET /aaaaaaa "));
  EXPECT_EQ(request("GET http://h/aaaaaaaa HTTP/1.1\r\nHost: h\r\n\r\n", limits).substr(0, 3), "414");
}

TEST(HeadLimits, ARequestLineWithoutEndIs414BeforeItFillsTheHead) {
  EXPECT_EQ(request(std::string(60'000, 'a')).substr(0, 3), "414");
  EXPECT_EQ(request("GET /" + std::string(60'000, 'a')).substr(0, 3), "414");
  EXPECT_EQ(request("\r\n\r\nGET /" + std::string(60'000, 'a')).substr(0, 3), "414");
}

TEST(HeadLimits, ATargetLongerThanTheWholeHeadIs414HoweverItArrives) {
  EXPECT_EQ(request(with_target(100'000)).substr(0, 3), "414");
}

TEST(HeadLimits, AHeadAtTheBoundPassesAndOneByteMoreIs431) {
  for (const std::size_t bound : {1'024u, 20'000u}) {
    HeadLimits limits;
    limits.bytes = bound;
    limits.uri_bytes = 512;
    EXPECT_TRUE(request(of_size(bound), limits).starts_with("GET / @h"));
    EXPECT_EQ(request(of_size(bound + 1), limits).substr(0, 3), "431");
    EXPECT_EQ(request(of_size(bound + 5'000), limits).substr(0, 3), "431");
  }
}

TEST(HeadLimits, BytesOfTheNextMessageDoNotCount) {
  HeadLimits limits;
  limits.bytes = 1'024;
  limits.uri_bytes = 512;
  EXPECT_TRUE(request(of_size(1'024) + std::string(4'000, 'x'), limits).starts_with("GET / @h"));
}

TEST(HeadLimits, AFieldWithoutEndIs431) {
  HeadLimits limits;
  limits.bytes = 2'000;
  limits.uri_bytes = 512;
  EXPECT_EQ(request("GET / HTTP/1.1\r\nHost: h\r\nx: " + std::string(10'000, 'a'), limits).substr(0, 3), "431");
  EXPECT_EQ(request("GET / HTTP/1.1\r\nHost: h\r\n" + std::string(10'000, 'a'), limits).substr(0, 3), "431");
  EXPECT_EQ(request("GET / HTTP/1.1\r\nx: " + std::string(3'000, 'a') + "\nHost: h\r\n\r\n", limits).substr(0, 3), "431");
}

TEST(HeadLimits, FieldsAtTheBoundPassAndOneMoreIs431) {
  EXPECT_TRUE(request(with_fields(100)).starts_with("GET / @h"));
  EXPECT_EQ(request(with_fields(101)), "431 too many fields");
  HeadLimits limits;
  limits.fields = 1;
  EXPECT_TRUE(request(with_fields(1), limits).starts_with("GET / @h"));
  EXPECT_EQ(request(with_fields(2), limits), "431 too many fields");
  limits.fields = FieldList::kMost;
  EXPECT_TRUE(request(with_fields(FieldList::kMost), limits).starts_with("GET / @h"));
  EXPECT_EQ(request(with_fields(FieldList::kMost + 1), limits), "431 too many fields");
}

TEST(HeadLimits, ALimitAboveWhatAListHoldsStillRefusesAndNeverDropsAField) {
  HeadLimits limits;
  limits.fields = 10'000;
  EXPECT_TRUE(request(with_fields(FieldList::kMost), limits).starts_with("GET / @h"));
  EXPECT_EQ(request(with_fields(FieldList::kMost + 1), limits), "431 too many fields");
}

TEST(HeadLimits, ConnectionNamesAtMostSoManyOptionsOverAllItsLines) {
  std::string options;
  for (int i = 0; i < kConnectionOptions; ++i) options += "a,";
  const std::string head = "GET / HTTP/1.1\r\nHost: h\r\nConnection: " + options;
  EXPECT_TRUE(request(head + ",,\r\n\r\n").starts_with("GET / @h"));
  EXPECT_EQ(request(head + "close\r\n\r\n"), "431 too many connection options");
  EXPECT_EQ(request(head + "\r\nConnection: b\r\n\r\n"), "431 too many connection options");
  EXPECT_EQ(response("HTTP/1.1 200 OK\r\nConnection: " + options + "b\r\n\r\n"), "502 too many connection options");
}

TEST(HeadLimits, ANameLongerThanSixteenBitsIsRefused) {
  HeadLimits limits;
  limits.bytes = 200'000;
  const std::string head = "GET / HTTP/1.1\r\nHost: h\r\n";
  EXPECT_TRUE(request(head + std::string(0xffff, 'n') + ": v\r\n\r\n", limits).starts_with("GET / @h"));
  EXPECT_EQ(request(head + std::string(0x10000, 'n') + ": v\r\n\r\n", limits).substr(0, 3), "400");
}

TEST(HeadLimits, ResponsesHaveTheirOwn) {
  std::string fields;
  for (int i = 0; i < 200; ++i) fields += "a:b\r\n";
  EXPECT_TRUE(response("HTTP/1.1 200 OK\r\n" + fields + "\r\n").starts_with("200"));
  EXPECT_EQ(response("HTTP/1.1 200 OK\r\n" + fields + "a:b\r\n\r\n"), "502 too many response fields");
  const HeadLimits limits{1'000, 10, 0};
  const std::string before = "HTTP/1.1 200 OK\r\nx: ";
  const auto of = [&](std::size_t bytes) { return before + std::string(bytes - before.size() - 4, 'v') + "\r\n\r\n"; };
  EXPECT_TRUE(response(of(1'000), Method::Get, limits).starts_with("200"));
  EXPECT_EQ(response(of(1'001), Method::Get, limits), "502 response head too long");
  EXPECT_EQ(response(std::string(5'000, 'x'), Method::Get, limits), "502 response head too long");
  EXPECT_EQ(response("HTTP/1.1 200 " + std::string(5'000, 'x'), Method::Get, limits), "502 response head too long");
}

TEST(HeadLimits, AHostOf255BytesPassesAndOneMoreDoesNot) {
  EXPECT_TRUE(request("GET / HTTP/1.1\r\nHost: " + std::string(255, 'h') + ":80\r\n\r\n").starts_with("GET / @h"));
  EXPECT_EQ(request("GET / HTTP/1.1\r\nHost: " + std::string(256, 'h') + "\r\n\r\n"), "400 malformed Host");
}

}  // namespace
}  // namespace tidegate::http::test
