// What the loader refuses before and while it reads sections: bytes, YAML, keys, types.
#include "config/load_fixture.h"

namespace tidegate::config {
namespace {

TEST(Strict, AnUnknownKeyComesWithTheNearestName) {
  EXPECT_EQ(bad(with_route("wieght: 10")), "t.yaml:3:22: routes[0].wieght: unknown key; did you mean \"weight\"?\n");
  EXPECT_EQ(bad(with("frobnicate: 1\n")), "t.yaml:4:1: frobnicate: unknown key\n");
  EXPECT_EQ(bad(with_listener("limits: {header_byte: 1KiB}")),
            "t.yaml:1:47: listeners[0].limits.header_byte: unknown key; did you mean \"header_bytes\"?\n");
}

TEST(Strict, AKeyOfAnotherSectionSaysWhereItBelongs) {
  EXPECT_EQ(bad(with_listener("tls: {cert: a, key: b}")),
            "t.yaml:1:44: listeners[0].tls.cert: unknown key here; it belongs to listeners[].tls.certificates[]\n"
            "t.yaml:1:53: listeners[0].tls.key: unknown key here; it belongs to listeners[].tls.certificates[]\n")
      << "and that certificates is missing is the same problem";
  EXPECT_EQ(bad(with_route("match: {prefix: /api}")),
            "t.yaml:3:30: routes[0].match.prefix: unknown key here; it belongs to routes[].match.path or "
            "routes[].match.headers.NAME\n");
  EXPECT_EQ(bad(with_route("max_error_rate: 1%")),
            "t.yaml:3:22: routes[0].max_error_rate: unknown key here; it belongs to routes[].gate\n");
  EXPECT_EQ(bad(with("weight: 5\n")), "t.yaml:4:1: weight: unknown key here; it belongs to routes[]\n");
  EXPECT_EQ(bad(with_route("drain: {}")), "t.yaml:3:22: routes[0].drain: unknown key here; it belongs to the top of the file\n");
}

TEST(Strict, AMisspeltKeyIsOneProblemEvenWhenItIsRequired) {
  EXPECT_EQ(bad(with_new_cluster("endpoint: ['a:1']")),
            "t.yaml:2:56: clusters.new.endpoint: unknown key; did you mean \"endpoints\"?\n");
  EXPECT_TRUE(contains(bad(with_new_cluster("frob: 1")), "clusters.new: \"endpoints\" is missing"));
}

TEST(Strict, AVariableInFlowStyleWantsQuotes) {
  const std::string quotes = "YAML syntax: a value with ${...} inside of [...] or {...} has to be in quotes, as \"${NAME}\"";
  EXPECT_TRUE(contains(bad(with("trusted_proxies: [${NET}]\n")), "t.yaml:4:20: " + quotes));
  EXPECT_TRUE(contains(bad(with("drain: {delay: ${DELAY:-5s}, timeout: 5s}\n")), "t.yaml:4:17: " + quotes));
  EXPECT_TRUE(contains(bad(with("trusted_proxies:\n  [a,\r\n   10.0.0.0/${BITS}]\n")), "t.yaml:6:14: " + quotes));
  EXPECT_TRUE(load(with("trusted_proxies: [\"${NET}\"]\ndrain:\n  delay: ${DELAY:-5s}\n"), {{"NET", "::1"}}).config.has_value());
  EXPECT_FALSE(contains(bad(with("trusted_proxies: [{a]\n")), "in quotes"));
}

TEST(Strict, ADuplicateKeyIsAnErrorAtAnyDepth) {
  EXPECT_EQ(bad(with("workers: 1\nworkers: 2\n")), "t.yaml:5:1: workers: duplicate key; the first is in line 4\n");
  EXPECT_EQ(bad(with_route("gate: {no_data: 5s, no_data: 6s}")),
            "t.yaml:3:42: routes[0].gate.no_data: duplicate key; the first is in line 3\n");
  EXPECT_EQ(bad(with_route("request_headers: {set: {a: b, \"a\": c}}")),
            "t.yaml:3:52: routes[0].request_headers.set.a: duplicate key; the first is in line 3\n");
}

TEST(Strict, AKeyMustBeAText) {
  EXPECT_TRUE(contains(bad(with("? [a, b]\n: 1\n")), "t.yaml:4:3: a key must be a text\n"));
  EXPECT_TRUE(contains(bad(with("~: 1\n")), "t.yaml:4:1: a key must be a text\n"));
}

TEST(Strict, AliasesAndAnchorsAreRefusedWhereTheyStand) {
  EXPECT_EQ(bad(with("drain: &d {delay: 1s}\nlog: *d\n")),
            "t.yaml:4:8: anchors (&name) are not supported; write the value out where it is used\n"
            "t.yaml:5:6: aliases (*name) are not supported; write the value out\n");
}

TEST(Strict, AnAliasBombIsOnlyAListOfProblems) {
  std::string bomb = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 40; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before + ", " + before + "]\n";
  }
  EXPECT_TRUE(contains(bad(bomb), "aliases (*name) are not supported"));
}

TEST(Strict, TagsAreRefused) {
  EXPECT_EQ(bad(with("workers: !!int 4\n")), "t.yaml:4:10: tags (\"tag:yaml.org,2002:int\") are not supported\n");
}

TEST(Strict, OneDocumentIsAllThatAFileMayHold) {
  EXPECT_TRUE(load("---\n" + with("") + "...\n").config.has_value());
  EXPECT_TRUE(contains(bad(with("") + "---\nworkers: 2\n"), "a second document; a configuration is one"));
}

TEST(Strict, ASyntaxErrorHasItsLineAndColumn) {
  const Loaded loaded = load(with("log: {level: info\nworkers: 1\n"));
  ASSERT_EQ(loaded.problems.size(), 1u);
  EXPECT_GE(loaded.problems[0].line, 4);
  EXPECT_GT(loaded.problems[0].column, 0);
  EXPECT_TRUE(contains(text_of(loaded), "YAML syntax: "));
}

TEST(Strict, TabsDoNotIndent) {
  EXPECT_EQ(bad("listeners:\n  - address: 1\n\t  name: x\n"),
            "t.yaml:3:1: tab in the indentation; YAML wants spaces\n");
  EXPECT_TRUE(load(with("\t\n\t# a comment\ndrain: {delay:\t1s}\n")).config.has_value());
}

TEST(Strict, BytesThatAreNoTextAreRefusedBeforeParsing) {
  EXPECT_EQ(bad(with("log: {level: \xFF}\n")), "t.yaml:4:14: not UTF-8 from here on\n");
  EXPECT_EQ(bad(with(std::string("log: \0", 6))), "t.yaml:4:6: NUL character\n");
  EXPECT_EQ(bad(with("log: \x1b[2J\n")), "t.yaml:4:6: control character\n");
  EXPECT_TRUE(load("\xEF\xBB\xBF" + with("")).config.has_value()) << "a byte order mark is no character";
  std::string dos = with("");
  for (std::size_t at = 0; (at = dos.find('\n', at)) != std::string::npos; at += 2) dos.insert(at, "\r");
  EXPECT_TRUE(load(dos).config.has_value()) << "neither are line ends of another system";
}

TEST(Strict, AFileWithoutContentIsEmpty) {
  for (const char* text : {"", "\n", "# only a comment\n", "---\n", "~\n"}) {
    EXPECT_EQ(bad(text), "t.yaml:1:1: the file is empty\n") << text;
  }
}

TEST(Strict, ARootThatIsNoMappingIsOneProblem) {
  EXPECT_EQ(bad("hello\n"), "t.yaml:1:1: expects keys, got a single value\n");
  EXPECT_EQ(bad("- a\n"), "t.yaml:1:1: expects keys, got a list\n");
}

TEST(Strict, DepthSizeAndCountAreBounded) {
  EXPECT_TRUE(contains(bad(with("x: " + std::string(10'000, '['))), "nested deeper than 24 levels"));
  EXPECT_TRUE(contains(bad(with("x: " + std::string(10'000, '{'))), "nested deeper than 24 levels"));
  std::string dashes = "x:\n";
  for (int i = 0; i < 5'000; ++i) dashes += "- ";
  EXPECT_TRUE(contains(bad(dashes), "nested deeper than 24 levels"));
  EXPECT_EQ(bad(std::string(5u << 20, '#')), "t.yaml: larger than 4MiB\n");
  EXPECT_TRUE(contains(bad("x: " + std::string(70'000, 'a') + "\n"), "a value longer than 65536B"));
  EXPECT_TRUE(contains(bad("? " + std::string(300, 'a') + "\n: 1\n"), "a key longer than 256B"));
  std::string items = "x: [";
  for (int i = 0; i < 600'000; ++i) items += "a,";
  EXPECT_TRUE(contains(bad(items + "]\n"), "more than 500000 values"));
}

TEST(Strict, SoIsTheNumberOfProblems) {
  std::string many;
  for (int i = 0; i < 3'000; ++i) many += "k" + std::to_string(i) + ": 1\n";
  const Loaded loaded = load(with(many));
  EXPECT_EQ(loaded.problems.size(), 1'001u);
  EXPECT_EQ(to_string(loaded.problems.back()), "t.yaml: and 2000 more problems");
}

TEST(Strict, TypesAreNotConverted) {
  EXPECT_EQ(bad(with("workers: [1]\n")), "t.yaml:4:10: workers: expects a whole number, got a list\n");
  EXPECT_EQ(bad(with("workers: 0777\n")),
            "t.yaml:4:10: workers: \"0777\" is not a whole number: a leading zero (octal?) is not taken\n");
  EXPECT_EQ(bad(with("drain: 5s\n")), "t.yaml:4:8: drain: expects keys, got a single value\n");
  EXPECT_EQ(bad(with("drain:\n")), "t.yaml:4:1: drain: expects keys, got nothing\n");
  EXPECT_EQ(bad(with_route("retry: {other_side: yes}")),
            "t.yaml:3:42: routes[0].retry.other_side: \"yes\" is not true or false; did you mean true?\n");
  EXPECT_EQ(bad(with("state: {path: ''}\n")), "t.yaml:4:15: state.path: expects a file, got an empty text\n");
}

TEST(Strict, EmptyListsAreSlips) {
  EXPECT_EQ(bad(with("trusted_proxies: []\n")), "t.yaml:4:18: trusted_proxies: the list is empty\n");
  EXPECT_TRUE(contains(bad("listeners: []\nclusters: {}\nroutes: []\n"),
                       "t.yaml:1:12: listeners: the list is empty\nt.yaml:2:11: clusters: no cluster is given\n"
                       "t.yaml:3:9: routes: the list is empty\n"));
}

TEST(Strict, RangesAreSaidInTheUnitsOfTheKey) {
  EXPECT_EQ(bad(with_listener("limits: {header_bytes: 2MiB}")),
            "t.yaml:1:61: listeners[0].limits.header_bytes: \"2MiB\" is out of range 1KiB..1MiB\n");
  EXPECT_EQ(bad(with("workers: 257\n")), "t.yaml:4:10: workers: \"257\" is out of range 1..256\n");
  EXPECT_EQ(bad(with_route("weight: 101")), "t.yaml:3:30: routes[0].weight: \"101\" is out of range 0..100 percent\n");
  EXPECT_EQ(bad(with_route("timeout: 30")),
            "t.yaml:3:31: routes[0].timeout: \"30\" has no unit; write 30s or 30ms\n");
}

TEST(Strict, AllProblemsComeAtOnceInTheOrderOfTheFile) {
  const std::string problems = bad(
      "workers: many\n"
      "listeners:\n"
      "  - name: web\n"
      "    limits: {headers: 0}\n"
      "clusters:\n"
      "  old: {endpoints: [\"lb\"]}\n"
      "  new: {endpoint: [\"lb:80\"]}\n"
      "routes:\n"
      "  - name: api\n"
      "    weight: 10.001\n"
      "    new: nwe\n"
      "  - weight: 1\n"
      "drain: {delay: soon}\n");
  EXPECT_EQ(problems,
            "t.yaml:1:10: workers: \"many\" is not a whole number\n"
            "t.yaml:3:5: listeners[0]: \"address\" is missing\n"
            "t.yaml:4:23: listeners[0].limits.headers: \"0\" is out of range 1..1000\n"
            "t.yaml:6:21: clusters.old.endpoints[0]: \"lb\" has no port; write \"lb:PORT\"\n"
            "t.yaml:7:9: clusters.new.endpoint: unknown key; did you mean \"endpoints\"?\n"
            "t.yaml:10:13: routes[0].weight: \"10.001\" is finer than 0.01 percent\n"
            "t.yaml:11:10: routes[0].new: no cluster is named \"nwe\"; did you mean \"new\"?\n"
            "t.yaml:12:5: routes[1]: \"name\" is missing\n"
            "t.yaml:12:5: warning: routes[1]: can never match: the first match wins, and route \"api\" before it takes all of "
            "its requests\n"
            "t.yaml:13:16: drain.delay: \"soon\" is not a duration such as 250ms, 5s, 5m, 1h or 7d\n");
}

}  // namespace
}  // namespace tidegate::config
