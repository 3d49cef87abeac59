#include "check/prometheus_answer.h"

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>

#include "check/quote.h"

namespace tidegate::check {

namespace json = boost::json;
using gate::Verdict;

namespace {

constexpr std::size_t kErrorBytes = 300;   ///< of Prometheus' own words
constexpr std::size_t kSeriesBytes = 120;  ///< of a series' name and labels

std::string say(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", value);
  return text.data();
}

std::string_view text_of(const json::object& object, std::string_view key) {
  const json::value* const value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string_view(value->get_string()) : std::string_view();
}

/// `up{job="api",instance="a"}`; "the value" of a series without labels, as sums are.
std::string say_series(const json::object& metric) {
  std::string labels;
  for (const auto& [key, value] : metric) {
    if (key == "__name__" || !value.is_string()) continue;
    labels += (labels.empty() ? "" : ",") + std::string(key) + "=\"" + std::string(value.get_string()) + '"';
  }
  const std::string_view name = text_of(metric, "__name__");
  if (labels.empty() && name.empty()) return "the value";
  return quote(labels.empty() ? std::string(name) : std::string(name) + '{' + labels + '}', kSeriesBytes);
}

/// "[1435781451.781, "1"]": a time and, as text, a number.
std::optional<double> number_of(const json::value* sample) {
  const json::array* const pair = sample != nullptr ? sample->if_array() : nullptr;
  if (pair == nullptr || pair->size() != 2 || !(*pair)[1].is_string()) return std::nullopt;
  std::string_view text = (*pair)[1].get_string();
  if (text.substr(0, 1) == "+") text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) return std::strtod(std::string(text).c_str(), nullptr);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

/// Collects the series of an answer and judges them together.
class Judge {
 public:
  explicit Judge(const Bounds& bounds) : bounds_(bounds) {}

  void take(const json::object& metric, double value) {
    ++series_;
    const double over = excess(value);
    if (std::isnan(over)) {
      if (no_data_.empty()) no_data_ = say_series(metric) + " is " + say(value);
      return;
    }
    if (over > 0) ++outside_;
    if (worst_ && over <= worst_over_) return;
    worst_ = value;
    worst_over_ = over;
    worst_series_ = say_series(metric);
  }

  Answer answer() const {
    if (series_ == 0) return {Verdict::Inconclusive, "no data: the result of the query is empty"};
    if (outside_ > 0) return {Verdict::Fail, failure(), worst_};
    if (!no_data_.empty()) return {Verdict::Inconclusive, "no data: " + no_data_};
    const std::string worst = worst_series_ + " is " + say(*worst_) + ", " + wanted();
    if (series_ == 1) return {Verdict::Pass, worst, worst_};
    return {Verdict::Pass, "all " + std::to_string(series_) + " series are inside, the worst: " + worst, worst_};
  }

 private:
  /// How far outside; negative = how far inside; NaN = it says nothing.
  double excess(double value) const {
    constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
    if (std::isnan(value)) return kNothing;
    const double above = bounds_.max ? value - *bounds_.max : -std::numeric_limits<double>::infinity();
    const double below = bounds_.min ? *bounds_.min - value : -std::numeric_limits<double>::infinity();
    const double over = std::max(above, below);
    return std::isinf(over) && over < 0 ? kNothing : over;
  }
  std::string failure() const {
    const bool above = bounds_.max && *worst_ > *bounds_.max;
    std::string out = worst_series_ + " is " + say(*worst_) +
                      (above ? ", more than " + say(*bounds_.max) : ", less than " + say(*bounds_.min));
    if (series_ > 1) out += "; " + std::to_string(outside_) + " of " + std::to_string(series_) + " series are outside";
    return out;
  }
  std::string wanted() const {
    if (bounds_.min && bounds_.max) return "from " + say(*bounds_.min) + " to " + say(*bounds_.max) + " is wanted";
    return bounds_.max ? "at most " + say(*bounds_.max) + " is wanted" : "at least " + say(*bounds_.min) + " is wanted";
  }

