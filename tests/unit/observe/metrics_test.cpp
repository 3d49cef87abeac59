#include "observe/metrics.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "scratch.h"

namespace tidegate::observe {
namespace {

using namespace std::chrono_literals;
using http::Method;

/// Two workers, two routes (the second with a mirror), two clusters.
class MetricsPage : public ::testing::Test {
 protected:
  MetricsPage() {
    Metrics::Setup setup;
    PerSide<std::string> clusters;
    clusters[Side::Old] = "blue";
    clusters[Side::New] = "green";
    setup.routes = {{"api", clusters, false}, {"web", clusters, true}};
    setup.clusters = {"blue", "green"};
    setup.workers = {&first, &second};
    for (ConfiguredCounters* const worker : {&first_configured, &second_configured}) {
      for (int i = 0; i < 2; ++i) worker->routes.add(std::make_shared<RouteCounters>());
      for (int i = 0; i < 2; ++i) worker->clusters.add(std::make_shared<ClusterCounters>());
      setup.configured.push_back(worker);
    }
    setup.version = "1.2.3";
    setup.started_ms = 1'785'501'296'500;
    metrics = std::make_unique<Metrics>(std::move(setup));
    live.routes.resize(2);
    live.routes[0].name = "api";
    live.routes[1].name = "web";
    for (LiveRoute& route : live.routes) {
      route.reverts = {{"error_rate", 0}, {"hard_breaker", 0}, {"operator", 0}};
      route.holds = {{"shared_degradation", 0}, {"pause", 0}, {"notify", 0}};
      route.streams = {{gate::Stream::Errors, {}, {12.5, 9.0, 3.0}}};
    }
  }

  /// Samples by name and labels, as they are written.
  std::map<std::string, std::string> page() {
    std::map<std::string, std::string> samples;
    for (const std::string& line : test::lines(metrics->text(live))) {
      if (line.starts_with("#")) continue;
      const std::size_t blank = line.rfind(' ');
      EXPECT_TRUE(samples.emplace(line.substr(0, blank), line.substr(blank + 1)).second) << "twice: " << line;
    }
    return samples;
  }
  std::string sample(const std::string& series) {
    const auto samples = page();
    const auto found = samples.find(series);
    return found == samples.end() ? "absent" : found->second;
  }

