// The part of Metrics that shows what control knows, and the process itself.
#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>

#include "gate/old_detector.h"
#include "observe/metrics.h"
#include "observe/process_facts.h"
#include "rollout/state.h"

namespace tidegate::observe {

namespace {

constexpr std::array kVerdicts{gate::Verdict::Pass, gate::Verdict::Fail, gate::Verdict::Inconclusive,
                               gate::Verdict::Error};
constexpr std::array kReasons{gate::Reason::Observing,         gate::Reason::NoData,       gate::Reason::HardBreaker,
                              gate::Reason::ErrorRate,         gate::Reason::Attribution,
                              gate::Reason::SharedDegradation, gate::Reason::WorseThanOld, gate::Reason::Promote,
                              gate::Reason::SlowRate};
static_assert(kReasons.size() == gate::kReasonCount);

/// f(route, live) for the routes that both know: the engine may have another configuration already.
template <class F>
void for_each_route(const std::vector<Metrics::Route>& routes, const LiveFacts& live, F f) {
  std::unordered_map<std::string_view, const LiveRoute*> by_name;
  for (const LiveRoute& route : live.routes) by_name.emplace(route.name, &route);
  for (const Metrics::Route& route : routes) {
    if (const auto found = by_name.find(route.name); found != by_name.end()) f(route, *found->second);
  }
}

}  // namespace

void Metrics::add_weights(Exposition& page, const LiveFacts& live) const {
  auto weights = page.gauge("tidegate_weight_ratio",
                            "Share of the requests that goes to new, as decided (wanted) and as in force (effective).");
  auto mirror = page.gauge("tidegate_mirror_ratio", "Share of the requests that is copied to new.");
  for_each_route(setup_.routes, live, [&](const Route& route, const LiveRoute& now) {
    weights.add({{"route", route.name}, {"kind", "wanted"}}, now.wanted.share());
    weights.add({{"route", route.name}, {"kind", "effective"}}, now.effective.share());
    if (route.has_mirror) mirror.add({{"route", route.name}}, now.mirror.share());
  });
}

void Metrics::add_gate(Exposition& page, const LiveFacts& live) const {
  auto verdict = page.gauge("tidegate_gate_verdict", "1 for what the gate says of new, 0 for the other verdicts.");
  auto reason = page.gauge("tidegate_gate_reason", "1 for why the gate says it, 0 for the other reasons.");
  auto suspect = page.gauge("tidegate_gate_old_suspect", "1 while old is above the gate's threshold too.");
  auto latched = page.gauge("tidegate_gate_latched", "1 after a revert, until a person re-arms the gate.");
  for_each_route(setup_.routes, live, [&](const Route& route, const LiveRoute& now) {
    for (const gate::Verdict one : kVerdicts) {
      verdict.add({{"route", route.name}, {"verdict", name(one)}}, one == now.verdict);
    }
    for (const gate::Reason one : kReasons) {
      reason.add({{"route", route.name}, {"reason", name(one)}}, one == now.reason);
    }
    suspect.add({{"route", route.name}}, now.old_suspect);
    latched.add({{"route", route.name}}, now.latched);
  });
}

/// A statistic without an open suspicion is shown as the -Inf that it is, not left out: a series that comes and goes is
/// stale half of the time and cannot be told from one that is missing, while -Inf compares (and max_over_time) as "no
/// evidence" should. Averages of evidence mean nothing anyhow.
void Metrics::add_evidence(Exposition& page, const LiveFacts& live) const {
  auto statistics = page.gauge("tidegate_gate_statistic",
                               "The gate's evidence in nats, to compare with tidegate_gate_threshold; -Inf = none.");
  auto thresholds = page.gauge("tidegate_gate_threshold", "Where the gate takes the evidence as proof.");
  for_each_route(setup_.routes, live, [&](const Route& route, const LiveRoute& now) {
    for (const LiveStream& of : now.streams) {
      const auto add = [&](std::string_view statistic, double value, double threshold) {
        const Exposition::Labels labels = {{"route", route.name}, {"stream", name(of.stream)}, {"statistic", statistic}};
        statistics.add(labels, value);
        thresholds.add(labels, threshold);
      };
      add("s_new", of.statistics.s_new, of.thresholds.h_new);
      add("s_old", of.statistics.s_old, gate::OldDetector::kSuspect);
      add("s_rel", of.statistics.s_rel, of.thresholds.h_rel);
      add("s_prom", of.statistics.s_prom, of.thresholds.h_prom);
    }
  });
}

void Metrics::add_rollouts(Exposition& page, const LiveFacts& live) const {
  auto step = page.gauge("tidegate_rollout_step", "The step that the route's rollout is in, from 1; 0 = in none.");
  auto state = page.gauge("tidegate_rollout_state", "1 for where the route's rollout stands, 0 for the other states.");
  auto checks = page.counter("tidegate_checks_total", "Answers of checks, by what they came to.");
  for_each_route(setup_.routes, live, [&](const Route& route, const LiveRoute& now) {
    if (now.rollout_state.empty()) return;
    step.add({{"route", route.name}}, static_cast<std::uint64_t>(now.rollout_step));
    for (const std::string_view one : rollout::kStateNames) {
      state.add({{"route", route.name}, {"state", one}}, one == now.rollout_state);
    }
    for (const LiveRoute::Check& check : now.checks) {
      for (const gate::Verdict one : kVerdicts) {
        checks.add({{"route", route.name}, {"check", check.name}, {"verdict", name(one)}},
                   check.verdicts[static_cast<std::size_t>(one)]);
      }
    }
  });
}

/// Two targets of one origin are told apart by their place in the file.
void Metrics::add_notifications(Exposition& page, const LiveFacts& live) const {
  auto told = page.counter("tidegate_notifications_total", "Notifications of decisions, by what became of them.");
  auto pending = page.gauge("tidegate_notifications_pending", "Notifications that wait for their turn or another try.");
  for (std::size_t i = 0; i < live.targets.size(); ++i) {
    const LiveTarget& to = live.targets[i];
    const std::string number = std::to_string(i);
    const auto add = [&](std::string_view result, std::uint64_t count) {
      told.add({{"target", number}, {"origin", to.origin}, {"result", result}}, count);
    };
    add("delivered", to.delivered);
    add("failed", to.failed);
    add("dropped", to.dropped);
    pending.add({{"target", number}, {"origin", to.origin}}, static_cast<std::uint64_t>(to.pending));
  }
}

void Metrics::add_resolutions(Exposition& page, const LiveFacts& live) const {
  auto asked = page.counter("tidegate_dns_resolutions_total", "Times that a name of a cluster was asked for, by the result.");
  auto addresses = page.gauge("tidegate_dns_addresses", "Addresses that the names of a cluster have, the last good ones while DNS fails.");
  for (const LiveResolution& of : live.resolutions) {
    for (const ReasonCount& one : of.results) asked.add({{"cluster", of.cluster}, {"result", one.reason}}, one.count);
    addresses.add({{"cluster", of.cluster}}, static_cast<std::uint64_t>(of.addresses));
  }
}

void Metrics::add_endpoints(Exposition& page, const LiveFacts& live) const {
  auto healthy = page.gauge("tidegate_upstream_healthy", "1 unless the health checks of the address fail.");
  auto ejected = page.gauge("tidegate_upstream_ejected", "1 while the address is left out for failures in a row.");
  for (const LiveEndpoint& one : live.endpoints) {
    const Exposition::Labels labels = {{"cluster", one.cluster}, {"endpoint", one.endpoint}, {"address", one.address}};
    healthy.add(labels, one.healthy);
    ejected.add(labels, one.ejected);
  }
}

void Metrics::add_reverts(Exposition& page, const LiveFacts& live) const {
  auto reverts = page.counter("tidegate_reverts_total", "Reverts to old, by the reason.");
  auto holds = page.counter("tidegate_gate_holds_total",
                            "Alarms of the gate that left the weight as it was: shared with old, or by on_fail.");
  auto stale = page.counter("tidegate_gate_stale_failures_total",
                            "Failures that were known after their step had ended and were not judged.");
  for_each_route(setup_.routes, live, [&](const Route& route, const LiveRoute& now) {
    for (const ReasonCount& one : now.reverts) reverts.add({{"route", route.name}, {"reason", one.reason}}, one.count);
    for (const ReasonCount& one : now.holds) holds.add({{"route", route.name}, {"reason", one.reason}}, one.count);
    for (const Side side : {Side::Old, Side::New}) {
      stale.add({{"route", route.name}, {"side", name(side)}}, now.stale_failures[side]);
    }
  });
}

void Metrics::add_store(Exposition& page, const LiveFacts& live) const {
  page.gauge("tidegate_store_connected", "1 while decisions can be stored.").add({}, live.store.connected);
  page.counter("tidegate_store_failures_total", "Attempts to store a decision that failed.")
      .add({}, live.store.failures);
  page.gauge("tidegate_store_pending", "Decisions that are in force and not yet stored.")
      .add({}, static_cast<std::uint64_t>(live.store.pending));
  auto reloads = page.counter("tidegate_config_reloads_total", "Reloads of the configuration, by what came of them.");
  reloads.add({{"result", "success"}}, live.reloads);
  reloads.add({{"result", "failure"}}, live.failed_reloads);
  page.gauge("tidegate_config_last_reload_success_timestamp_seconds", "When the configuration in force was read.")
      .add({}, static_cast<double>(live.reloaded_ms) / 1000.0);
  page.gauge("tidegate_epoch", "Number of the last decision.").add({}, live.epoch);
}

void Metrics::add_identity(Exposition& page) const {
  page.gauge("tidegate_build_info", "Always 1; the version is in the label.").add({{"version", setup_.version}}, 1.0);
  auto routes = page.gauge("tidegate_route_info", "Always 1; which cluster plays which side of a route.");
  for (const Route& route : setup_.routes) {
    for (const Side side : {Side::Old, Side::New}) {
      routes.add({{"route", route.name}, {"side", name(side)}, {"cluster", route.clusters[side]}}, 1.0);
    }
  }
}

void Metrics::add_process(Exposition& page) const {
  if (const auto stat = read_process_stat()) {
    page.counter("process_cpu_seconds_total", "User and system CPU time.").add({}, stat->cpu_seconds);
    page.gauge("process_resident_memory_bytes", "Resident memory.").add({}, stat->resident_bytes);
    page.gauge("process_virtual_memory_bytes", "Virtual memory.").add({}, stat->virtual_bytes);
    page.gauge("process_threads", "Threads.").add({}, stat->threads);
  }
  if (const auto open = count_open_descriptors()) {
    page.gauge("process_open_fds", "Open file descriptors.").add({}, *open);
  }
  if (const auto most = descriptor_limit()) {
    page.gauge("process_max_fds", "Most file descriptors that may be open.").add({}, *most);
  }
  page.gauge("process_start_time_seconds", "Start of the process since the Unix epoch.")
      .add({}, static_cast<double>(setup_.started_ms) / 1000.0);
}

}  // namespace tidegate::observe
