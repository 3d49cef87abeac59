#include "config/scalars.h"

#include <gtest/gtest.h>

#include <chrono>
#include <utility>
#include <vector>

namespace tidegate::config {
namespace {

using namespace std::chrono_literals;
using Texts = std::vector<std::string_view>;

template <class T>
void expect_refused(Parsed<T> (*parse)(std::string_view), const Texts& texts) {
  for (const std::string_view text : texts) {
    EXPECT_FALSE(parse(text)) << text;
    EXPECT_FALSE(parse(text).error.empty()) << text;
  }
}

TEST(Duration, IsANumberAndAUnit) {
  const std::vector<std::pair<std::string_view, Duration>> table{
      {"250ms", 250ms}, {"5s", 5s}, {"5m", 5min}, {"1h", 1h}, {"7d", 168h}, {"0s", 0s}, {"1.5s", 1500ms}, {"0.5ms",
          500us}};
  for (const auto& [text, expected] : table) {
    ASSERT_TRUE(parse_duration(text)) << text;
    EXPECT_EQ(*parse_duration(text).value, expected) << text;
  }
}

TEST(Duration, IsRefusedInEveryOtherForm) {
  expect_refused(parse_duration, {"", "5", "0", "s", "5 s", "5sec", "5S", "-5s", "+5s", "5.s", ".5s", "05s", "1e3s",
      "1h30m",
                                  "5us", "0x5s", "1_000s", "99999999999999999999s", "999999999999d", "inf", "nan"});
}

TEST(Duration, WithoutAUnitSaysHowToWriteIt) {
  EXPECT_EQ(parse_duration("30").error, "\"30\" has no unit; write 30s or 30ms");
  EXPECT_EQ(parse_duration("5sec").error,
      "\"5sec\" is not a duration: unknown unit \"sec\"; the units are ms, s, m, h, d");
}

TEST(Size, IsBytesOrABinaryUnit) {
  const std::vector<std::pair<std::string_view, std::uint64_t>> table{
      {"0", 0}, {"4096", 4096}, {"1B", 1}, {"64KiB", 65536}, {"1.5MiB", 1572864}, {"2GiB", 2147483648}};
  for (const auto& [text, expected] : table) {
    ASSERT_TRUE(parse_size(text)) << text;
    EXPECT_EQ(*parse_size(text).value, expected) << text;
  }
}

TEST(Size, IsRefusedInDecimalUnitsAndFractionsOfBytes) {
  expect_refused(parse_size, {"", "64KB", "64k", "64K", "1M", "1MB", "1mib", "0.5", "0.3KiB", "-1", "0777", "0x10",
      "1e6",
                              "64 KiB", "KiB", "9999999999999GiB"});
}

TEST(Share, IsPercentWithOrWithoutItsSign) {
  const std::vector<std::pair<std::string_view, double>> table{
      {"10", 0.1}, {"10%", 0.1}, {"0.5%", 0.005}, {"0", 0}, {"100%", 1}, {"0.0001%", 1e-6}};
  for (const auto& [text, expected] : table) {
    ASSERT_TRUE(parse_share(text)) << text;
    EXPECT_DOUBLE_EQ(*parse_share(text).value, expected) << text;
  }
  expect_refused(parse_share, {"", "%", "101", "100.01%", "-1%", "10 %", "10%%", "ten", "010", "1e1"});
}

TEST(WeightText, HasStepsOfAHundredthOfAPercent) {
  EXPECT_EQ(parse_weight("12.34%").value, Weight::of_units(1234));
  EXPECT_EQ(parse_weight("100").value, Weight::whole());
  EXPECT_EQ(parse_weight("0.001").error, "\"0.001\" is finer than 0.01 percent");
  expect_refused(parse_weight, {"", "100.01", "010", "-1", "half"});
}

TEST(Integer, IsDecimalDigitsOnly) {
  EXPECT_EQ(parse_integer("0").value, 0u);
  EXPECT_EQ(parse_integer("20000").value, 20000u);
  expect_refused(parse_integer, {"", "0777", "00", "0x1F", "0o17", "1_000", "1,000", "1.0", "1e3", "+1", "-1", " 1",
      "~",
                                 "1234567890123456"});
}

TEST(Integer, ThatLooksOctalIsToldSo) {
  EXPECT_EQ(parse_integer("0777").error, "\"0777\" is not a whole number: a leading zero (octal?) is not taken");
}

TEST(Rate, IsASecond) {
  EXPECT_DOUBLE_EQ(*parse_rate("500/s").value, 500);
  EXPECT_DOUBLE_EQ(*parse_rate("0.5/s").value, 0.5);
  expect_refused(parse_rate, {"", "500", "500/m", "500 /s", "/s", "s"});
}

TEST(Bool, IsTrueOrFalse) {
  EXPECT_EQ(parse_bool("true").value, true);
  EXPECT_EQ(parse_bool("false").value, false);
  expect_refused(parse_bool, {"yes", "no", "on", "off", "True", "FALSE", "1", "0", ""});
  EXPECT_EQ(parse_bool("yes").error, "\"yes\" is not true or false; did you mean true?");
  EXPECT_EQ(parse_bool("off").error, "\"off\" is not true or false; did you mean false?");
}

}  // namespace
}  // namespace tidegate::config
