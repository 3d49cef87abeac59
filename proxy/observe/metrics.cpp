#include "observe/metrics.h"

namespace tidegate::observe {

namespace {

/// One view of what `pick` finds in every worker.
template <class Counters, class Pick>
RequestTotals gather(const std::vector<const Counters*>& workers, Pick pick) {
  std::vector<const SideCounters*> parts;
  parts.reserve(workers.size());
  for (const Counters* worker : workers) parts.push_back(&pick(*worker));
  return RequestTotals(std::move(parts));
}

std::optional<double> to_ms(std::optional<double> seconds) {
  if (seconds) *seconds *= 1000.0;
  return seconds;
}

}  // namespace

std::string Metrics::text(const LiveFacts& live) const {
  Exposition page;
  add_requests(page);
  add_grpc(page);
  add_durations(page);
  add_weights(page, live);
  add_gate(page, live);
  add_evidence(page, live);
  add_reverts(page, live);
  add_rollouts(page, live);
  add_notifications(page, live);
  add_mirror(page);
  add_upstream(page);
  add_resolutions(page, live);
  add_endpoints(page, live);
  add_retries(page);
  add_downstream(page, live.access_log_lost);
  add_handshakes(page);
  add_certificates(page, live);
  add_store(page, live);
  add_identity(page);
  add_process(page);
  return page.text();
}

RouteTotals Metrics::totals(std::size_t route) const {
  RouteTotals totals;
  for (const Side side : {Side::Old, Side::New}) totals.sides[side] = side_totals(route, side);
  totals.in_flight = sum([route](const ConfiguredCounters& c) { return c.routes[route].in_flight.read(); });
  totals.mirror = mirror_totals(route);
  return totals;
}

SideTotals Metrics::side_totals(std::size_t route, Side side) const {
  const RequestTotals seen = requests(route, side);
  SideTotals totals;
  seen.for_each([&totals](http::Method, std::uint16_t status, std::uint64_t count) {
    totals.requests += count;
    if (status >= 500) totals.failures += count;
  });
  const LatencyTotals latency = seen.latency();
  totals.p50_ms = to_ms(latency.quantile(0.50));
  totals.p99_ms = to_ms(latency.quantile(0.99));
  return totals;
}

/// What came of the copies is read before how many there were, so that a scrape in between does not show more results
/// than requests.
MirrorTotals Metrics::mirror_totals(std::size_t route) const {
  MirrorTotals totals;
  for (const ConfiguredCounters* worker : setup_.configured) {
    const MirrorCounters& from = worker->routes[route].mirror;
    for (std::size_t i = 0; i < kMirrorDropCount; ++i) totals.dropped[i] += from.dropped[i].read();
    totals.mirrored += from.mirrored.read();
    totals.in_flight += from.in_flight.read();
    totals.received += from.received.read();
  }
  return totals;
}

RequestTotals Metrics::requests(std::size_t route, Side side) const {
  return gather(setup_.configured,
                [=](const ConfiguredCounters& c) -> const SideCounters& { return c.routes[route].sides[side]; });
}

RequestTotals Metrics::requests_without_side(std::size_t route) const {
  return gather(setup_.configured,
                [=](const ConfiguredCounters& c) -> const SideCounters& { return c.routes[route].no_side; });
}

RequestTotals Metrics::requests_without_route() const {
  return gather(setup_.workers, [](const WorkerCounters& w) -> const SideCounters& { return w.unrouted; });
}

}  // namespace tidegate::observe
