#include "observe/json_text.h"

#include <gtest/gtest.h>

#include <array>
#include <boost/json.hpp>
#include <string>

namespace tidegate::observe {
namespace {

using namespace std::literals;

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

std::string escaped(std::string_view text) {
  std::string room(text.size() * 6, '?');
  const Escaped result = escape_json(text, room.data(), room.data() + room.size());
  EXPECT_TRUE(result.whole);
  room.resize(static_cast<std::size_t>(result.end - room.data()));
  EXPECT_EQ(room.size(), escaped_length(text));
  return room;
}

std::string times(std::size_t n, std::string_view text) {
  std::string all;
  for (std::size_t i = 0; i < n; ++i) all += text;
  return all;
}

TEST(JsonText, EscapesWhatJsonOrdersAndNothingElse) {
  EXPECT_EQ(escaped("plain /path?a=b&c=<d>'"), "plain /path?a=b&c=<d>'");
  EXPECT_EQ(escaped("\""), R"(\")");
  EXPECT_EQ(escaped("\\"), R"(\\)");
  EXPECT_EQ(escaped("\b\f\n\r\t"), R"(\b\f\n\r\t)");
  EXPECT_EQ(escaped("\0\x01\x1F\x7F"sv), R"(\u0000\u0001\u001f\u007f)");
  EXPECT_EQ(escaped("a\"b\\c\nd"), R"(a\"b\\c\nd)");
  EXPECT_EQ(escaped(""), "");
}

TEST(JsonText, KeepsWellFormedUtf8) {
  for (const std::string_view text : {"\xC2\x80"sv, "\xDF\xBF"sv, "\xE0\xA0\x80"sv, "\xED\x9F\xBF"sv, "\xEE\x80\x80"sv,
                                      "\xEF\xBF\xBF"sv, "\xF0\x90\x80\x80"sv, "\xF4\x8F\xBF\xBF"sv,
                                      "gr\xC3\xBC\xC3\x9F"sv}) {
    EXPECT_EQ(escaped(text), text);
  }
}

TEST(JsonText, ReplacesEveryByteOfIllFormedUtf8) {
  EXPECT_EQ(escaped("\x80"), kReplacement);                        // a continuation alone
  EXPECT_EQ(escaped("\xC3"), kReplacement);                        // cut off
  EXPECT_EQ(escaped("\xE2\x82"), times(2, kReplacement));          // cut off
  EXPECT_EQ(escaped("\xC3(").substr(0, 3), kReplacement);          // the second byte is no continuation ...
  EXPECT_EQ(escaped("\xC3(").substr(3), "(");                      // ... and stays what it is
  EXPECT_EQ(escaped("\xC0\xAF"), times(2, kReplacement));          // overlong "/"
  EXPECT_EQ(escaped("\xE0\x80\xAF"), times(3, kReplacement));      // overlong
  EXPECT_EQ(escaped("\xF0\x80\x80\xAF"), times(4, kReplacement));  // overlong
  EXPECT_EQ(escaped("\xED\xA0\x80"), times(3, kReplacement));      // a surrogate
  EXPECT_EQ(escaped("\xF4\x90\x80\x80"), times(4, kReplacement));  // above U+10FFFF
  EXPECT_EQ(escaped("\xFF\xFE"), times(2, kReplacement));
  EXPECT_EQ(escaped("\xE2\"\xAC"), std::string(kReplacement) + "\\\"" + std::string(kReplacement));
}

TEST(JsonText, AnyTwoBytesGiveAStringThatAParserTakes) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::array<char, 2> bytes{static_cast<char>(first), static_cast<char>(second)};
      const std::string json = '"' + escaped({bytes.data(), bytes.size()}) + '"';
      boost::system::error_code error;
      boost::json::parse(json, error);
      ASSERT_FALSE(error) << first << " " << second << " " << json;
    }
  }
}

TEST(JsonText, NoByteIsOverlookedWhereverItStands) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string alone(1, static_cast<char>(byte));
    const std::string expected = escaped(alone);
    for (std::size_t at = 0; at < 24; ++at) {
      const std::string before(at, '~'), after(24 - at, ' ');
      ASSERT_EQ(escaped(before + alone + after), before + expected + after) << byte << " at " << at;
    }
  }
}

TEST(JsonText, ASmallRoomEndsBetweenCharacters) {
  const std::string_view text = "a\"\xC3\xBC\x01z";  // 1 + 2 + 2 + 6 + 1 bytes
  const std::string whole = escaped(text);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::string room(size, '?');
    const Escaped result = escape_json(text, room.data(), room.data() + size);
    EXPECT_FALSE(result.whole);
    const std::string got = room.substr(0, static_cast<std::size_t>(result.end - room.data()));
    EXPECT_TRUE(whole.starts_with(got));
    EXPECT_TRUE(got.size() == 0 || got.size() == 1 || got.size() == 3 || got.size() == 5 || got.size() == 11) << got;
  }
}

}  // namespace
}  // namespace tidegate::observe
