// No cache line that one worker writes for a request is written by another worker, or by control (PRODUCT §6): two of
// everything, made one worker after the other as the composition root makes them, and the lines that they lie on compared.
// What a worker makes on its own thread (sessions, exchanges, connections, rows of counters) comes from its thread's arena
// and is not looked at.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "forward/worker.h"
#include "gate/counters.h"
#include "observe/access_sink.h"
#include "observe/counters.h"
#include "route/snapshot.h"

namespace tidegate::budget {
namespace {

constexpr std::uintptr_t kLine = 64;  // x86-64 and most of arm64

/// Who writes a line, and with which of its parts.
struct Owner {
  std::string who;
  std::string part;
};

/// Tells every line that has two owners.
class Lines {
 public:
  template <class T>
  void add(const std::string& who, const std::string& part, const T& object) {
    const auto begin = reinterpret_cast<std::uintptr_t>(&object);
    for (std::uintptr_t line = begin / kLine; line * kLine < begin + sizeof(T); ++line) {
      const auto [at, is_new] = owners_.try_emplace(line, Owner{who, part});
      if (!is_new && at->second.who != who) {
        shared_ += at->second.who + "'s " + at->second.part + " and " + who + "'s " + part + "\n";
      }
    }
  }
  const std::string& shared() const noexcept { return shared_; }

 private:
  std::map<std::uintptr_t, Owner> owners_;
  std::string shared_;
};

struct WorkerParts {
  std::unique_ptr<observe::WorkerCounters> counters;
  std::unique_ptr<observe::ConfiguredCounters> configured;
  std::vector<std::unique_ptr<gate::Ledger>> ledgers;
  std::unique_ptr<observe::AccessSink> sink;
  std::unique_ptr<forward::Worker> worker;
};

constexpr std::size_t kRoutes = 3;
constexpr std::size_t kClusters = 2;

route::Snapshot snapshot() {
  std::vector<route::Route> routes(kRoutes);
  for (std::size_t i = 0; i < kRoutes; ++i) {
    routes[i].index = i;
    routes[i].clusters = {{0, 1}};
    routes[i].policy.mirror.emplace();
  }
  return route::Snapshot(std::move(routes));
}

WorkerParts make(std::size_t index, const route::Snapshot& routes, const std::vector<upstream::ClusterPolicy>& clusters,
                 const observe::WakeUp& wake) {
  WorkerParts parts;
  parts.counters = std::make_unique<observe::WorkerCounters>();
  parts.configured = std::make_unique<observe::ConfiguredCounters>();
  const auto bounds = std::make_shared<const std::vector<double>>(observe::latency_bounds({}));
  for (std::size_t i = 0; i < kRoutes; ++i) parts.configured->routes.add(observe::make_route_counters(bounds));
  for (std::size_t i = 0; i < kClusters; ++i) parts.configured->clusters.add(std::make_shared<observe::ClusterCounters>());
  parts.sink = std::make_unique<observe::AccessSink>(4096, 1.0, parts.counters->access_log_dropped, wake);
  forward::WorkerSetup setup;
  setup.index = index;
  setup.count = 2;
  setup.counters = parts.counters.get();
  setup.access_log = parts.sink.get();
  setup.serving.snapshot = &routes;
  setup.serving.clusters = &clusters;
  setup.serving.clusters_since.assign(clusters.size(), 1);
  setup.serving.counters = parts.configured.get();
  setup.serving.errors.resize(kRoutes);
  setup.serving.slow_over.resize(kRoutes);
  for (std::size_t i = 0; i < kRoutes; ++i) {
    parts.ledgers.push_back(std::make_unique<gate::Ledger>());
    setup.serving.ledgers.push_back(parts.ledgers.back().get());
  }
  parts.worker = std::make_unique<forward::Worker>(std::move(setup));
  return parts;
}

void add(Lines& lines, const std::string& who, const WorkerParts& parts) {
  lines.add(who, "worker", *parts.worker);
  lines.add(who, "access log", *parts.sink);
  lines.add(who, "counters", *parts.counters);
  for (std::size_t i = 0; i < kRoutes; ++i) lines.add(who, "counters of a route", parts.configured->routes[i]);
  for (std::size_t i = 0; i < kClusters; ++i) lines.add(who, "counters of a cluster", parts.configured->clusters[i]);
  for (const auto& ledger : parts.ledgers) lines.add(who, "ledger", *ledger);
  for (const auto& cluster : parts.worker->serving().clusters) lines.add(who, "cluster", *cluster);
  for (const auto& route : parts.worker->serving().routes) {
    lines.add(who, "route", route);
    lines.add(who, "mirror", *route.mirror);
  }
}

TEST(CacheLines, TwoWorkersWriteNoneInCommonAndNoneThatControlWrites) {
  const route::Snapshot routes = snapshot();
  const std::vector<upstream::ClusterPolicy> clusters(kClusters);
  const observe::WakeUp wake;
  std::vector<WorkerParts> workers;
  for (std::size_t i = 0; i < 2; ++i) workers.push_back(make(i, routes, clusters, wake));

  Lines lines;
  for (std::size_t i = 0; i < 2; ++i) add(lines, "worker " + std::to_string(i), workers[i]);
  for (const route::Route& route : routes.routes()) lines.add("control", "live word", *route.live);
  EXPECT_EQ(lines.shared(), "");
}

/// Whatever the heap does: an object that begins on a line ends on one, and shares none with a neighbour.
TEST(CacheLines, WhatAWorkerWritesBeginsOnALine) {
  EXPECT_EQ(alignof(forward::Worker) % kLine, 0u);
  EXPECT_EQ(alignof(forward::ClusterRuntime) % kLine, 0u);
  EXPECT_EQ(alignof(forward::RouteRuntime) % kLine, 0u);
  EXPECT_EQ(alignof(mirror::Mirror) % kLine, 0u);
  EXPECT_EQ(alignof(observe::AccessSink) % kLine, 0u);
  EXPECT_EQ(alignof(observe::WorkerCounters) % kLine, 0u);
  EXPECT_EQ(alignof(observe::RouteCounters) % kLine, 0u);
  EXPECT_EQ(alignof(observe::ClusterCounters) % kLine, 0u);
  EXPECT_EQ(alignof(gate::Ledger) % kLine, 0u);
  EXPECT_EQ(alignof(route::LiveRoute) % kLine, 0u);
}

TEST(CacheLines, ALineWithTwoOwnersIsTold) {
  struct {
    int a, b;
  } both{};
  Lines lines;
  lines.add("one", "a", both.a);
  lines.add("one", "b", both.b);
  EXPECT_EQ(lines.shared(), "");
  lines.add("two", "b", both.b);
  EXPECT_EQ(lines.shared(), "one's a and two's b\n");
}

}  // namespace
}  // namespace tidegate::budget
