#include "facts.h"

namespace tidegate {

namespace {

observe::LiveRoute live_route(const control::RouteStatus& from) {
  observe::LiveRoute to;
  to.wanted = from.wanted;
  to.effective = from.effective;
  to.verdict = gate::verdict(from.gate.ruling);
  to.reason = from.gate.ruling.reason;
  for (const control::StreamStatus& stream : from.gate.streams) {
    to.streams.push_back({stream.ruling.stream, stream.ruling.statistics, stream.thresholds});
    to.old_suspect = to.old_suspect || stream.old_suspect;
  }
  to.latched = from.latched;
  to.mirror = from.mirror;
  for (std::size_t i = 0; i < control::kRevertReasonCount; ++i) {
    to.reverts.push_back({control::name(static_cast<control::RevertReason>(i)), from.reverts[i]});
  }
  for (std::size_t i = 0; i < control::kHoldReasonCount; ++i) {
    to.holds.push_back({control::name(static_cast<control::HoldReason>(i)), from.holds[i]});
  }
  to.stale_failures = from.stale_failures;
  if (!from.rollout) return to;
  to.rollout_state = rollout::name(from.rollout->rollout.state);
  to.rollout_step = from.rollout->rollout.step;
  for (const control::CheckCount& one : from.rollout->check_counts) to.checks.push_back({one.name, one.verdicts});
  return to;
}

}  // namespace

observe::LiveFacts live_facts(const control::Status& status, std::uint64_t access_log_lost) {
  observe::LiveFacts facts;
  for (const control::RouteStatus& route : status.routes) facts.routes.push_back(live_route(route));
  facts.store = {status.store.healthy, status.store.failures, status.store.pending};
  facts.epoch = status.epoch;
  facts.access_log_lost = access_log_lost;
  return facts;
}

std::vector<admin::RouteTraffic> route_traffic(const observe::Metrics& metrics, const config::Config& config) {
  std::vector<admin::RouteTraffic> all;
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    const observe::RouteTotals totals = metrics.totals(i);
    admin::RouteTraffic traffic;
    traffic.route = config.routes[i].policy.name;
    for (const Side side : {Side::Old, Side::New}) {
      const observe::SideTotals& from = totals.sides[side];
      traffic.sides[side] = {from.requests, from.failures, from.p50_ms, from.p99_ms};
    }
    traffic.in_flight = totals.in_flight;
    traffic.mirror = {totals.mirror.received, totals.mirror.mirrored, totals.mirror.dropped, totals.mirror.in_flight};
    all.push_back(std::move(traffic));
  }
  return all;
}

}  // namespace tidegate
