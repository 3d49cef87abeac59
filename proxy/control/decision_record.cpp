#include "control/decision_record.h"

#include <boost/json.hpp>
#include <cmath>

namespace tidegate::control {

namespace json = boost::json;

namespace {

json::value number(double value) { return std::isfinite(value) ? json::value(value) : json::value(nullptr); }

json::object window(const gate::Window& from) {
  return {{"seconds", from.seconds},
          {"new", {{"requests", from.counts.new_total}, {"failures", from.counts.new_failures}}},
          {"old", {{"requests", from.counts.old_total}, {"failures", from.counts.old_failures}}}};
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

}  // namespace

std::string decision_record(const gate::Ruling& ruling, const gate::Parameters& parameters,
                            const gate::Thresholds& thresholds, Weight weight_before) {
  json::object out{{"reason", gate::name(ruling.reason)},
                   {"stream", gate::name(ruling.stream)},
                   {"weight_before", weight_before.percent()},
                   {"statistics",
                    {{"s_new", number(ruling.statistics.s_new)},
                     {"s_old", number(ruling.statistics.s_old)},
                     {"s_rel", number(ruling.statistics.s_rel)},
                     {"s_prom", number(ruling.statistics.s_prom)}}},
                   {"thresholds", {{"h_new", thresholds.h_new}, {"h_rel", thresholds.h_rel}, {"h_prom", thresholds.h_prom}}},
                   {"step", window(ruling.step)},
                   {"parameters", named(parameters)}};
  if (ruling.window) out["window"] = window(*ruling.window);
  return json::serialize(out);
}

}  // namespace tidegate::control
