#include "outbound/url.h"

#include <gtest/gtest.h>

#include "outbound/message.h"

namespace tidegate::outbound {
namespace {

std::string problem(std::string_view text) {
  const auto url = parse_url(text);
  return url ? "good" : url.error().message;
}

TEST(Url, HasTheDefaultPortOfItsScheme) {
  EXPECT_EQ(parse_url("http://prometheus/").value().port, 80);
  EXPECT_EQ(parse_url("https://hooks.slack.com").value().port, 443);
  EXPECT_EQ(parse_url("HTTP://a:9090").value().port, 9090);
  EXPECT_EQ(parse_url("http://a:").value().port, 80);
}

TEST(Url, KeepsPathAndQueryAsTheyCame) {
  EXPECT_EQ(parse_url("http://a").value().target, "/");
  EXPECT_EQ(parse_url("http://a?x=1").value().target, "/?x=1");
  EXPECT_EQ(parse_url("http://a/b%20c?x=%26&y").value().target, "/b%20c?x=%26&y");
  EXPECT_EQ(parse_url("http://a/b?c=1").value().path(), "/b");
  EXPECT_EQ(parse_url("http://a/b?c=1").value().query(), "c=1");
  EXPECT_EQ(parse_url("http://a/b").value().query(), "");
}

TEST(Url, NamesItsOriginWithoutWhatMayBeSecret) {
  EXPECT_EQ(parse_url("https://hooks.slack.com/services/T0/B0/secret?x=y").value().origin(), "https://hooks.slack.com");
  EXPECT_EQ(parse_url("http://127.0.0.1:9090/x").value().origin(), "http://127.0.0.1:9090");
  EXPECT_EQ(parse_url("https://a:80").value().origin(), "https://a:80");
  EXPECT_EQ(parse_url("https://[::1]/").value().endpoint(), "[::1]:443");
  EXPECT_EQ(parse_url("https://[::1]/").value().authority(), "[::1]");
  EXPECT_EQ(parse_url("https://[::1]/").value().host, "::1");
}

TEST(Url, IsRefusedWithTheReasonAndWithoutItself) {
  EXPECT_EQ(problem("ftp://a/"), "only http:// and https:// are spoken");
  EXPECT_EQ(problem("http://user:secret@a/"), "no user name and password in a URL: give an Authorization header");
  EXPECT_EQ(problem("http://a/#there"), "a fragment (#...) is never sent: leave it out");
  EXPECT_EQ(problem("http:///path"), "names no host");
  EXPECT_EQ(problem("http://a%0d%0ab/"), "names no host");
  EXPECT_EQ(problem("http://a:0/"), "the port must be 1 to 65535");
  EXPECT_EQ(problem("http://a:70000/"), "the port must be 1 to 65535");
  for (const char* text : {"", "prometheus:9090/x", "/path", "http//a", "http://a b/", "http:a", "http://a/\r\nX: y"}) {
    EXPECT_NE(problem(text), "good") << text;
  }
  EXPECT_NE(problem("http://a/" + std::string(kUrlBytes, 'x')), "good");
}

TEST(Url, QueryValuesAreEncodedToUnreservedBytes) {
  EXPECT_EQ(encode_query_value("rate(a{b=\"c\"}[5m])+1&x"), "rate%28a%7Bb%3D%22c%22%7D%5B5m%5D%29%2B1%26x");
  EXPECT_EQ(encode_query_value("a-b_c.d~E9"), "a-b_c.d~E9");
  EXPECT_EQ(encode_query_value("\xC3\xA9\n"), "%C3%A9%0A");
}

TEST(Message, HeadersThatWouldBreakTheHeadCannotBeSent) {
  EXPECT_TRUE(can_be_sent("Authorization", "Bearer a b"));
  EXPECT_TRUE(can_be_sent("X-Tab", "a\tb"));
  EXPECT_FALSE(can_be_sent("Authorization", "Bearer a\n"));
  EXPECT_FALSE(can_be_sent("Authorization", "a\r\nX: y"));
  EXPECT_FALSE(can_be_sent("", "a"));
  EXPECT_FALSE(can_be_sent("a b", "a"));
}

TEST(Message, SaysBoundsInTheirUnits) {
  EXPECT_EQ(say_bytes(1 << 20), "1 MiB");
  EXPECT_EQ(say_bytes(16 * 1024), "16 KiB");
  EXPECT_EQ(say_bytes(1500), "1500 bytes");
  EXPECT_EQ(say_duration(std::chrono::seconds(5)), "5 s");
  EXPECT_EQ(say_duration(std::chrono::milliseconds(250)), "250 ms");
}

}  // namespace
}  // namespace tidegate::outbound