  WorkerCounters first, second;
  ConfiguredCounters first_configured, second_configured;
  LiveFacts live;
  std::unique_ptr<Metrics> metrics;
};

TEST_F(MetricsPage, EverySeriesThatAnErrorRateNeedsIsThereAtZeroBeforeTheFirstRequest) {
  const auto samples = page();
  for (const std::string route : {"api", "web"}) {
    for (const std::string side : {"old", "new"}) {
      for (const std::string method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
        for (const std::string status : {"200", "404", "499", "500", "502", "503", "504"}) {
          const std::string series = "http_requests_total{route=\"" + route + "\",side=\"" + side + "\",method=\"" +
                                     method + "\",status=\"" + status + "\"}";
          ASSERT_TRUE(samples.contains(series)) << series;
          EXPECT_EQ(samples.at(series), "0");
        }
      }
      const std::string labels = "{route=\"" + route + "\",side=\"" + side + "\"";
      EXPECT_TRUE(samples.contains("http_request_duration_seconds_count" + labels + "}"));
      EXPECT_TRUE(samples.contains("tidegate_retries_total" + labels + "}"));
    }
  }
  for (const auto& [series, value] : samples) EXPECT_EQ(series.find("\"none\""), std::string::npos) << series;
}

TEST_F(MetricsPage, ACountIsTheSumOverTheWorkers) {
  first_configured.routes[0].sides[Side::New].add(Method::Get, 503);
  first_configured.routes[0].sides[Side::New].add(Method::Get, 503);
  second_configured.routes[0].sides[Side::New].add(Method::Get, 503);
  second_configured.routes[0].sides[Side::Old].add(Method::Get, 503);
  first_configured.clusters[1].fail(Failure::Timeout);
  second_configured.clusters[1].fail(Failure::Timeout);
  first_configured.clusters[1].idle.add(3);
  second_configured.clusters[1].idle.add(-1);
  first.sessions.add(5);
  second.accepted.add(7);
  first_configured.routes[0].retries[Side::Old].add();
  second_configured.routes[0].rescued[Side::Old].add();
  first.access_log_dropped.add(2);
  live.access_log_lost = 3;
  EXPECT_EQ(sample(R"(http_requests_total{route="api",side="new",method="GET",status="503"})"), "3");
  EXPECT_EQ(sample(R"(http_requests_total{route="api",side="old",method="GET",status="503"})"), "1");
  EXPECT_EQ(sample(R"(http_requests_total{route="web",side="new",method="GET",status="503"})"), "0");
  EXPECT_EQ(sample(R"(tidegate_upstream_failures_total{cluster="green",reason="timeout"})"), "2");
  EXPECT_EQ(sample(R"(tidegate_upstream_failures_total{cluster="blue",reason="timeout"})"), "0");
  EXPECT_EQ(sample(R"(tidegate_upstream_connections{cluster="green",state="idle"})"), "2");
  EXPECT_EQ(sample("tidegate_downstream_connections"), "5");
  EXPECT_EQ(sample("tidegate_downstream_connections_total"), "7");
  EXPECT_EQ(sample(R"(tidegate_retries_total{route="api",side="old"})"), "1");
  EXPECT_EQ(sample(R"(tidegate_retries_rescued_total{route="api",side="old"})"), "1");
  EXPECT_EQ(sample("tidegate_access_log_dropped_total"), "5");
}

TEST_F(MetricsPage, OtherMethodsAndStatusesAppearWhenTheyHappen) {
  const std::string teapot = R"(http_requests_total{route="api",side="old",method="GET",status="418"})";
  const std::string other = R"(http_requests_total{route="api",side="old",method="OTHER",status="200"})";
  EXPECT_EQ(sample(teapot), "absent");
  EXPECT_EQ(sample(other), "absent");
  first_configured.routes[0].sides[Side::Old].add(Method::Get, 418);
  first_configured.routes[0].sides[Side::Old].add(Method::Other, 200);
  EXPECT_EQ(sample(teapot), "1");
  EXPECT_EQ(sample(other), "1");
}

TEST_F(MetricsPage, WhatWasAnsweredWithoutASideOrARouteIsNoSidesRequest) {
  first_configured.routes[0].no_side.add(Method::Get, 503);
  first_configured.routes[0].no_side.latency.add(1ms);
  second.unrouted.add(Method::Other, 400);
  second.unrouted.latency.add(1ms);
  EXPECT_EQ(sample(R"(http_requests_total{route="api",side="none",method="GET",status="503"})"), "1");
  EXPECT_EQ(sample(R"(http_requests_total{route="none",side="none",method="OTHER",status="400"})"), "1");
  EXPECT_EQ(sample(R"(http_request_duration_seconds_count{route="api",side="none"})"), "1");
  EXPECT_EQ(sample(R"(http_request_duration_seconds_count{route="none",side="none"})"), "1");
  EXPECT_EQ(sample(R"(http_requests_total{route="none",side="none",method="GET",status="500"})"), "absent");
}

TEST_F(MetricsPage, BucketsSumAndCountOfAHistogramAgree) {
  first_configured.routes[0].sides[Side::New].latency.add(3ms);
  second_configured.routes[0].sides[Side::New].latency.add(700ms);
  second_configured.routes[0].sides[Side::New].latency.add(20s);
  const auto bucket = [this](const std::string& bound) {
    return sample("http_request_duration_seconds_bucket{route=\"api\",side=\"new\",le=\"" + bound + "\"}");
  };
  EXPECT_EQ(bucket("0.0005"), "0");
  EXPECT_EQ(bucket("0.0025"), "0");
  EXPECT_EQ(bucket("0.005"), "1");
  EXPECT_EQ(bucket("0.5"), "1");
  EXPECT_EQ(bucket("0.75"), "2");
  EXPECT_EQ(bucket("10"), "2");
  EXPECT_EQ(bucket("+Inf"), "3");
  EXPECT_EQ(sample(R"(http_request_duration_seconds_count{route="api",side="new"})"), "3");
  EXPECT_DOUBLE_EQ(std::stod(sample(R"(http_request_duration_seconds_sum{route="api",side="new"})")), 20.703);
}

TEST_F(MetricsPage, ShowsWeightsAsRatios) {
  live.routes[0].wanted = Weight::of_units(1'250);
  live.routes[0].effective = Weight::none();
  live.routes[1].mirror = Weight::whole();
  EXPECT_EQ(sample(R"(tidegate_weight_ratio{route="api",kind="wanted"})"), "0.125");
  EXPECT_EQ(sample(R"(tidegate_weight_ratio{route="api",kind="effective"})"), "0");
  EXPECT_EQ(sample(R"(tidegate_mirror_ratio{route="web"})"), "1");
  EXPECT_EQ(sample(R"(tidegate_mirror_ratio{route="api"})"), "absent");
}

TEST_F(MetricsPage, ExactlyOneVerdictAndOneReasonHold) {
  live.routes[0].verdict = gate::Verdict::Fail;
  live.routes[0].reason = gate::Reason::ErrorRate;
  const auto samples = page();
  std::map<std::string, int> held, known;
  for (const auto& [series, value] : samples) {
    for (const std::string family : {"tidegate_gate_verdict{route=\"api\"", "tidegate_gate_reason{route=\"api\""}) {
      if (!series.starts_with(family)) continue;
      ++known[family];
      held[family] += value == "1";
    }
  }
  EXPECT_EQ(known[R"(tidegate_gate_verdict{route="api")"], 4);
  EXPECT_EQ(known[R"(tidegate_gate_reason{route="api")"], 9);
  for (const auto& [family, count] : held) EXPECT_EQ(count, 1) << family;
  EXPECT_EQ(samples.at(R"(tidegate_gate_verdict{route="api",verdict="fail"})"), "1");
  EXPECT_EQ(samples.at(R"(tidegate_gate_verdict{route="web",verdict="inconclusive"})"), "1");
  EXPECT_EQ(samples.at(R"(tidegate_gate_reason{route="api",reason="error_rate"})"), "1");
}

TEST_F(MetricsPage, EvidenceStandsBesideItsThresholdAndNoneIsMinusInfinity) {
  live.routes[0].streams[0].statistics.s_new = 4.5;
  live.routes[0].old_suspect = true;
  live.routes[0].latched = true;
  EXPECT_EQ(sample(R"(tidegate_gate_statistic{route="api",stream="errors",statistic="s_new"})"), "4.5");
  EXPECT_EQ(sample(R"(tidegate_gate_threshold{route="api",stream="errors",statistic="s_new"})"), "12.5");
  EXPECT_EQ(sample(R"(tidegate_gate_statistic{route="api",stream="errors",statistic="s_rel"})"), "-Inf");
  EXPECT_EQ(sample(R"(tidegate_gate_threshold{route="api",stream="errors",statistic="s_rel"})"), "9");
  EXPECT_EQ(sample(R"(tidegate_gate_threshold{route="api",stream="errors",statistic="s_prom"})"), "3");
  EXPECT_EQ(sample(R"(tidegate_gate_threshold{route="api",stream="errors",statistic="s_old"})"), "6");
  EXPECT_EQ(sample(R"(tidegate_gate_old_suspect{route="api"})"), "1");
  EXPECT_EQ(sample(R"(tidegate_gate_latched{route="api"})"), "1");
  EXPECT_EQ(sample(R"(tidegate_gate_latched{route="web"})"), "0");
}

TEST_F(MetricsPage, EveryReasonOfARevertAndEveryStaleFailureIsShown) {
  live.routes[0].reverts[1].count = 2;
  live.routes[0].stale_failures[Side::New] = 4;
  EXPECT_EQ(sample(R"(tidegate_reverts_total{route="api",reason="error_rate"})"), "0");
  EXPECT_EQ(sample(R"(tidegate_reverts_total{route="api",reason="hard_breaker"})"), "2");
  EXPECT_EQ(sample(R"(tidegate_reverts_total{route="api",reason="operator"})"), "0");
  EXPECT_EQ(sample(R"(tidegate_gate_stale_failures_total{route="api",side="new"})"), "4");
}

TEST_F(MetricsPage, EveryReasonToDropACopyIsShownOnlyForRoutesThatMirror) {
  first_configured.routes[1].mirror.received.add(5);
  first_configured.routes[1].mirror.mirrored.add(2);
  second_configured.routes[1].mirror.drop(MirrorDrop::ClientAbort);
  second_configured.routes[1].mirror.in_flight.add(1);
  EXPECT_EQ(sample(R"(tidegate_mirror_requests_total{route="web",result="received"})"), "5");
  EXPECT_EQ(sample(R"(tidegate_mirror_requests_total{route="web",result="mirrored"})"), "2");
  EXPECT_EQ(sample(R"(tidegate_mirror_in_flight{route="web"})"), "1");
  for (const std::string reason : {"method", "percent", "rate", "concurrency", "buffer", "timeout", "connect", "reset",
                                   "protocol", "client_abort", "shutdown", "upgrade", "bidirectional"}) {
    EXPECT_EQ(sample("tidegate_mirror_dropped_total{route=\"web\",reason=\"" + reason + "\"}"),
              reason == "client_abort" ? "1" : "0");
    EXPECT_EQ(sample("tidegate_mirror_dropped_total{route=\"api\",reason=\"" + reason + "\"}"), "absent");
  }
}

TEST_F(MetricsPage, EveryReasonOfAnUpstreamFailureIsShownAndNoneIsNotAReason) {
  for (const std::string reason : {"connect", "timeout", "reset", "protocol", "status", "overflow", "canceled"}) {
    EXPECT_EQ(sample("tidegate_upstream_failures_total{cluster=\"blue\",reason=\"" + reason + "\"}"), "0");
  }
  EXPECT_EQ(sample(R"(tidegate_upstream_failures_total{cluster="blue",reason="none"})"), "absent");
}

TEST_F(MetricsPage, TellsOfTheStoreTheBuildAndTheProcess) {
  live.store = {false, 3, 2};
  live.epoch = 41;
  const auto samples = page();
  EXPECT_EQ(samples.at("tidegate_store_connected"), "0");
  EXPECT_EQ(samples.at("tidegate_store_failures_total"), "3");
  EXPECT_EQ(samples.at("tidegate_store_pending"), "2");
  EXPECT_EQ(samples.at("tidegate_epoch"), "41");
  EXPECT_EQ(samples.at(R"(tidegate_build_info{version="1.2.3"})"), "1");
  EXPECT_EQ(samples.at(R"(tidegate_route_info{route="api",side="new",cluster="green"})"), "1");
  EXPECT_EQ(samples.at("process_start_time_seconds"), "1785501296.5");
  for (const std::string name : {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds",
                                 "process_virtual_memory_bytes", "process_max_fds", "process_threads"}) {
    EXPECT_TRUE(samples.contains(name)) << name;
  }
}

TEST_F(MetricsPage, ClustersWithNamesShowWhatAskingForThemCameTo) {
  live.resolutions = {{"blue", {{"success", 7}, {"nxdomain", 2}}, 3}};
  const auto samples = page();
  EXPECT_EQ(samples.at(R"(tidegate_dns_resolutions_total{cluster="blue",result="success"})"), "7");
  EXPECT_EQ(samples.at(R"(tidegate_dns_resolutions_total{cluster="blue",result="nxdomain"})"), "2");
  EXPECT_EQ(samples.at(R"(tidegate_dns_addresses{cluster="blue"})"), "3");
}

TEST_F(MetricsPage, EveryAddressShowsItsHealthAndWhetherItIsLeftOut) {
  live.endpoints = {{"blue", "lb:1", "10.0.0.1:1", false, false}, {"blue", "lb:1", "10.0.0.2:1", true, true}};
  const auto samples = page();
  EXPECT_EQ(samples.at(R"(tidegate_upstream_healthy{cluster="blue",endpoint="lb:1",address="10.0.0.1:1"})"), "0");
  EXPECT_EQ(samples.at(R"(tidegate_upstream_ejected{cluster="blue",endpoint="lb:1",address="10.0.0.1:1"})"), "0");
  EXPECT_EQ(samples.at(R"(tidegate_upstream_healthy{cluster="blue",endpoint="lb:1",address="10.0.0.2:1"})"), "1");
  EXPECT_EQ(samples.at(R"(tidegate_upstream_ejected{cluster="blue",endpoint="lb:1",address="10.0.0.2:1"})"), "1");
}

TEST_F(MetricsPage, BeforeTheControlThreadHasSpokenTheTrafficIsShown) {
  live = LiveFacts();
  EXPECT_EQ(sample(R"(http_requests_total{route="api",side="old",method="GET",status="200"})"), "0");
  EXPECT_EQ(sample(R"(tidegate_weight_ratio{route="api",kind="wanted"})"), "absent");
}

TEST_F(MetricsPage, EveryFamilyHasHelpTypeAndSamples) {
  std::set<std::string> helped, typed, sampled;
  for (const std::string& line : test::lines(metrics->text(live))) {
    const auto word = [&line](std::size_t from) { return line.substr(from, line.find_first_of(" {", from) - from); };
    if (line.starts_with("# HELP ")) {
      EXPECT_GT(line.size(), 7 + word(7).size() + 1) << line;
      helped.insert(word(7));
    } else if (line.starts_with("# TYPE ")) {
      typed.insert(word(7));
    } else {
      sampled.insert(word(0));
    }
  }
  EXPECT_EQ(helped, typed);
  for (const std::string& name : typed) {
    EXPECT_TRUE(sampled.contains(name) || sampled.contains(name + "_bucket")) << name;
  }
}

TEST_F(MetricsPage, PromtoolFindsNothingToSay) {
  if (std::system("command -v promtool > /dev/null 2>&1") != 0) GTEST_SKIP() << "promtool is not installed";
  first_configured.routes[0].sides[Side::New].add(Method::Get, 503);
  first_configured.routes[0].no_side.add(Method::Get, 503);
  first.unrouted.add(Method::Other, 400);
  first.unrouted.latency.add(1ms);
  const test::Scratch scratch;
  std::ofstream(scratch.path("page")) << metrics->text(live);
  const std::string command =
      "promtool check metrics < '" + scratch.path("page") + "' > '" + scratch.path("said") + "' 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(test::content(scratch.path("said")), "");
}

TEST_F(MetricsPage, WhatAWorkerCountsMeanwhileNeverMakesACounterGoBack) {
  std::atomic<bool> stop{false};
  std::thread worker([&] {
    while (!stop.load()) {
      first_configured.routes[0].sides[Side::New].add(Method::Trace, 200);
      first_configured.routes[0].sides[Side::New].latency.add(1ms);
    }
  });
  std::uint64_t last = 0;
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t now = metrics->totals(0).sides[Side::New].requests;
    EXPECT_GE(now, last);
    last = now;
  }
  stop.store(true);
  worker.join();
}

TEST_F(MetricsPage, TotalsOfARouteAreWhatStatusShows) {
  RouteCounters& one = first_configured.routes[1];
  RouteCounters& two = second_configured.routes[1];
  for (int i = 0; i < 98; ++i) one.sides[Side::New].add(Method::Get, 200);
  one.sides[Side::New].add(Method::Post, 404);
  two.sides[Side::New].add(Method::Get, 503);
  two.sides[Side::New].add(Method::Connect, 599);
  for (int i = 0; i < 100; ++i) one.sides[Side::New].latency.add(7ms);
  one.in_flight.add(3);
  two.in_flight.add(-1);
  one.mirror.received.add(10);
  two.mirror.drop(MirrorDrop::Rate);
  const RouteTotals totals = metrics->totals(1);
  EXPECT_EQ(totals.sides[Side::New].requests, 101u);
  EXPECT_EQ(totals.sides[Side::New].failures, 2u);
  EXPECT_DOUBLE_EQ(*totals.sides[Side::New].p50_ms, 7.5);
  EXPECT_DOUBLE_EQ(*totals.sides[Side::New].p99_ms, 9.95);
  EXPECT_EQ(totals.sides[Side::Old].requests, 0u);
  EXPECT_FALSE(totals.sides[Side::Old].p99_ms);
  EXPECT_EQ(totals.in_flight, 2);
  EXPECT_EQ(totals.mirror.received, 10u);
  EXPECT_EQ(totals.mirror.dropped[static_cast<std::size_t>(MirrorDrop::Rate)], 1u);
}

}  // namespace
}  // namespace tidegate::observe
