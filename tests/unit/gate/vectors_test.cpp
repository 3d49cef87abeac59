// The rule's 22 test vectors: tick, decision, reason, the statistics after it and before it, the counts behind a revert
// and every tick at which the ruling changes.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "gate/feed.h"

namespace tidegate::gate {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

const value& document() {
  static const value parsed = [] {
    std::ifstream file(TIDEGATE_SOURCE_DIR "/tests/unit/gate/vectors.json");
    std::stringstream text;
    text << file.rdbuf();
    return boost::json::parse(text.str());
  }();
  return parsed;
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const value& vector : document().at("vectors").as_array()) out.emplace_back(vector.at("name").as_string());
  return out;
}

const object& vector_named(const std::string& name) {
  for (const value& vector : document().at("vectors").as_array()) {
    if (vector.at("name").as_string() == name) return vector.as_object();
  }
  throw std::out_of_range(name);
}

std::uint64_t count(const value& v) { return v.to_number<std::uint64_t>(); }

Counts counts(const value& tick) {
  const array& t = tick.as_array();
  return {count(t[0]), count(t[1]), count(t[2]), count(t[3])};
}

std::vector<Counts> ticks_of(const object& vector) {
  std::vector<Counts> out;
  for (const value& block : vector.at("ticks").as_array()) {
    for (std::uint64_t i = 0; i < count(block.at("repeat")); ++i) {
      for (const value& tick : block.at("ticks").as_array()) out.push_back(counts(tick));
    }
  }
  return out;
}

void expect_statistics(const Statistics& actual, const value& expected, const char* when) {
  const auto check = [&](const char* name, double is) {
    const value& v = expected.at(name);
    const double wanted = v.is_null() ? std::numeric_limits<double>::quiet_NaN() : v.to_number<double>();
    EXPECT_TRUE(test::same_statistic(is, wanted)) << name << " " << when << ": " << is << ", expected " << wanted;
  };
  check("s_new", actual.s_new);
  check("s_old", actual.s_old);
  check("s_rel", actual.s_rel);
  check("s_prom", actual.s_prom);
}

class GateVector : public testing::TestWithParam<std::string> {};

TEST_P(GateVector, GivesTheReferencesAnswer) {
  const object& vector = vector_named(GetParam());
  test::Setup setup;
  for (const auto& [name, v] : vector.at("params").as_object()) {
    ASSERT_TRUE(setup.set(name, v.to_number<double>())) << name;
  }
  std::map<std::uint64_t, double> weights;
  for (const value& change : vector.at("weight_changes").as_array()) {
    weights[count(change.at(0))] = change.at(1).to_number<double>();
  }

  Gate gate(setup.parameters, setup.new_weight);
  Ruling ruling;
  Statistics before;
  std::uint64_t tick = 0;
  array trace;
  for (const Counts& c : ticks_of(vector)) {
    if (const auto weight = weights.find(tick); weight != weights.end()) gate.step(weight->second);
    before = gate.statistics();
    ruling = gate.tick(c, setup.tick_s);
    ++tick;
    const std::string decision(name(ruling.decision)), reason(name(ruling.reason));
    if (trace.empty() || trace.back().at(1).as_string() != decision || trace.back().at(2).as_string() != reason) {
      trace.push_back(array{tick, decision, reason});
    }
    if (ruling.decision != Decision::Hold) break;
  }

  const value& expected = vector.at("expect");
  EXPECT_EQ(tick, count(expected.at("tick")));
  EXPECT_EQ(name(ruling.decision), expected.at("decision").as_string());
  EXPECT_EQ(name(ruling.reason), expected.at("reason").as_string());
  expect_statistics(ruling.statistics, expected, "after");
  expect_statistics(before, vector.at("tick_before"), "before");
  if (!expected.at("window").is_null()) {
    ASSERT_TRUE(ruling.window);
    const Counts& w = ruling.window->counts;
    EXPECT_EQ((array{w.new_total, w.new_failures, w.old_total, w.old_failures}), expected.at("window"));
  } else {
    EXPECT_NE(ruling.decision, Decision::Revert);
  }
  EXPECT_EQ(value(trace), vector.at("trace"));
}

INSTANTIATE_TEST_SUITE_P(Vectors, GateVector, testing::ValuesIn(names()),
                         [](const auto& vector) { return vector.param; });

TEST(GateVectors, ThereAre22WithTheThresholdsOfTheDefaults) {
  EXPECT_EQ(names().size(), 22u);
  const Gate gate(Parameters{}, 0.5);
  EXPECT_NEAR(gate.h_new(), document().at("h_new").to_number<double>(), 1e-6);
  EXPECT_NEAR(gate.h_rel(), document().at("h_rel").to_number<double>(), 1e-6);
  EXPECT_NEAR(gate.h_prom(), document().at("h_prom").to_number<double>(), 1e-6);
}

}  // namespace
}  // namespace tidegate::gate
