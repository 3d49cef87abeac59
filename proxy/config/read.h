// Scalar values into fields, with a range. The bounds are written as the file would write them ("1KiB"), so that a
// key's line in its table, its line in config/README.md and the message all show the same text. A field keeps its
// default when the value is bad; the problem is reported.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/weight.h"
#include "config/suggest.h"
#include "config/value.h"

namespace tidegate::config {

/// Both ends belong to it.
struct Range {
  std::string_view least;
  std::string_view most;
};

void read_duration(const Value& value, Duration& out, Range range);
void read_seconds(const Value& value, double& out, Range range);  ///< a duration, for those who count in seconds
void read_size(const Value& value, std::uint64_t& out, Range range);
void read_share(const Value& value, double& out, Range range);    ///< a percentage as 0..1
void read_weight(const Value& value, Weight& out);                ///< 0..100 in steps of 0.01
void read_rate(const Value& value, double& out, Range range);     ///< a second
void read_number(const Value& value, double& out, Range range);
void read_integer(const Value& value, std::uint64_t& out, Range range);
void read_integer(const Value& value, std::uint32_t& out, Range range);
void read_bool(const Value& value, bool& out);

/// Any text but an empty one.
void read_text(const Value& value, std::string& out, std::string_view expected);

/// A name of ours: letters, digits, "-", "_", ".", at most kNameBytes, not only dots.
void read_name(const Value& value, std::string& out);
/// The same rule for a key of a mapping; empty when the name is good.
std::string name_error(std::string_view name);

template <class T>
struct Choice {
  std::string_view word;
  T meaning;
};

/// Reports `"x" is not one of a, b, c`, with a suggestion; or that this version lacks it (unsupported.h).
void fail_choice(const Value& value, std::string_view word, std::span<const std::string_view> words);

/// One word of a table. True when `out` was set.
template <class T, std::size_t N>
bool read_choice(const Value& value, T& out, const std::array<Choice<T>, N>& choices) {
  std::array<std::string_view, N> words;
  for (std::size_t i = 0; i < N; ++i) words[i] = choices[i].word;
  const auto text = value.text("a word");
  if (!text) return false;
  for (const Choice<T>& choice : choices) {
    if (choice.word != *text) continue;
    out = choice.meaning;
    return true;
  }
  fail_choice(value, *text, words);
  return false;
}

/// `read(item)` for every item of a list that is not empty.
template <std::invocable<const Value&> Read>
void read_list(const Value& value, Read read) {
  if (!value.is_list()) return;
  for (std::size_t i = 0; i < value.node().items.size(); ++i) read(value.item(i));
}

}  // namespace tidegate::config
