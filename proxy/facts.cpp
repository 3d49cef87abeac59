#include "facts.h"

#include <array>
#include <mutex>
#include <set>
#include <string_view>

namespace tidegate {

namespace {

observe::LiveRoute live_route(const control::RouteStatus& from) {
  observe::LiveRoute to;
  to.name = from.name;
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

observe::LogLevel log_level(config::LogLevel level) noexcept {
  switch (level) {
    case config::LogLevel::Debug: return observe::LogLevel::Debug;
    case config::LogLevel::Warn: return observe::LogLevel::Warn;
    case config::LogLevel::Error: return observe::LogLevel::Error;
    case config::LogLevel::Info: break;
  }
  return observe::LogLevel::Info;
}

observe::LiveFacts live_facts(const control::Status& status, std::uint64_t access_log_lost) {
  observe::LiveFacts facts;
  for (const control::RouteStatus& route : status.routes) facts.routes.push_back(live_route(route));
  facts.store = {status.store.healthy, status.store.failures, status.store.pending};
  facts.epoch = status.epoch;
  facts.access_log_lost = access_log_lost;
  return facts;
}

void add_targets(observe::LiveFacts& facts, const std::vector<notify::TargetStats>& targets) {
  for (const notify::TargetStats& one : targets) {
    facts.targets.push_back({one.origin, one.delivered, one.failed, one.dropped, one.pending});
  }
}

void add_resolutions(observe::LiveFacts& facts, const std::vector<upstream::ClusterPolicy>& clusters,
                     const std::vector<upstream::Resolver::Counts>& counts) {
  for (std::size_t c = 0; c < clusters.size(); ++c) {
    if (!counts[c].has_names) continue;
    observe::LiveResolution& one = facts.resolutions.emplace_back();
    one.cluster = clusters[c].name;
    one.addresses = counts[c].addresses;
    for (std::size_t r = 0; r < upstream::kResolvedCount; ++r) {
      one.results.push_back({upstream::name(static_cast<upstream::Resolved>(r)), counts[c].results[r]});
    }
  }
}

std::vector<admin::ClusterHealth> cluster_health(const ActiveConfig& of, const observe::HealthBoard& board, TimePoint now) {
  std::vector<admin::ClusterHealth> out;
  const std::lock_guard lock(of.addresses.mutex);
  for (std::size_t c = 0; c < of.config.clusters.size(); ++c) {
    const upstream::ClusterPolicy& cluster = of.config.clusters[c];
    admin::ClusterHealth& to = out.emplace_back(admin::ClusterHealth{cluster.name, cluster.health.has_value(), {}});
    for (std::size_t e = 0; e < cluster.endpoints.size(); ++e) {
      const std::string& written = cluster.endpoints[e].text;
      for (const net::Address& address : of.addresses.found[c][e]) {
        const std::string where = net::text(address);
        const observe::HealthBoard::Found found = board.look(cluster.name, where, now);
        to.endpoints.push_back({written, where, found.healthy, found.ejected, found.why, found.since_ms});
      }
      if (of.addresses.found[c][e].empty()) to.endpoints.push_back({written, {}, true, false, {}, 0});
    }
  }
  return out;
}

void add_endpoints(observe::LiveFacts& facts, const std::vector<admin::ClusterHealth>& clusters) {
  std::set<std::array<std::string_view, 3>> seen;  // the same one may be written twice
  for (const admin::ClusterHealth& cluster : clusters) {
    for (const admin::EndpointHealth& one : cluster.endpoints) {
      if (one.address.empty() || !seen.insert({cluster.name, one.endpoint, one.address}).second) continue;
      facts.endpoints.push_back({cluster.name, one.endpoint, one.address, one.healthy, one.ejected});
    }
  }
}

void keep_known(observe::HealthBoard& board, const std::string& cluster, const std::vector<std::vector<net::Address>>& found) {
  std::vector<std::string> all;
  for (const std::vector<net::Address>& of_endpoint : found) {
    if (of_endpoint.empty()) return;
    for (const net::Address& one : of_endpoint) all.push_back(net::text(one));
  }
  board.keep_addresses(cluster, all);
}

std::vector<observe::HealthBoard::Cluster> judged_clusters(const config::Config& config) {
  std::vector<observe::HealthBoard::Cluster> out;
  for (const upstream::ClusterPolicy& one : config.clusters) out.push_back({one.name, one.health.has_value(), one.outlier.has_value()});
  return out;
}

void add_certificates(observe::LiveFacts& facts, const control::CertificateFacts& from) {
  for (const control::CertificateFacts::One& one : from.certificates) facts.certificates.push_back({one.used_by, one.file, one.not_after});
  facts.certificate_reloads = from.reloads;
  facts.certificate_failures = from.failures;
}

namespace {

std::optional<notify::Event> event_of(store::Action action) noexcept {
  switch (action) {
    case store::Action::Revert: return notify::Event::Reverted;
    case store::Action::Rearm: return notify::Event::Rearmed;
    case store::Action::Hold:
    case store::Action::WouldRevert: return notify::Event::Held;
    case store::Action::RolloutStart:
    case store::Action::RolloutRetry: return notify::Event::Started;
    case store::Action::Step:
    case store::Action::RolloutPromote:
    case store::Action::RolloutBake: return notify::Event::Step;
    case store::Action::RolloutPause: return notify::Event::Paused;
    case store::Action::RolloutResume: return notify::Event::Resumed;
    case store::Action::RolloutAbort:
    case store::Action::RolloutUndo: return notify::Event::Aborted;
    case store::Action::RolloutCompleted: return notify::Event::Completed;
    case store::Action::Weight:
    case store::Action::Mirror: return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::optional<notify::Message> notification(const store::Decision& made) {
  const std::optional<notify::Event> event = event_of(made.action);
  if (!event) return std::nullopt;
  notify::Message out{*event, made.route, made.reason, made.actor, made.epoch, made.at_ms};
  const bool weights = made.action != store::Action::Rearm && made.from != made.to;
  if (weights) out.from = made.from + " %", out.to = made.to + " %";
  return out;
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
