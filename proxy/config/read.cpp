#include "config/read.h"

#include <algorithm>

#include "config/limits.h"
#include "config/scalars.h"
#include "config/text_rules.h"
#include "config/unsupported.h"

namespace tidegate::config {
namespace {

/// The value when it is good and in its range.
template <class T>
std::optional<T> read_within(const Value& value, std::string_view expected, Parsed<T> (*parse)(std::string_view),
                             Range range) {
  const auto text = value.text(expected);
  if (!text) return std::nullopt;
  Parsed<T> parsed = parse(*text);
  if (!parsed) {
    value.fail(std::move(parsed.error));
    return std::nullopt;
  }
  const T least = parse(range.least).value.value();
  const T most = parse(range.most).value.value();
  if (*parsed.value < least || most < *parsed.value) {
    value.fail(in_quotes(*text) + " is out of range " + std::string(range.least) + ".." + std::string(range.most));
    return std::nullopt;
  }
  return parsed.value;
}

}  // namespace

void read_duration(const Value& value, Duration& out, Range range) {
  out = read_within(value, "a duration such as 5s", parse_duration, range).value_or(out);
}

void read_seconds(const Value& value, double& out, Range range) {
  const auto duration = read_within(value, "a duration such as 5s", parse_duration, range);
  if (duration) out = seconds(*duration);
}

void read_size(const Value& value, std::uint64_t& out, Range range) {
  out = read_within(value, "a size such as 64KiB", parse_size, range).value_or(out);
}

void read_share(const Value& value, double& out, Range range) {
  out = read_within(value, "a percentage such as 1%", parse_share, range).value_or(out);
}

void read_weight(const Value& value, Weight& out) {
  out = read_within(value, "a percentage such as 10", parse_weight, {"0", "100"}).value_or(out);
}

void read_rate(const Value& value, double& out, Range range) {
  out = read_within(value, "a rate such as 500/s", parse_rate, range).value_or(out);
}

void read_number(const Value& value, double& out, Range range) {
  out = read_within(value, "a number", parse_number, range).value_or(out);
}

void read_integer(const Value& value, std::uint64_t& out, Range range) {
  out = read_within(value, "a whole number", parse_integer, range).value_or(out);
}

void read_integer(const Value& value, std::uint32_t& out, Range range) {
  std::uint64_t wide = out;
  read_integer(value, wide, range);
  out = static_cast<std::uint32_t>(wide);
}

void read_bool(const Value& value, bool& out) {
  const auto text = value.text("true or false");
  if (!text) return;
  const Parsed<bool> parsed = parse_bool(*text);
  if (!parsed) value.fail(parsed.error);
  out = parsed.value.value_or(out);
}

void read_text(const Value& value, std::string& out, std::string_view expected) {
  const auto text = value.text(expected);
  if (!text) return;
  if (text->empty() || text->find('\0') != std::string_view::npos) {
    value.fail("expects " + std::string(expected) + (text->empty() ? ", got an empty text" : ", got a NUL in it"));
  } else {
    out = *text;
  }
}

std::string name_error(std::string_view name) {
  if (!is_label(name)) return in_quotes(name) + " is not a name: letters, digits, \"-\", \"_\" and \".\" only";
  if (name.size() > kNameBytes) return in_quotes(name) + " is longer than " + std::to_string(kNameBytes) + " bytes";
  if (std::all_of(name.begin(), name.end(), [](char c) { return c == '.'; })) {
    return in_quotes(name) + " cannot be a part of a URL";
  }
  if (name == "none") return "\"none\" cannot be a name: metrics use it for requests without a route or side";
  return {};
}

void read_name(const Value& value, std::string& out) {
  const auto text = value.text("a name");
  if (!text) return;
  std::string error = name_error(*text);
  if (error.empty()) {
    out = *text;
  } else {
    value.fail(std::move(error));
  }
}

void fail_choice(const Value& value, std::string_view word, std::span<const std::string_view> words) {
  if (is_unsupported_value(value.path(), word)) {
    return value.fail(in_quotes(word) + " is " + std::string(kNotSupported));
  }
  std::string list;
  for (const std::string_view known : words) list += (list.empty() ? "" : ", ") + std::string(known);
  const std::string_view near = nearest(word, words);
  value.fail(in_quotes(word) + " is not one of " + list + did_you_mean(near.empty() ? synonym(word, words) : near));
}

}  // namespace tidegate::config