  const Bounds bounds_;
  std::size_t series_ = 0;
  std::size_t outside_ = 0;
  std::string no_data_;
  std::optional<double> worst_;
  double worst_over_ = 0;
  std::string worst_series_;
};

Answer error(std::string sentence) { return {Verdict::Error, std::move(sentence)}; }

bool is_html(std::string_view content_type, std::string_view body) {
  const auto first = body.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  return content_type.find("text/html") != std::string_view::npos ||
         (first != std::string_view::npos && body[first] == '<');
}

Answer judge_vector(const json::value& result, const Bounds& bounds) {
  const json::array* const list = result.if_array();
  if (list == nullptr) return error("the answer is not Prometheus': the vector is not a list");
  Judge judge(bounds);
  for (const json::value& one : *list) {
    const json::object* const series = one.if_object();
    const json::value* const metric = series != nullptr ? series->if_contains("metric") : nullptr;
    if (metric == nullptr || !metric->is_object())
      return error("the answer is not Prometheus': a series has no labels");
    if (series->if_contains("histogram") != nullptr)
      return error("the query gives histograms, not numbers: take a quantile or a sum");
    const auto value = number_of(series->if_contains("value"));
    if (!value) return error("the answer is not Prometheus': a series has no number");
    judge.take(metric->get_object(), *value);
  }
  return judge.answer();
}

Answer judge_data(const json::object& data, const Bounds& bounds) {
  const std::string_view type = text_of(data, "resultType");
  const json::value* const result = data.if_contains("result");
  if (result == nullptr) return error("the answer is not Prometheus': it has no result");
  if (type == "vector") return judge_vector(*result, bounds);
  if (type == "matrix") return error("the query gives a range (matrix), not one number a series: leave out the [..]");
  if (type == "string") return error("the query gives a string, not a number");
  if (type != "scalar") return error("the answer is not Prometheus': its type is \"" + quote(type, 40) + '"');
  const auto value = number_of(result);
  if (!value) return error("the answer is not Prometheus': the scalar is not a number");
  Judge judge(bounds);
  judge.take({}, *value);
  return judge.answer();
}

/// Thanos and others: "partial response", and Prometheus' own hints. The numbers count, and a person should know.
std::string first_warning(const json::object& answer) {
  const json::value* const warnings = answer.if_contains("warnings");
  const json::array* const list = warnings != nullptr ? warnings->if_array() : nullptr;
  if (list == nullptr || list->empty() || !list->front().is_string()) return {};
  return " (warning: " + quote(list->front().get_string(), kErrorBytes) + ')';
}

std::string own_words(const json::object& answer) {
  const std::string type = quote(text_of(answer, "errorType"), 40);
  const std::string words = quote(text_of(answer, "error"), kErrorBytes);
  return "Prometheus says: " + type + (type.empty() || words.empty() ? "" : ": ") + words;
}

}  // namespace

Answer prometheus_answer(unsigned status, std::string_view content_type, std::string_view body, const Bounds& bounds) {
  if (!bounds.min && !bounds.max) return error("the check has neither min nor max");
  if (outbound::is_redirect(status)) return error(outbound::say_status(status));
  if (is_html(content_type, body))
    return error(outbound::say_status(status) + " with HTML, not JSON: is that the URL of Prometheus?");
  boost::system::error_code broken;
  const json::value parsed = json::parse(json::string_view(body.data(), body.size()), broken);
  const json::object* const object = broken ? nullptr : parsed.if_object();
  if (object != nullptr && text_of(*object, "status") == "error") return error(own_words(*object));
  if (!outbound::is_success(status)) return error(outbound::say_status(status));
  if (broken) return error("the answer is not JSON: " + broken.message());
  const json::value* const data = object != nullptr ? object->if_contains("data") : nullptr;
  if (data == nullptr || !data->is_object() || text_of(*object, "status") != "success")
    return error("the answer is JSON, but not Prometheus'");
  Answer answer = judge_data(data->get_object(), bounds);
  answer.sentence += first_warning(*object);
  return answer;
}

Answer prometheus_answer(const outbound::Result& result, const Bounds& bounds) {
  if (result) return prometheus_answer(result->status, result->content_type, result->body, bounds);
  const bool no_answer = outbound::is_no_answer(result.error().kind);
  return {no_answer ? Verdict::Inconclusive : Verdict::Error, result.error().message};
}

}  // namespace tidegate::check
