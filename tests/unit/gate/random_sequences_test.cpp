// Differential test: random parameters and traffic (random_sequences.txt) against the reference's answers.
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "gate/feed.h"

namespace tidegate::gate {
namespace {

constexpr std::array kDecisions{Decision::Hold, Decision::Revert, Decision::Promote};
constexpr std::array kReasons{Reason::Observing,   Reason::NoData,            Reason::HardBreaker,  Reason::ErrorRate,
                              Reason::Attribution, Reason::SharedDegradation, Reason::WorseThanOld, Reason::Promote};

struct Sequence {
  std::string name;
  test::Setup setup;
  std::vector<Counts> ticks;
  std::size_t tick = 0, decision = 0, reason = 0;
  std::array<double, 4> after{}, before{};
};

Counts parse_tick(const std::string& text) {
  std::istringstream in(text);
  Counts c;
  char comma = 0;
  in >> c.new_total >> comma >> c.new_failures >> comma >> c.old_total >> comma >> c.old_failures;
  return c;
}

std::vector<Sequence> read_sequences() {
  std::ifstream file(TIDEGATE_SOURCE_DIR "/tests/unit/gate/random_sequences.txt");
  std::vector<Sequence> out;
  for (std::string line; std::getline(file, line);) {
    std::istringstream in(line);
    std::string word;
    in >> word;
    if (word == "sequence") {
      in >> out.emplace_back().name;
      while (in >> word) {
        const auto at = word.find('=');
        EXPECT_TRUE(out.back().setup.set(word.substr(0, at), std::stod(word.substr(at + 1)))) << word;
      }
    } else if (word == "ticks") {
      while (in >> word) {
        const auto star = word.find('*');
        const std::size_t repeat = star == std::string::npos ? 1 : std::stoul(word);
        out.back().ticks.insert(out.back().ticks.end(), repeat,
                                parse_tick(star == std::string::npos ? word : word.substr(star + 1)));
      }
    } else if (word == "expect") {
      Sequence& s = out.back();
      in >> s.tick >> s.decision >> s.reason;
      for (double& v : s.after) in >> word, v = std::stod(word);
      for (double& v : s.before) in >> word, v = std::stod(word);
    }
  }
  return out;
}

bool same(const Statistics& is, const std::array<double, 4>& wanted) {
  return test::same_statistic(is.s_new, wanted[0]) && test::same_statistic(is.s_old, wanted[1]) &&
         test::same_statistic(is.s_rel, wanted[2]) && test::same_statistic(is.s_prom, wanted[3]);
}

TEST(GateRandomSequences, GiveTheReferencesAnswers) {
  const std::vector<Sequence> sequences = read_sequences();
  ASSERT_GE(sequences.size(), 100u);
  for (const Sequence& s : sequences) {
    SCOPED_TRACE(s.name);
    Gate gate(s.setup.parameters, s.setup.new_weight);
    Ruling ruling;
    Statistics before;
    std::size_t tick = 0;
    for (const Counts& c : s.ticks) {
      before = gate.statistics();
      ruling = gate.tick(c, s.setup.tick_s);
      ++tick;
      if (ruling.decision != Decision::Hold) break;
    }
    EXPECT_EQ(tick, s.tick);
    EXPECT_EQ(ruling.decision, kDecisions.at(s.decision));
    EXPECT_EQ(ruling.reason, kReasons.at(s.reason));
    EXPECT_TRUE(same(ruling.statistics, s.after));
    EXPECT_TRUE(same(before, s.before));
  }
}

}  // namespace
}  // namespace tidegate::gate
