#include "config/scalars.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <optional>
#include <string>

#include "config/problem.h"
#include "config/suggest.h"
#include "config/text_rules.h"

namespace tidegate::config {
namespace {

/// More digits would not fit a double exactly, and nothing here needs more.
constexpr std::size_t kDigits = 15;

struct Decimal {
  double value = 0;
  std::string_view digits;  ///< as written
  std::string_view unit;    ///< what follows
  bool is_integer = true;
};

std::optional<Decimal> split(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && is_digit(text[end])) ++end;
  const std::size_t whole = end;
  if (whole == 0 || (whole > 1 && text[0] == '0')) return std::nullopt;
  if (end < text.size() && text[end] == '.') {
    ++end;
    while (end < text.size() && is_digit(text[end])) ++end;
    if (end == whole + 1) return std::nullopt;
  }
  if (end - (end == whole ? 0 : 1) > kDigits) return std::nullopt;
  Decimal out{0, text.substr(0, end), text.substr(end), end == whole};
  std::from_chars(text.data(), text.data() + end, out.value, std::chars_format::fixed);
  return out;
}

/// Why a text has no number at its front, in the commonest cases.
std::string number_error(std::string_view text, std::string_view what) {
  std::string out = in_quotes(text) + " is not " + std::string(what);
  if (text.size() > 1 && text[0] == '0' && is_digit(text[1])) return out + ": a leading zero (octal?) is not taken";
  if (text.starts_with("0x") || text.starts_with("0o")) return out + ": only decimal digits are taken";
  if (text.starts_with('-') || text.starts_with('+')) return out + ": a sign is not taken";
  if (text.size() > kDigits) return out + ": too many digits";
  return out;
}

struct Unit {
  std::string_view name;
  double factor;
};

constexpr std::array<Unit, 5> kTimeUnits{{{"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}}};
constexpr std::array<Unit, 4> kSizeUnits{{{"B", 1.0}, {"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}}};

template <std::size_t N>
const Unit* find(const std::array<Unit, N>& units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

std::string unknown_unit(std::string_view text, std::string_view what, std::string_view unit, std::string_view units) {
  return in_quotes(text) + " is not " + std::string(what) + ": unknown unit " + in_quotes(unit) + "; the units are " +
         std::string(units);
}

constexpr double kMostNanoseconds = 9e18;  // of a 64-bit Duration
constexpr double kMostBytes = 9e15;        // exact in a double

}  // namespace

Parsed<Duration> parse_duration(std::string_view text) {
  using Result = Parsed<Duration>;
  const std::optional<Decimal> number = split(text);
  if (!number) return Result::bad(number_error(text, "a duration such as 250ms, 5s, 5m, 1h or 7d"));
  if (number->unit.empty()) {
    const std::string bare(text);
    return Result::bad(in_quotes(text) + " has no unit; write " + bare + "s or " + bare + "ms");
  }
  const Unit* unit = find(kTimeUnits, number->unit);
  if (unit == nullptr) return Result::bad(unknown_unit(text, "a duration", number->unit, "ms, s, m, h, d"));
  const double nanoseconds = number->value * unit->factor;
  if (nanoseconds > kMostNanoseconds) return Result::bad(in_quotes(text) + " is too long");
  const std::chrono::nanoseconds exact(static_cast<std::int64_t>(std::llround(nanoseconds)));
  return Result::good(std::chrono::duration_cast<Duration>(exact));
}

Parsed<std::uint64_t> parse_size(std::string_view text) {
  using Result = Parsed<std::uint64_t>;
  const std::optional<Decimal> number = split(text);
  if (!number) return Result::bad(number_error(text, "a size such as 512B, 64KiB, 1MiB or 2GiB"));
  const Unit* unit = number->unit.empty() ? &kSizeUnits[0] : find(kSizeUnits, number->unit);
  if (unit == nullptr) return Result::bad(unknown_unit(text, "a size", number->unit, "B, KiB, MiB, GiB"));
  const double bytes = number->value * unit->factor;
  if (bytes > kMostBytes) return Result::bad(in_quotes(text) + " is too large");
  if (bytes != std::floor(bytes)) return Result::bad(in_quotes(text) + " is not a whole number of bytes");
  return Result::good(static_cast<std::uint64_t>(bytes));
}

Parsed<double> parse_share(std::string_view text) {
  using Result = Parsed<double>;
  const std::optional<Decimal> number = split(text);
  if (!number) return Result::bad(number_error(text, "a percentage such as 10 or 0.5%"));
  if (!number->unit.empty() && number->unit != "%") {
    return Result::bad(unknown_unit(text, "a percentage", number->unit, "% or nothing"));
  }
  if (number->value > 100) return Result::bad(in_quotes(text) + " is out of range 0..100 percent");
  return Result::good(number->value / 100.0);
}

Parsed<Weight> parse_weight(std::string_view text) {
  using Result = Parsed<Weight>;
  const Parsed<double> share = parse_share(text);
  if (!share) return Result::bad(share.error);
  const std::optional<Weight> weight = Weight::parse(text);
  if (!weight) return Result::bad(in_quotes(text) + " is finer than 0.01 percent");
  return Result::good(*weight);
}

Parsed<double> parse_rate(std::string_view text) {
  using Result = Parsed<double>;
  const std::optional<Decimal> number = split(text);
  if (!number) return Result::bad(number_error(text, "a rate such as 500/s"));
  if (number->unit.empty()) return Result::bad(in_quotes(text) + " has no unit; write " + std::string(text) + "/s");
  if (number->unit != "/s") return Result::bad(unknown_unit(text, "a rate", number->unit, "/s"));
  return Result::good(number->value);
}

Parsed<std::uint64_t> parse_integer(std::string_view text) {
  using Result = Parsed<std::uint64_t>;
  const std::optional<Decimal> number = split(text);
  if (!number || !number->unit.empty() || !number->is_integer) return Result::bad(number_error(text, "a whole number"));
  return Result::good(static_cast<std::uint64_t>(number->value));
}

Parsed<double> parse_number(std::string_view text) {
  using Result = Parsed<double>;
  const std::optional<Decimal> number = split(text);
  if (!number || !number->unit.empty()) return Result::bad(number_error(text, "a number"));
  return Result::good(number->value);
}

Parsed<bool> parse_bool(std::string_view text) {
  if (text == "true") return Parsed<bool>::good(true);
  if (text == "false") return Parsed<bool>::good(false);
  std::string why = in_quotes(text) + " is not true or false";
  const std::string low = lower(text);
  if (low == "yes" || low == "on" || low == "y" || low == "true" || low == "1") why += "; did you mean true?";
  if (low == "no" || low == "off" || low == "n" || low == "false" || low == "0") why += "; did you mean false?";
  return Parsed<bool>::bad(std::move(why));
}

}  // namespace tidegate::config
