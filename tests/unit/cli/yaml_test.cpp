#include "cli/yaml.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "cli/json_text.h"

namespace tidegate::cli {
namespace {

namespace json = boost::json;

TEST(Yaml, ObjectsAndListsAreBlocks) {
  EXPECT_EQ(to_yaml(json::parse(
                R"({"a": 1, "b": {"c": [1, "x", null], "d": {}}, "e": [], "f": [{"g": true, "h": [2]}, [3, [4]]]})")),
            "a: 1\n"
            "b:\n"
            "  c:\n"
            "    - 1\n"
            "    - x\n"
            "    - null\n"
            "  d: {}\n"
            "e: []\n"
            "f:\n"
            "  - g: true\n"
            "    h:\n"
            "      - 2\n"
            "  -\n"
            "    - 3\n"
            "    -\n"
            "      - 4\n");
}

TEST(Yaml, AScalarIsALine) {
  EXPECT_EQ(to_yaml(json::value("x")), "x\n");
  EXPECT_EQ(to_yaml(json::value(nullptr)), "null\n");
  EXPECT_EQ(to_yaml(json::object()), "{}\n");
}

TEST(Yaml, ATextThatLooksLikeSomethingElseIsQuoted) {
  for (const char* text : {"",   "true", "No",  "on",   "~",    "null", "12", "0x1f", "1e3", ".5", "2026-03-29",
                           "-",  "- a",  "? a", "a: b", "a #b", "a:",   " a", "a ",   "*a",  "&a", "!a",
                           "@a", "`a",   "%a",  "{a",   "[a",   "|",    ">",  "'a",   "#"}) {
    EXPECT_EQ(yaml_scalar(text), '"' + std::string(text) + '"');
  }
}

TEST(Yaml, AnOrdinaryTextIsNot) {
  for (const char* text : {"api", "new failed 12 of 60 requests in 0.6 s, old 0 of 60 in the same time, threshold 1 %",
                           "a:b", "/var/lib/tidegate.db", "x-origin-verify", "a (b)"}) {
    EXPECT_EQ(yaml_scalar(text), text);
  }
}

TEST(Yaml, SignsThatBreakLinesAreEscaped) {
  EXPECT_EQ(yaml_scalar("a\nb\t\"c\"\\"), R"("a\nb\t\"c\"\\")");
  EXPECT_EQ(yaml_scalar("\x1b[2J\x7f"), R"("\x1B[2J\x7F")");
  EXPECT_EQ(yaml_scalar("grün"), "\"grün\"");
}

TEST(Yaml, NumbersAreWrittenSoThatEveryReaderTakesThemForNumbers) {
  EXPECT_EQ(to_yaml(json::value(12.5)), "12.5\n");
  EXPECT_EQ(to_yaml(json::value(1e-7)), "1.0e-07\n");
  EXPECT_EQ(to_yaml(json::value(-3)), "-3\n");
}

TEST(PrettyJson, IsTheSameJsonIndented) {
  const json::value value = json::parse(R"({"a": {"b": [1.5, "x\ny"], "c": {}}, "d": []})");
  EXPECT_EQ(pretty_json(value),
            "{\n  \"a\": {\n    \"b\": [\n      1.5,\n      \"x\\ny\"\n    ],\n    \"c\": {}\n  },\n  \"d\": []\n}\n");
  EXPECT_EQ(json::parse(pretty_json(value)), value);
}

}  // namespace
}  // namespace tidegate::cli
