#include "cli/command_line.h"

#include <gtest/gtest.h>

#include <map>

#include "cli/verbs.h"

namespace tidegate::cli {
namespace {

using namespace std::chrono_literals;

CommandLine parse(std::vector<std::string> arguments, std::map<std::string, std::string> variables = {}) {
  return parse_command_line(std::move(arguments), [variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

Options good(std::vector<std::string> arguments, std::map<std::string, std::string> variables = {}) {
  CommandLine line = parse(std::move(arguments), std::move(variables));
  EXPECT_TRUE(line.options.has_value()) << line.problem;
  return line.options.value_or(Options{});
}

/// The first line of the problem.
std::string bad(std::vector<std::string> arguments) {
  const CommandLine line = parse(std::move(arguments));
  EXPECT_FALSE(line.options.has_value());
  return line.problem.substr(0, line.problem.find('\n'));
}

TEST(CommandLine, VerbsTakeTheirArguments) {
  EXPECT_EQ(good({"run", "--config", "t.yaml"}).config, "t.yaml");
  EXPECT_EQ(good({"run", "-c", "t.yaml"}).verb, Verb::Run);
  EXPECT_TRUE(good({"validate", "--strict", "--config=t.yaml"}).strict);
  EXPECT_EQ(good({"status"}).route, "");
  EXPECT_TRUE(good({"status", "api", "-w"}).watch);
  EXPECT_EQ(good({"weight", "api", "12.5"}).percent, Weight::of_units(1250));
  EXPECT_EQ(good({"mirror", "api", "100%"}).percent, Weight::whole());
  EXPECT_TRUE(good({"revert", "--all"}).all);
  EXPECT_EQ(good({"explain", "17"}).id, 17u);
  EXPECT_EQ(good({"rearm", "api"}).route, "api");
  EXPECT_EQ(good({"history", "api", "--limit", "7"}).limit, 7u);
  EXPECT_EQ(good({"drain"}).verb, Verb::Drain);
  EXPECT_TRUE(good({"demo", "--plain"}).plain);
  EXPECT_EQ(good({"version"}).verb, Verb::Version);
  EXPECT_EQ(good({"--version"}).verb, Verb::Version);
}

TEST(CommandLine, OptionsOfEverywhereStandBeforeOrAfterTheVerb) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"--server", "http://edge:81", "-o", "json", "--timeout", "250ms", "--yes", "weight", "api", "10",
            "--reason", "x"},
           {"weight", "--server", "http://edge:81", "api", "-o", "json", "10", "--timeout", "250ms", "-y", "--reason",
            "x"},
           {"weight", "api", "10", "--server=http://edge:81", "-ojson", "--timeout=250ms", "--yes", "--reason=x"}}) {
    const Options options = good(arguments);
    EXPECT_EQ(options.verb, Verb::Weight);
    EXPECT_EQ(options.server.host, "edge");
    EXPECT_EQ(options.server.port, 81);
    EXPECT_EQ(options.format, Format::Json);
    EXPECT_EQ(options.timeout, 250ms);
    EXPECT_TRUE(options.yes);
    EXPECT_EQ(options.reason, "x");
    EXPECT_EQ(options.route, "api");
  }
}

TEST(CommandLine, DefaultsAreThoseOfTheContract) {
  const Options options = good({"status"});
  EXPECT_EQ(options.server.host, "127.0.0.1");
  EXPECT_EQ(options.server.port, 9900);
  EXPECT_EQ(options.timeout, 60s);
  EXPECT_EQ(options.format, Format::Table);
  EXPECT_TRUE(options.color);
  EXPECT_FALSE(options.yes);
}

TEST(CommandLine, TheEnvironmentNamesTheServerUnlessAnOptionDoes) {
  EXPECT_EQ(good({"status"}, {{"TIDEGATE_SERVER", "edge:81"}}).server.host, "edge");
  EXPECT_EQ(good({"status", "--server", "other:82"}, {{"TIDEGATE_SERVER", "edge:81"}}).server.host, "other");
  EXPECT_EQ(good({"status"}, {{"TIDEGATE_SERVER", ""}}).server.host, "127.0.0.1");
}

TEST(CommandLine, CertificatesOfHttpsComeFromOptionsThenFromTheEnvironment) {
  const std::map<std::string, std::string> environment{{"TIDEGATE_CA", "env.pem"}, {"TIDEGATE_CERT", "env.crt"}, {"TIDEGATE_KEY", "env.key"}};
  const Options given = good({"status", "--server", "https://edge", "--ca", "a.pem", "--cert", "b.crt", "--key", "b.key"}, environment);
  EXPECT_TRUE(given.server.https);
  EXPECT_EQ(given.tls, (outbound::TlsPolicy{true, "a.pem", "b.crt", "b.key"}));
  EXPECT_EQ(good({"status", "--server", "https://edge"}, environment).tls, (outbound::TlsPolicy{true, "env.pem", "env.crt", "env.key"}));
  EXPECT_EQ(good({"status"}, environment).tls, outbound::TlsPolicy{}) << "they are of no use for http";
  EXPECT_EQ(bad({"status", "--ca", "a.pem"}), "--ca, --cert and --key are for https: give --server https://HOST:PORT");
  EXPECT_EQ(bad({"status", "--server", "https://edge", "--cert", "b.crt"}), "--cert and --key belong together: both or none");
}

TEST(CommandLine, ColorIsTurnedOffByOptionOrEnvironment) {
  EXPECT_FALSE(good({"status", "--no-color"}).color);
  EXPECT_FALSE(good({"status"}, {{"NO_COLOR", "1"}}).color);
  EXPECT_TRUE(good({"status"}, {{"NO_COLOR", ""}}).color);
}

TEST(CommandLine, ARouteMayBeNamedLikeAVerb) {
  const Options options = good({"weight", "status", "10"});
  EXPECT_EQ(options.verb, Verb::Weight);
  EXPECT_EQ(options.route, "status");
}

TEST(CommandLine, AMisspelledVerbIsGuessed) {
  EXPECT_EQ(bad({"staus"}), "unknown verb \"staus\"; did you mean \"status\"?");
  EXPECT_EQ(bad({"wieght", "api", "10"}), "unknown verb \"wieght\"; did you mean \"weight\"?");
  EXPECT_EQ(bad({"xyzzy"}), "unknown verb \"xyzzy\"");
  EXPECT_EQ(bad({"help", "staus"}), "unknown verb \"staus\"; did you mean \"status\"?");
}

TEST(CommandLine, AMisspelledOptionIsGuessed) {
  EXPECT_EQ(bad({"status", "--sever", "http://x"}), "unknown option --sever; did you mean \"--server\"?");
  EXPECT_EQ(bad({"validate", "--confg=t.yaml"}), "unknown option --confg; did you mean \"--config\"?");
  EXPECT_EQ(bad({"weight", "api", "10", "--resaon", "x"}), "unknown option --resaon; did you mean \"--reason\"?");
  EXPECT_EQ(bad({"--sever", "x"}), "unknown option --sever; did you mean \"--server\"?");
  EXPECT_EQ(bad({"status", "-x"}), "unknown option -x");
}

TEST(CommandLine, WhatIsMissingOrTooMuchIsNamed) {
  EXPECT_EQ(bad({}), "which verb?");
  EXPECT_EQ(bad({"run"}), "run needs --config FILE");
  EXPECT_EQ(bad({"weight"}), "weight needs ROUTE");
  EXPECT_EQ(bad({"weight", "api"}), "weight needs PERCENT");
  EXPECT_EQ(bad({"weight", "api", "10", "11"}), "unexpected argument \"11\"");
  EXPECT_EQ(bad({"drain", "now"}), "unexpected argument \"now\"");
  EXPECT_EQ(bad({"revert"}), "revert needs ROUTE or --all, one of them");
  EXPECT_EQ(bad({"explain"}), "explain needs ID");
  EXPECT_EQ(bad({"explain", "api"}), "ID: \"api\" is not a number; it is the EPOCH of `tidegate history`");
  EXPECT_EQ(bad({"revert", "api", "--all"}), "revert needs ROUTE or --all, one of them");
  EXPECT_NE(bad({"status", "--server"}).find("--server"), std::string::npos);
}

TEST(CommandLine, ARolloutHasActions) {
  for (const RolloutWord& one : kRolloutWords) {
    const Options options = good({"rollout", std::string(one.word), "api"});
    EXPECT_EQ(options.verb, Verb::Rollout);
    EXPECT_EQ(options.action, one.action);
    EXPECT_EQ(options.route, "api");
    EXPECT_FALSE(options.timeout_given);
  }
  EXPECT_EQ(good({"rollout", "watch", "status"}).route, "status");
  EXPECT_TRUE(good({"rollout", "promote", "api", "--full"}).full);
  EXPECT_TRUE(good({"rollout", "status", "api", "--wait", "--timeout", "2h"}).wait);
  EXPECT_TRUE(good({"rollout", "status", "api", "--wait", "--timeout", "60s"}).timeout_given);
  EXPECT_EQ(good({"help", "rollout"}).help_about, Verb::Rollout);
  EXPECT_EQ(good({"rollout", "--help"}).help_about, Verb::Rollout);
}

TEST(CommandLine, AMisspelledActionIsGuessed) {
  EXPECT_EQ(bad({"rollout", "strat", "api"}), "unknown action \"strat\"; did you mean \"start\"?");
  EXPECT_EQ(bad({"rollout", "promot", "api"}), "unknown action \"promot\"; did you mean \"promote\"?");
  EXPECT_EQ(bad({"rollout", "xyzzy", "api"}),
            "unknown action \"xyzzy\"; it is one of start, status, watch, pause, resume, promote, abort, retry, undo");
  EXPECT_EQ(bad({"rollout", "api", "start"}), "the action stands first: tidegate rollout start api");
  EXPECT_EQ(bad({"rolout", "start", "api"}), "unknown verb \"rolout\"; did you mean \"rollout\"?");
}

TEST(CommandLine, OptionsOfARolloutStayWithTheirAction) {
  EXPECT_EQ(bad({"rollout"}), "rollout needs ACTION");
  EXPECT_EQ(bad({"rollout", "start"}), "rollout needs ROUTE");
  EXPECT_EQ(bad({"rollout", "start", "api", "now"}), "unexpected argument \"now\"");
  EXPECT_NE(bad({"rollout", "start", "api", "--full"}).find("--full goes with promote"), std::string::npos);
  EXPECT_NE(bad({"rollout", "watch", "api", "--wait"}).find("--wait goes with status"), std::string::npos);
  EXPECT_NE(bad({"rollout", "watch", "api", "-o", "json"}).find("status ROUTE --wait -o json"), std::string::npos);
  EXPECT_EQ(bad({"rollout", "status", "api", "--wiat"}), "unknown option --wiat; did you mean \"--wait\"?");
}

TEST(CommandLine, ValuesAreStrict) {
  for (const char* percent : {"101", "-5", "0.001", "ten", "1e1", "+5", "%"}) {
    EXPECT_NE(bad({"weight", "api", percent}).find("0 to 100 in steps of 0.01"), std::string::npos) << percent;
  }
  for (const char* timeout : {"60", "0s", "-1s", "soon", "5 s", "1y"}) {
    EXPECT_NE(bad({"status", "--timeout", timeout}).find("--timeout"), std::string::npos) << timeout;
  }
  EXPECT_EQ(bad({"status", "-o", "xml"}), "-o: \"xml\" is none of table, json, yaml");
  EXPECT_NE(bad({"history", "--limit", "0"}).find("--limit"), std::string::npos);
  EXPECT_NE(bad({"history", "--limit", "1001"}).find("--limit"), std::string::npos);
  EXPECT_NE(bad({"status", "--server", "ftp://x"}).find("only http:// and https://"), std::string::npos);
  EXPECT_NE(bad({"status", "-w", "-o", "json"}).find("--watch"), std::string::npos);
}

TEST(CommandLine, DurationsAreThoseOfTheConfiguration) {
  EXPECT_EQ(good({"status", "--timeout", "1.5m"}).timeout, 90s);
  EXPECT_EQ(good({"status", "--timeout", "1h"}).timeout, 1h);
}

TEST(CommandLine, HelpIsThereForAllAndForEach) {
  EXPECT_EQ(good({"--help"}).verb, Verb::Help);
  EXPECT_EQ(good({"help", "weight"}).help_about, Verb::Weight);
  EXPECT_EQ(good({"weight", "-h"}).help_about, Verb::Weight);
  for (const VerbText& verb : verb_texts()) {
    const std::string text = help_text(verb.verb);
    EXPECT_NE(text.find("usage: tidegate " + std::string(verb.usage)), std::string::npos);
    EXPECT_NE(help_text(std::nullopt).find(std::string(verb.summary)), std::string::npos);
  }
}

TEST(CommandLine, AFileWithoutItsOptionIsToldTheOption) {
  EXPECT_EQ(bad({"validate", "t.yaml"}), "unexpected argument \"t.yaml\"; the file has an option before it: tidegate validate --config t.yaml");
  EXPECT_EQ(bad({"run", "t.yaml"}), "unexpected argument \"t.yaml\"; the file has an option before it: tidegate run --config t.yaml");
  EXPECT_EQ(bad({"run", "--config", "a", "b"}), "unexpected argument \"b\"");
  EXPECT_EQ(bad({"drain", "t.yaml"}), "unexpected argument \"t.yaml\"");
}

TEST(CommandLine, HelpIsReadableInSmallTerminals) {
  for (const VerbText& verb : verb_texts()) {
    const std::string text = help_text(verb.verb) + help_text(std::nullopt);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      EXPECT_LE(end - at, 82u) << text.substr(at, end - at);
      at = end + 1;
    }
  }
}

}  // namespace
}  // namespace tidegate::cli
