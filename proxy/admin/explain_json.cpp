#include "admin/explain_json.h"

#include <boost/json.hpp>
#include <cmath>

#include "admin/status_json.h"
#include "control/replay.h"

namespace tidegate::admin {

namespace json = boost::json;

namespace {

json::value number(double value) { return std::isfinite(value) ? json::value(value) : json::value(nullptr); }

json::object counts(const gate::Counts& of) {
  return {{"old", {{"requests", of.old_total}, {"failures", of.old_failures}}},
          {"new", {{"requests", of.new_total}, {"failures", of.new_failures}}}};
}

json::object statistics(const gate::Statistics& of) {
  return {{"s_new", number(of.s_new)}, {"s_old", number(of.s_old)}, {"s_rel", number(of.s_rel)}, {"s_prom", number(of.s_prom)}};
}

json::object impossible(const std::string& why) { return {{"possible", false}, {"same", nullptr}, {"why", why}}; }

json::object replay_json(const store::Decision& decision, const json::value& record) {
  if (decision.actor != "gate") return impossible("a decision of " + decision.actor + ", not of the gate: nothing to replay");
  const json::object* all = record.if_object();
  const json::value* kept = all == nullptr ? nullptr : all->if_contains("replay");
  if (kept == nullptr && (all != nullptr || decision.record.empty())) {
    return impossible("its record was written by a version that did not keep the state of the gate: it cannot be replayed");
  }
  const auto replay = kept != nullptr && kept->is_object() ? control::replay(kept->get_object()) : std::nullopt;
  if (!replay) {
    json::object out = impossible("its record cannot be read: it is damaged, or of a later version");
    out["same"] = false;
    return out;
  }
  json::object tick{{"seconds", replay->tick.dt_s}, {"errors", counts(replay->tick.counts.errors)}};
  if (replay->tick.before.has(gate::Stream::Slow)) tick["slow"] = counts(replay->tick.counts.slow);
  return {{"possible", true},
          {"same", replay->same},
          {"decision", gate::name(replay->answer.decision)},
          {"reason", gate::name(replay->answer.reason)},
          {"stream", gate::name(replay->answer.stream)},
          {"verdict", gate::name(gate::verdict(replay->answer))},
          {"sentence", replay->sentence},
          {"tick", std::move(tick)},
          {"statistics_before", statistics(replay->before)},
          {"statistics", statistics(replay->answer.statistics)}};
}

}  // namespace

json::object explain_json(const store::Decision& decision) {
  json::error_code error;
  json::value record = json::parse(decision.record, error);
  json::object out = decision_json(decision);
  out["replay"] = replay_json(decision, record);
  out["record"] = error ? json::value(nullptr) : std::move(record);
  return out;
}

}  // namespace tidegate::admin
