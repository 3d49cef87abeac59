#include "admin/status_json.h"

#include <boost/json.hpp>
#include <cmath>

#include "admin/rollout_json.h"
#include "base/utc_text.h"
#include "gate/old_detector.h"

namespace tidegate::admin {

namespace json = boost::json;

namespace {

json::value number(double value) { return std::isfinite(value) ? json::value(value) : json::value(nullptr); }
json::value number(const std::optional<double>& value) { return value ? number(*value) : json::value(nullptr); }
json::value text_or_null(const std::string& text) { return text.empty() ? json::value(nullptr) : json::value(text); }

json::object sides(const PerSide<std::string>& of) { return {{"old", of[Side::Old]}, {"new", of[Side::New]}}; }

json::object window(const gate::Window& from) {
  return {{"seconds", from.seconds},
          {"old", {{"requests", from.counts.old_total}, {"failures", from.counts.old_failures}}},
          {"new", {{"requests", from.counts.new_total}, {"failures", from.counts.new_failures}}}};
}

json::object stream_json(const control::StreamStatus& gate) {
  const gate::Ruling& ruling = gate.ruling;
  json::object out{{"verdict", gate::name(gate::verdict(ruling))},
                   {"decision", gate::name(ruling.decision)},
                   {"reason", gate::name(ruling.reason)},
                   {"sentence", gate.sentence}};
  out["statistics"] = json::object{{"s_new", number(ruling.statistics.s_new)},
                                   {"s_old", number(ruling.statistics.s_old)},
                                   {"s_rel", number(ruling.statistics.s_rel)},
                                   {"s_prom", number(ruling.statistics.s_prom)}};
  out["thresholds"] = json::object{{"h_new", number(gate.thresholds.h_new)},
                                   {"h_old", gate::OldDetector::kSuspect},
                                   {"h_rel", number(gate.thresholds.h_rel)},
                                   {"h_prom", number(gate.thresholds.h_prom)}};
  out["window"] = ruling.window ? json::value(window(*ruling.window)) : json::value(nullptr);
  out["step"] = window(ruling.step);
  out["silent_s"] = ruling.silent_s;
  out["old_suspect"] = gate.old_suspect;
  return out;
}

/// The stream that says most, and under `streams` each.
json::object gate_json(const control::GateStatus& gate) {
  json::object out = stream_json(gate);
  out["stream"] = gate::name(gate.ruling.stream);
  out["on_fail"] = gate::name(gate.on_fail);
  json::object streams;
  for (const control::StreamStatus& one : gate.streams) streams[gate::name(one.ruling.stream)] = stream_json(one);
  out["streams"] = std::move(streams);
  return out;
}

json::value mirror_json(const control::RouteStatus& route, const MirrorTraffic& traffic) {
  if (!route.has_mirror) return nullptr;
  json::object dropped;
  for (std::size_t i = 0; i < traffic.dropped.size(); ++i) {
    dropped[observe::name(static_cast<observe::MirrorDrop>(i))] = traffic.dropped[i];
  }
  return json::object{{"file", percent_json(route.file_mirror)}, {"percent", percent_json(route.mirror)},
                      {"received", traffic.received},       {"mirrored", traffic.mirrored},
                      {"dropped", std::move(dropped)},      {"in_flight", traffic.in_flight}};
}

/// `requests` are by the side that answered last, `attempts` by the one that was asked: what a retry saved is a failed attempt here,
/// and no failure there.
json::object side_json(const SideTraffic& side, const control::Attempts& attempts) {
  return {{"requests", side.requests},
          {"failures", side.failures},
          {"attempts", attempts.made},
          {"failed_attempts", attempts.failed},
          {"p50_ms", number(side.p50_ms)},
          {"p99_ms", number(side.p99_ms)}};
}

json::object reverts_json(const control::RouteStatus& route) {
  json::object out;
  for (std::size_t i = 0; i < route.reverts.size(); ++i) {
    out[control::name(static_cast<control::RevertReason>(i))] = route.reverts[i];
  }
  return out;
}

json::object holds_json(const control::RouteStatus& route) {
  json::object out;
  for (std::size_t i = 0; i < route.holds.size(); ++i) {
    out[control::name(static_cast<control::HoldReason>(i))] = route.holds[i];
  }
  return out;
}

}  // namespace

json::value percent_json(Weight weight) {
  if (weight.units() % 100 == 0) return weight.units() / 100;
  return weight.percent();
}

json::object route_json(const control::RouteStatus& route, const std::vector<RouteTraffic>& all) {
  static const RouteTraffic kNone{};
  const RouteTraffic* traffic = &kNone;
  for (const RouteTraffic& candidate : all) {
    if (candidate.route == route.name) traffic = &candidate;
  }
  json::object out{{"name", route.name}, {"clusters", sides(route.clusters)}};
  out["weight"] = json::object{
      {"file", percent_json(route.file_weight)}, {"wanted", percent_json(route.wanted)}, {"effective", percent_json(route.effective)}};
  out["latched"] = route.latched;
  out["latch_reason"] = text_or_null(route.latch_reason);
  out["epoch"] = route.epoch;
  out["mirror"] = mirror_json(route, traffic->mirror);
  out["gate"] = gate_json(route.gate);
  out["rollout"] = rollout_json(route.rollout);
  out["reverts"] = reverts_json(route);
  out["holds"] = holds_json(route);
  out["in_flight"] = traffic->in_flight;
  out["traffic"] =
      json::object{{"old", side_json(traffic->sides[Side::Old], route.attempts[Side::Old])},
                   {"new", side_json(traffic->sides[Side::New], route.attempts[Side::New])}};
  return out;
}

json::object status_json(const control::Status& status, const std::vector<RouteTraffic>& traffic,
                         const ProcessStatus& process) {
  json::object out{{"version", process.version},
                   {"started_at", utc_text(process.started_at_ms)},
                   {"epoch", status.epoch},
                   {"ready", process.ready}};
  out["store"] = json::object{{"healthy", status.store.healthy},
                              {"path", status.store.path},
                              {"last_error", text_or_null(status.store.last_error)},
                              {"failures", status.store.failures},
                              {"pending", status.store.pending}};
  json::array routes;
  for (const control::RouteStatus& route : status.routes) routes.push_back(route_json(route, traffic));
  out["routes"] = std::move(routes);
  return out;
}

namespace {

std::string_view state(const EndpointHealth& of) noexcept {
  if (of.address.empty()) return "unresolved";
  return !of.healthy ? "unhealthy" : of.ejected ? "ejected" : "healthy";
}

}  // namespace

json::array clusters_json(const std::vector<ClusterHealth>& clusters) {
  json::array out;
  for (const ClusterHealth& cluster : clusters) {
    json::array endpoints;
    for (const EndpointHealth& one : cluster.endpoints) {
      endpoints.push_back(json::object{{"endpoint", one.endpoint},
                                       {"address", text_or_null(one.address)},
                                       {"state", state(one)},
                                       {"why", text_or_null(one.why)},
                                       {"since", one.since_ms == 0 ? json::value(nullptr) : json::value(utc_text(one.since_ms))}});
    }
    out.push_back(json::object{{"name", cluster.name}, {"checked", cluster.checked}, {"endpoints", std::move(endpoints)}});
  }
  return out;
}

json::object decision_json(const store::Decision& decision) {
  json::error_code error;
  json::value record = json::parse(decision.record, error);
  json::object out{{"epoch", decision.epoch},
                   {"at", utc_text(decision.at_ms)},
                   {"at_ms", decision.at_ms},
                   {"route", decision.route},
                   {"action", store::name(decision.action)},
                   {"actor", decision.actor},
                   {"reason", decision.reason},
                   {"from", decision.from},
                   {"to", decision.to}};
  if (json::object* all = record.if_object()) all->erase("replay");
  out["record"] = error ? json::value(nullptr) : std::move(record);
  return out;
}

}  // namespace tidegate::admin
