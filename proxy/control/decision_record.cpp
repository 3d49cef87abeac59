#include "control/decision_record.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "gate/old_detector.h"

namespace tidegate::control {

namespace json = boost::json;

namespace {

json::value number(double value) { return std::isfinite(value) ? json::value(value) : json::value(nullptr); }

json::object window(const gate::Window& from) {
  return {{"seconds", from.seconds},
          {"new", {{"requests", from.counts.new_total}, {"failures", from.counts.new_failures}}},
          {"old", {{"requests", from.counts.old_total}, {"failures", from.counts.old_failures}}}};
}

json::object statistics(const gate::Statistics& s) {
  return {{"s_new", number(s.s_new)}, {"s_old", number(s.s_old)}, {"s_rel", number(s.s_rel)}, {"s_prom", number(s.s_prom)}};
}

json::object named(const gate::Parameters& p) {
  return {{"max_error_rate", p.max_error_rate},
          {"comparison_margin", p.comparison_margin},
          {"baseline_factor", p.baseline_factor},
          {"false_revert_budget", p.false_revert_budget},
          {"budget_period_s", p.budget_period_s},
          {"burst_tolerance_s", p.burst_tolerance_s},
          {"breaker", {{"share", p.breaker.share}, {"requests", p.breaker.requests}, {"for_s", p.breaker.for_s}}},
          {"attribution_grace_s", p.attribution_grace_s},
          {"min_requests", p.min_requests},
          {"stream_share", p.stream_share},
          {"slow_over_s", p.slow_over_s > 0.0 ? json::value(p.slow_over_s) : json::value(nullptr)}};
}

/// The record as it is, should it be no object.
std::string with_member(const std::string& record, std::string_view name, json::value member) {
  boost::system::error_code error;
  json::value value = json::parse(record, error);
  if (error || !value.is_object()) return record;
  value.get_object()[name] = std::move(member);
  return json::serialize(value);
}

}  // namespace

std::string decision_record(const GateTick& tick, const gate::RouteGate& now, const gate::Ruling& ruling, Weight before,
                            Weight after) {
  const gate::Gate& of = now.gate(ruling.stream);
  const gate::Thresholds thresholds = of.thresholds();
  json::object out{{"verdict", gate::name(gate::verdict(ruling))},
                   {"reason", gate::name(ruling.reason)},
                   {"stream", gate::name(ruling.stream)},
                   {"weight_before", before.percent()},
                   {"weight_after", after.percent()},
                   {"statistics_before", statistics(tick.before.gate(ruling.stream).statistics())},
                   {"statistics", statistics(ruling.statistics)},
                   {"thresholds",
                    {{"h_new", thresholds.h_new},
                     {"h_old", gate::OldDetector::kSuspect},
                     {"h_rel", thresholds.h_rel},
                     {"h_prom", thresholds.h_prom}}},
                   {"step", window(ruling.step)},
                   {"parameters", named(of.parameters())}};
  if (ruling.window) out["window"] = window(*ruling.window);
  out["replay"] = to_json(tick, ruling);
  return json::serialize(out);
}

std::string with_evidence(const std::string& record, const rollout::Evidence& evidence) {
  json::array checks;
  for (const auto* const asked : {&evidence.checks, &evidence.hooks}) {
    for (const rollout::CheckAnswer& one : *asked) {
      checks.push_back(json::object{{"name", one.name},
                                    {"verdict", one.verdict ? json::value(gate::name(*one.verdict)) : json::value(nullptr)},
                                    {"sentence", one.sentence}});
    }
  }
  return with_member(record, "rollout",
                     json::object{{"step_s", evidence.step_s},
                                  {"requests_new", evidence.requests_new},
                                  {"mirrored", evidence.mirrored},
                                  {"checks", std::move(checks)}});
}

std::string_view said_of_health(const std::vector<observe::FailureSample>& failures) noexcept {
  const auto count = std::count_if(failures.begin(), failures.end(), [](const observe::FailureSample& one) {
    return one.upstream == observe::kNoHealthyEndpoint;
  });
  if (count == 0) return {};
  return static_cast<std::size_t>(count) == failures.size() ? "; new had no healthy endpoint" : "; for some of them new had no healthy endpoint";
}

std::string with_failures(const std::string& record, std::vector<observe::FailureSample> failures) {
  std::sort(failures.begin(), failures.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  if (failures.size() > kFailuresKept) failures.resize(kFailuresKept);
  json::array out;
  for (const observe::FailureSample& one : failures) {
    out.push_back(json::object{{"at_ms", one.at_ms},
                               {"method", one.method},
                               {"path", one.path},
                               {"why", name(one.why)},
                               {"status", one.status == 0 ? json::value(nullptr) : json::value(one.status)},
                               {"after_ms", one.after_ms},
                               {"upstream", one.upstream},
                               {"request_id", one.request_id}});
  }
  return with_member(record, "failures", std::move(out));
}

std::string situation_record(const GateStatus& gate) {
  std::string sentence = gate.sentence;
  for (const StreamStatus& one : gate.streams) {  // its own words, also when the route is latched
    if (one.ruling.stream == gate.ruling.stream) sentence = one.sentence;
  }
  return json::serialize(json::object{{"gate",
                                       {{"verdict", gate::name(gate::verdict(gate.ruling))},
                                        {"reason", gate::name(gate.ruling.reason)},
                                        {"stream", gate::name(gate.ruling.stream)},
                                        {"sentence", sentence},
                                        {"statistics", statistics(gate.ruling.statistics)},
                                        {"step", window(gate.ruling.step)}}}});
}

}  // namespace tidegate::control
