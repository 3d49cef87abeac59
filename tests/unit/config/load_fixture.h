// What the tests of the loader share: a file that works, edits of it, and problems as text. No test here opens a socket
// or depends on the environment of the machine: variables come from a map.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"

namespace tidegate::config {

inline Environment environment_of(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
}

inline Loaded load(std::string_view yaml, std::map<std::string, std::string> variables = {}) {
  return load_text(yaml, "t.yaml", environment_of(std::move(variables)));
}

/// Every problem, one a line, as people see them.
inline std::string text_of(const Loaded& loaded) {
  std::string out;
  for (const Problem& problem : loaded.problems) out += to_string(problem) + '\n';
  return out;
}

inline constexpr std::string_view kListeners = "listeners: [{address: '127.0.0.1:0'}]\n";
inline constexpr std::string_view kClusters =
    "clusters: {old: {endpoints: ['127.0.0.1:9001']}, new: {endpoints: ['127.0.0.1:9002']}}\n";
inline constexpr std::string_view kRoutes = "routes: [{name: all}]\n";

/// The parts that a file must have, on lines 1 to 3, and then `more`.
inline std::string with(std::string_view more) {
  return std::string(kListeners) + std::string(kClusters) + std::string(kRoutes) + std::string(more);
}
/// One route, on line 3, with these keys beside its name.
inline std::string with_route(std::string_view keys) {
  return std::string(kListeners) + std::string(kClusters) + "routes: [{name: all, " + std::string(keys) + "}]\n";
}
inline std::string with_listener(std::string_view keys) {
  return "listeners: [{address: '127.0.0.1:0', " + std::string(keys) + "}]\n" + std::string(kClusters) +
         std::string(kRoutes);
}
inline std::string with_new_cluster(std::string_view keys) {
  return std::string(kListeners) + "clusters: {old: {endpoints: ['127.0.0.1:9001']}, new: {" + std::string(keys) +
         "}}\n" + std::string(kRoutes);
}

inline Config good(std::string_view yaml, std::map<std::string, std::string> variables = {}) {
  Loaded loaded = load(yaml, std::move(variables));
  EXPECT_TRUE(loaded.config.has_value()) << yaml << '\n' << text_of(loaded);
  return loaded.config.value_or(Config{});
}

/// The problems of a file that has an error.
inline std::string bad(std::string_view yaml, std::map<std::string, std::string> variables = {}) {
  const Loaded loaded = load(yaml, std::move(variables));
  EXPECT_FALSE(loaded.config.has_value()) << yaml;
  return text_of(loaded);
}

/// The warnings of a file that has no error.
inline std::string warned(std::string_view yaml) {
  const Loaded loaded = load(yaml);
  EXPECT_TRUE(loaded.config.has_value()) << yaml << '\n' << text_of(loaded);
  return text_of(loaded);
}

inline std::string file_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << path;
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

inline testing::AssertionResult contains(const std::string& text, std::string_view part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << '"' << part << "\" is not in:\n" << text;
}

}  // namespace tidegate::config
