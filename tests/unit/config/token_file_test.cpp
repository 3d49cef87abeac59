// The file of admin.token_file: what each line means, and what is said about those that mean nothing.
#include "config/token_file.h"

#include <gtest/gtest.h>

namespace tidegate::config {
namespace {

using Tokens = std::vector<Token>;
using Lines = std::vector<std::string>;

const std::string kLong = "0123456789abcdef";

TEST(TokenFile, ATokenAloneIsAnAdmins) {
  EXPECT_EQ(parse_tokens(kLong + "\n", "t").tokens, (Tokens{{kLong, Role::Admin, "admin"}}));
  EXPECT_EQ(parse_tokens("\t " + kLong + " \r", "t").tokens, (Tokens{{kLong, Role::Admin, "admin"}})) << "blanks around it, and no line end";
}

TEST(TokenFile, EachLineHasARoleAndAName) {
  const TokenFile read = parse_tokens("# people\n" + kLong + "1 viewer\r\n\n" + kLong + "2\toperator  ci\n   # more\n" + kLong + "3 admin alice\n", "t");
  EXPECT_EQ(read.errors, Lines{});
  EXPECT_EQ(read.warnings, Lines{});
  EXPECT_EQ(read.tokens, (Tokens{{kLong + "1", Role::Viewer, "viewer"}, {kLong + "2", Role::Operator, "ci"}, {kLong + "3", Role::Admin, "alice"}}));
}

TEST(TokenFile, WhatIsWrongNamesFileAndLineAndNeverAToken) {
  const std::string good = kLong + "1\n";
  for (const auto& [line, message] : std::vector<std::pair<std::string, std::string>>{
           {kLong + " root", "t:2: unknown role: after the token comes one of viewer, operator, admin"},
           {kLong + " vewer", "t:2: unknown role \"vewer\": after the token comes one of viewer, operator, admin; did you mean \"viewer\"?"},
           {kLong + " viewer bob smith", "t:2: more than TOKEN ROLE NAME"},
           {kLong + "1", "t:2: the token of line 1 again"},
           {kLong + "1 viewer", "t:2: the token of line 1 again"},
           {kLong + "\xc3\xa4", "t:2: a token has visible ASCII signs only"},
           {kLong + std::string(1, '\0'), "t:2: a token has visible ASCII signs only"},
           {kLong + " viewer b\xc3\xa4r", "t:2: a name has visible ASCII signs only"},
           {kLong + " admin gate", "t:2: the name gate is Tidegate's own"},
           {kLong + " admin " + std::string(65, 'n'), "t:2: a name is longer than 64 bytes"},
           {std::string(1025, 'x'), "t:2: a token is longer than 1024 bytes"}}) {
    const TokenFile read = parse_tokens(good + line + "\n", "t");
    EXPECT_EQ(read.errors, Lines{message});
  }
}

TEST(TokenFile, EveryProblemIsToldAtOnce) {
  EXPECT_EQ(parse_tokens(kLong + " x\n" + kLong + " y\n", "t").errors.size(), 2u);
}

TEST(TokenFile, WithoutAnyTokenThereIsNone) {
  EXPECT_EQ(parse_tokens("", "t").errors, Lines{"t: is empty"});
  EXPECT_EQ(parse_tokens("\n# a\n \r\n", "t").errors, Lines{"t: holds no token"});
}

TEST(TokenFile, AShortTokenIsTakenWithAWarning) {
  const TokenFile read = parse_tokens(kLong + "\n0123456789abcde viewer\n", "t");
  EXPECT_EQ(read.tokens.size(), 2u);
  EXPECT_EQ(read.warnings, Lines{"t:2: the token has fewer than 16 signs: it can be guessed (openssl rand -hex 16)"});
}

TEST(TokenFile, ThereAreAtMost256) {
  std::string text;
  for (int i = 0; i < 256; ++i) text += kLong + std::to_string(i) + '\n';
  EXPECT_EQ(parse_tokens(text, "t").errors, Lines{});
  EXPECT_EQ(parse_tokens(text + kLong + '\n', "t").errors, Lines{"t:257: more than 256 tokens"});
}

}  // namespace
}  // namespace tidegate::config
