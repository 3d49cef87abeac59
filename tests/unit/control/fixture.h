// An engine over a snapshot of one route and a store in memory that can be told to fail. Answers are waited for, never
// slept for.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "control/engine.h"

namespace tidegate::control {

class MemoryStore final : public store::Store {
 public:
  store::Result<store::State> load() override { return store::State{}; }
  store::Result<void> save(const store::Change& change) override {
    std::unique_lock lock(mutex_);
    released_.wait(lock, [this] { return !blocked_; });
    if (failing_) return store::Error{"disk full"};
    saved_.push_back(change);
    return {};
  }
  store::Result<std::optional<store::Decision>> decision(std::uint64_t) override {
    return std::optional<store::Decision>();
  }
  store::Result<std::vector<store::Decision>> history(const std::string&, std::size_t) override {
    return std::vector<store::Decision>{};
  }
  /// What is saved waits until it is released.
  void block(bool on) {
    const std::lock_guard lock(mutex_);
    blocked_ = on;
    released_.notify_all();
  }
  void fail(bool on) {
    const std::lock_guard lock(mutex_);
    failing_ = on;
  }
  std::vector<store::Change> saved() const {
    const std::lock_guard lock(mutex_);
    return saved_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable released_;
  bool blocked_ = false;
  bool failing_ = false;
  std::vector<store::Change> saved_;
};

inline config::Config one_route(double weight, bool with_mirror = false) {
  config::Config config;
  config.workers = 1;
  for (const char* name : {"old", "new"}) {
    upstream::ClusterPolicy cluster;
    cluster.name = name;
    config.clusters.push_back(cluster);
  }
  config::Route route;
  route.policy.name = "all";
  route.policy.weight = *Weight::from_percent(weight);
  if (with_mirror) route.policy.mirror.emplace();
  config.routes.push_back(route);
  return config;
}

inline route::Snapshot snapshot_of(const config::Config& config) {
  std::vector<route::Route> routes;
  for (const config::Route& from : config.routes) {
    route::Route route;
    route.policy = from.policy;
    route.index = routes.size();
    routes.push_back(std::move(route));
  }
  return route::Snapshot(std::move(routes));
}

/// Runs one command and waits for its answer.
inline Outcome ask(const std::function<void(Reply)>& command) {
  auto answer = std::make_shared<std::promise<Outcome>>();
  std::future<Outcome> future = answer->get_future();
  command([answer](const Outcome& outcome) { answer->set_value(outcome); });
  return future.get();
}

class EngineTest : public testing::Test {
 protected:
  void start(config::Config config, store::State saved = {}) {
    config_ = std::move(config);
    snapshot_.emplace(snapshot_of(config_));
    writer_.emplace(store_, store::Writer::Limits{16, std::chrono::milliseconds(1), std::chrono::milliseconds(5),
                                                  std::chrono::milliseconds(50)});
    engine_.emplace(EngineSetup{config_, *snapshot_, {{&ledger_}}, *writer_, std::move(saved),
                                [this](const store::Decision& made) { note(made); }, {},
                                [this](const std::string& notice) { keep_notice(notice); }, {}, ask_, {}, copies_});
    engine_->start();
  }
  void TearDown() override {
    store_.block(false);
    stop_traffic();
    engine_.reset();
    writer_.reset();
  }

  /// Does not wait for the answer.
  std::future<Outcome> begin_weight(double percent) {
    auto answer = std::make_shared<std::promise<Outcome>>();
    engine_->set_weight("all", *Weight::from_percent(percent), {}, [answer](const Outcome& outcome) { answer->set_value(outcome); });
    return answer->get_future();
  }
  std::vector<std::string> notices() {
    const std::lock_guard lock(mutex_);
    return notices_;
  }
  Outcome set_weight(double percent, Command command = {}) {
    const Weight weight = *Weight::from_percent(percent);
    return ask([&](Reply reply) { engine_->set_weight("all", weight, command, std::move(reply)); });
  }
  Outcome set_mirror(double percent) {
    const Weight share = *Weight::from_percent(percent);
    return ask([&](Reply reply) { engine_->set_mirror("all", share, {}, std::move(reply)); });
  }
  Outcome revert() {
    return ask([&](Reply reply) { engine_->revert("all", {}, std::move(reply)); });
  }
  Outcome rearm() {
    return ask([&](Reply reply) { engine_->rearm("all", {}, std::move(reply)); });
  }
  Status status() {
    std::promise<Status> answer;
    engine_->status([&](Status now) { answer.set_value(std::move(now)); });
    return answer.get_future().get();
  }
  Weight in_force() const { return snapshot_->routes().front().live->split().weight; }

  /// Requests to both sides from now on; those to new fail, and those to old do if they are told to.
  void fail_new(bool old_too = false) {
    traffic_ = std::thread([this, old_too] {
      while (!traffic_ends_) {
        const std::uint32_t step = snapshot_->routes().front().live->split().step;
        for (const Side side : {Side::New, Side::Old}) {
          ledger_.dispatched(side, step);
          if (side == Side::New || old_too) ledger_.failed(side, step, step);
        }
        std::this_thread::yield();
      }
    });
  }
  void stop_traffic() {
    traffic_ends_ = true;
    if (traffic_.joinable()) traffic_.join();
    traffic_ends_ = false;
  }
  /// Those that were made so far.
  std::vector<store::Decision> decisions() {
    const std::lock_guard lock(mutex_);
    return decisions_;
  }

  /// Waits until a decision with that action was made.
  store::Decision wait_for(store::Action action) {
    std::unique_lock lock(mutex_);
    const store::Decision* found = nullptr;
    changed_.wait(lock, [&] {
      for (const store::Decision& made : decisions_) {
        if (made.action == action) found = &made;
      }
      return found != nullptr;
    });
    return *found;
  }

  std::function<void(const CheckQuestion&, std::function<void(const check::Answer&)>)> ask_;
  std::function<std::uint64_t(std::size_t)> copies_;
  MemoryStore store_;
  gate::Ledger ledger_;
  config::Config config_;
  std::optional<route::Snapshot> snapshot_;
  std::optional<store::Writer> writer_;
  std::optional<Engine> engine_;

 private:
  std::thread traffic_;
  std::atomic<bool> traffic_ends_{false};

  void note(const store::Decision& made) {
    const std::lock_guard lock(mutex_);
    decisions_.push_back(made);
    changed_.notify_all();
  }
  void keep_notice(const std::string& notice) {
    const std::lock_guard lock(mutex_);
    notices_.push_back(notice);
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<store::Decision> decisions_;
  std::vector<std::string> notices_;
};

}  // namespace tidegate::control
