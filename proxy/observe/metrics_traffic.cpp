// The part of Metrics that folds what the workers count.
#include <algorithm>
#include <array>

#include "observe/metrics.h"

namespace tidegate::observe {

namespace {

constexpr std::string_view kNone = "none";
constexpr std::array kBothSides{Side::Old, Side::New};
constexpr std::array kUsualMethods{http::Method::Get,   http::Method::Head,   http::Method::Post,   http::Method::Put,
                                   http::Method::Patch, http::Method::Delete, http::Method::Options};
constexpr std::array<std::uint16_t, 7> kUsualStatuses{200, 404, 499, 500, 502, 503, 504};

template <class Array, class T>
bool contains(const Array& values, T value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

bool is_usual(http::Method method, std::uint16_t status) {
  return contains(kUsualMethods, method) && contains(kUsualStatuses, status);
}

/// The usual ones are there at 0; the others when they happened.
void add_side(Exposition::Family& family, const RequestTotals& seen, std::string_view route, std::string_view side,
              bool with_usual) {
  const auto add = [&](http::Method method, std::uint16_t status, std::uint64_t count) {
    const std::string text = std::to_string(status);
    family.add({{"route", route}, {"side", side}, {"method", http::label(method)}, {"status", text}}, count);
  };
  if (with_usual) {
    for (const http::Method method : kUsualMethods) {
      for (const std::uint16_t status : kUsualStatuses) add(method, status, seen.count(method, status));
    }
  }
  seen.for_each([&](http::Method method, std::uint16_t status, std::uint64_t count) {
    if (!with_usual || !is_usual(method, status)) add(method, status, count);
  });
}

}  // namespace

void Metrics::add_requests(Exposition& page) const {
  auto family = page.counter("http_requests_total",
                             "Requests by what the client saw; status 499: the client left; side none: answered before "
                             "a side was chosen.");
  for (std::size_t i = 0; i < setup_.routes.size(); ++i) {
    const std::string& route = setup_.routes[i].name;
    for (const Side side : kBothSides) add_side(family, requests(i, side), route, name(side), true);
    add_side(family, requests_without_side(i), route, kNone, false);
  }
  add_side(family, requests_without_route(), kNone, kNone, false);
}

void Metrics::add_grpc(Exposition& page) const {
  auto family = page.counter("grpc_requests_total", "Calls of gRPC by the status that the client saw.");
  for (std::size_t i = 0; i < setup_.routes.size(); ++i) {
    for (const Side side : kBothSides) {
      for (std::size_t code = 0; code < http::kGrpcCodes; ++code) {
        family.add({{"route", setup_.routes[i].name}, {"side", name(side)}, {"grpc_code", std::to_string(code)}},
                   sum([=](const ConfiguredCounters& c) { return c.routes[i].grpc[side][code].read(); }));
      }
    }
  }
}

void Metrics::add_durations(Exposition& page) const {
  auto family = page.histogram("http_request_duration_seconds",
                               "Time from a request's first byte until its response was sent, by what the client saw.");
  const auto add_if_any = [&family](const std::string_view route, const LatencyTotals& totals) {
    if (totals.count() > 0) family.add({{"route", route}, {"side", kNone}}, totals);
  };
  for (std::size_t i = 0; i < setup_.routes.size(); ++i) {
    const std::string& route = setup_.routes[i].name;
    for (const Side side : kBothSides) {
      family.add({{"route", route}, {"side", name(side)}}, requests(i, side).latency());
    }
    add_if_any(route, requests_without_side(i).latency());
  }
  add_if_any(kNone, requests_without_route().latency());
}

void Metrics::add_retries(Exposition& page) const {
  auto retries = page.counter("tidegate_retries_total", "Attempts that were retries, by the side they went to.");
  auto rescued = page.counter("tidegate_retries_rescued_total",
                              "Retries that gave the client a good answer, by the side that gave it.");
  auto hedges = page.counter("tidegate_hedges_total",
                             "Second attempts beside one that took unusually long, by which of the two answered (won: the second).");
  auto in_flight = page.gauge("tidegate_http_requests_in_flight", "Requests that are being answered.");
  auto upgraded = page.gauge("tidegate_upgraded_connections", "Connections that stopped being HTTP (WebSocket) and are open.");
  for (std::size_t i = 0; i < setup_.routes.size(); ++i) {
    const std::string& route = setup_.routes[i].name;
    for (const Side side : kBothSides) {
      const Exposition::Labels labels = {{"route", route}, {"side", name(side)}};
      upgraded.add(labels, sum([=](const ConfiguredCounters& c) { return c.routes[i].upgraded[side].read(); }));
      rescued.add(labels, sum([=](const ConfiguredCounters& c) { return c.routes[i].rescued[side].read(); }));
      retries.add(labels, sum([=](const ConfiguredCounters& c) { return c.routes[i].retries[side].read(); }));
      for (const bool won : {false, true}) {
        hedges.add({{"route", route}, {"side", name(side)}, {"result", won ? "won" : "lost"}},
                   sum([=](const ConfiguredCounters& c) { return c.routes[i].hedges[side][won].read(); }));
      }
    }
    in_flight.add({{"route", route}}, sum([i](const ConfiguredCounters& c) { return c.routes[i].in_flight.read(); }));
  }
}

void Metrics::add_mirror(Exposition& page) const {
  auto requests = page.counter("tidegate_mirror_requests_total",
                               "Requests that the mirror was offered (received) and answered copies (mirrored).");
  auto dropped = page.counter("tidegate_mirror_dropped_total",
                              "Requests without an answered copy; received = mirrored + in flight + these.");
  auto in_flight = page.gauge("tidegate_mirror_in_flight", "Copies that wait for their answer.");
  for (std::size_t i = 0; i < setup_.routes.size(); ++i) {
    if (!setup_.routes[i].has_mirror) continue;
    const std::string& route = setup_.routes[i].name;
    const MirrorTotals totals = mirror_totals(i);
    requests.add({{"route", route}, {"result", "received"}}, totals.received);
    requests.add({{"route", route}, {"result", "mirrored"}}, totals.mirrored);
    for (std::size_t why = 0; why < kMirrorDropCount; ++why) {
      dropped.add({{"route", route}, {"reason", name(static_cast<MirrorDrop>(why))}}, totals.dropped[why]);
    }
    in_flight.add({{"route", route}}, totals.in_flight);
  }
}

void Metrics::add_upstream(Exposition& page) const {
  auto failures = page.counter("tidegate_upstream_failures_total", "Attempts that failed, by the reason.");
  auto connections = page.gauge("tidegate_upstream_connections", "Open connections to a cluster.");
  auto connects = page.counter("tidegate_upstream_connects_total", "Connections that were made to a cluster.");
  for (std::size_t i = 0; i < setup_.clusters.size(); ++i) {
    const std::string& cluster = setup_.clusters[i];
    for (std::size_t why = static_cast<std::size_t>(Failure::None) + 1; why < kFailureCount; ++why) {
      failures.add({{"cluster", cluster}, {"reason", name(static_cast<Failure>(why))}},
                   sum([=](const ConfiguredCounters& c) { return c.clusters[i].failures[why].read(); }));
    }
    connections.add({{"cluster", cluster}, {"state", "active"}},
                    sum([i](const ConfiguredCounters& c) { return c.clusters[i].active.read(); }));
    connections.add({{"cluster", cluster}, {"state", "idle"}},
                    sum([i](const ConfiguredCounters& c) { return c.clusters[i].idle.read(); }));
    connects.add({{"cluster", cluster}}, sum([i](const ConfiguredCounters& c) { return c.clusters[i].connects.read(); }));
  }
  add_health(page);
}

void Metrics::add_health(Exposition& page) const {
  auto checks = page.counter("tidegate_health_checks_total", "Active health checks of a cluster's addresses.");
  auto ejections = page.counter("tidegate_outlier_ejections_total", "Times that an address was left out for failures in a row.");
  for (std::size_t i = 0; i < setup_.clusters.size(); ++i) {
    const std::string& cluster = setup_.clusters[i];
    checks.add({{"cluster", cluster}, {"result", "passed"}},
               sum([i](const ConfiguredCounters& c) { return c.clusters[i].checks_passed.read(); }));
    checks.add({{"cluster", cluster}, {"result", "failed"}},
               sum([i](const ConfiguredCounters& c) { return c.clusters[i].checks_failed.read(); }));
    ejections.add({{"cluster", cluster}}, sum([i](const ConfiguredCounters& c) { return c.clusters[i].ejections.read(); }));
  }
  auto spilled = page.counter("tidegate_spilled_requests_total",
                              "Requests that went to the other side because this one had no healthy endpoint.");
  for (std::size_t i = 0; i < setup_.routes.size(); ++i) {
    for (const Side side : {Side::Old, Side::New}) {
      spilled.add({{"route", setup_.routes[i].name}, {"side", name(side)}},
                  sum([i, side](const ConfiguredCounters& c) { return c.routes[i].spilled[side].read(); }));
    }
  }
}

void Metrics::add_downstream(Exposition& page, std::uint64_t access_log_lost) const {
  page.gauge("tidegate_downstream_connections", "Open client connections.")
      .add({}, sum([](const WorkerCounters& w) { return w.sessions.read(); }));
  page.counter("tidegate_downstream_connections_total", "Client connections that were accepted.")
      .add({}, sum([](const WorkerCounters& w) { return w.accepted.read(); }));
  page.counter("tidegate_downstream_connections_refused_total", "Client connections that were closed as soon as they were accepted.")
      .add({{"reason", "client_limit"}}, sum([](const WorkerCounters& w) { return w.client_refused.read(); }));
  page.counter("tidegate_shed_requests_total", "Requests refused with 503 before they were sent anywhere.")
      .add({{"reason", "memory"}}, sum([](const WorkerCounters& w) { return w.shed.read(); }));
  auto slow = page.counter("tidegate_downstream_slow_total", "Exchanges that were ended because their client was below the least rate.");
  slow.add({{"direction", "request"}}, sum([](const WorkerCounters& w) { return w.slow_requests.read(); }));
  slow.add({{"direction", "response"}}, sum([](const WorkerCounters& w) { return w.slow_responses.read(); }));
  auto refused = page.counter("tidegate_proxy_protocol_refused_total",
                              "Client connections that were closed because of their PROXY header, or the want of one.");
  for (const auto why : {net::ProxyRefusal::Untrusted, net::ProxyRefusal::Malformed, net::ProxyRefusal::Timeout,
                         net::ProxyRefusal::Incomplete}) {
    refused.add({{"reason", net::name(why)}},
                sum([why](const WorkerCounters& w) { return w.proxy_refused[static_cast<std::size_t>(why)].read(); }));
  }
  page.counter("tidegate_access_log_dropped_total", "Lines of the access log that were not written.")
      .add({}, access_log_lost + sum([](const WorkerCounters& w) { return w.access_log_dropped.read(); }));
}

}  // namespace tidegate::observe
