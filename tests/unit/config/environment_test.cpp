#include "config/environment.h"

#include "config/load_fixture.h"

namespace tidegate::config {
namespace {

std::string expanded(std::string_view text, std::map<std::string, std::string> variables) {
  const Expanded out = expand(text, environment_of(std::move(variables)));
  EXPECT_TRUE(out.errors.empty()) << text;
  return out.text;
}

TEST(Expansion, PutsVariablesIntoText) {
  EXPECT_EQ(expanded("${HOST}:${PORT}", {{"HOST", "lb"}, {"PORT", "80"}}), "lb:80");
  EXPECT_EQ(expanded("a$b $ {x} $$", {}), "a$b $ {x} $$");
}

TEST(Expansion, UsesTheDefaultWhenAVariableIsNotSetOrEmpty) {
  EXPECT_EQ(expanded("${A:-x}", {}), "x");
  EXPECT_EQ(expanded("${A:-x}", {{"A", ""}}), "x");
  EXPECT_EQ(expanded("${A:-x}", {{"A", "y"}}), "y");
  EXPECT_EQ(expanded("${A:-}", {}), "");
  EXPECT_EQ(expanded("${A}", {{"A", ""}}), "");
}

TEST(Expansion, TakesADoubledDollarForALiteralOne) {
  EXPECT_EQ(expanded("$${A}", {{"A", "x"}}), "${A}");
  EXPECT_EQ(expanded("${A}$${A}${A}", {{"A", "x"}}), "x${A}x");
}

TEST(Expansion, IsDoneOnce) { EXPECT_EQ(expanded("${A}", {{"A", "${A}${B}"}}), "${A}${B}"); }

TEST(Expansion, NamesWhatIsWrong) {
  const auto error = [](std::string_view text) {
    const Expanded out = expand(text, environment_of({{"BAD", "\xFF"}}));
    return out.errors.empty() ? std::string() : out.errors.front();
  };
  EXPECT_EQ(error("${NOPE}"), "the environment variable NOPE is not set; ${NOPE:-default} would give a default");
  EXPECT_EQ(error("${A"), "\"${\" without \"}\"; $${ stands for a literal ${");
  EXPECT_EQ(error("${}"), "${...} around \"\", which names no variable; $${ stands for a literal ${");
  EXPECT_EQ(error("${1A}"), "${...} around \"1A\", which names no variable; $${ stands for a literal ${");
  EXPECT_EQ(error("${a\n}"), "${...} around \"a\\x0a\", which names no variable; $${ stands for a literal ${");
  EXPECT_EQ(error("${BAD}"), "the environment variable BAD is too long or not UTF-8");
}

TEST(Load, ExpandsTheEnvironmentInValues) {
  const Config config = good(with_route("weight: \"${WEIGHT}\", timeout: \"${T:-3s}\""), {{"WEIGHT", "12.5%"}});
  EXPECT_EQ(config.routes[0].policy.weight, Weight::of_units(1250));
  EXPECT_EQ(config.routes[0].policy.timeout, std::chrono::seconds(3));
}

TEST(Load, NamesAMissingVariableWithItsPlace) {
  EXPECT_EQ(bad(with("log: {level: \"${LEVEL}\"}\n")),
            "t.yaml:4:14: log.level: the environment variable LEVEL is not set; ${LEVEL:-default} would give a default\n");
}

TEST(Load, NeverExpandsKeysAndNeverReadsAVariableAsYaml) {
  EXPECT_TRUE(contains(bad(with("\"${A}\": 1\n"), {{"A", "workers"}}), "unknown key"));
  EXPECT_TRUE(contains(bad(with("workers: ${A}\n"), {{"A", "{a: 1}"}}), "\"{a: 1}\" is not a whole number"));
}

TEST(Load, BoundsWhatVariablesAdd) {
  std::string list = "trusted_proxies: [";
  for (int i = 0; i < 200; ++i) list += "\"${BIG}\", ";
  EXPECT_TRUE(contains(bad(with(list + "]\n"), {{"BIG", std::string(60'000, '1')}}), "hold too much text"));
}

TEST(Load, PutsTheStateBesideTheFileUnlessSystemdGivesAPlace) {
  const auto state_path = [](const std::string& file, std::map<std::string, std::string> variables) {
    return load_text(with(""), file, environment_of(std::move(variables))).config.value().state.path;
  };
  EXPECT_EQ(state_path("/etc/tidegate/t.yaml", {}), "/etc/tidegate/tidegate.db");
  EXPECT_EQ(state_path("t.yaml", {}), "tidegate.db");
  EXPECT_EQ(state_path("t.yaml", {{"STATE_DIRECTORY", "/var/lib/tidegate:/var/lib/other"}}),
            "/var/lib/tidegate/tidegate.db");
  EXPECT_EQ(good(with("state: {path: x.db}\n"), {{"STATE_DIRECTORY", "/s"}}).state.path, "x.db");
}

}  // namespace
}  // namespace tidegate::config
