#include "simulate/scenario.h"

#include <utility>

#include "simulate/naive_window.h"

namespace tidegate::simulate {
namespace {

class OfGate final : public Rule {
 public:
  OfGate(const gate::Parameters& parameters, const std::optional<gate::SlowRule>& slow) : gate_(parameters, slow, 0.5) {}
  bool tick(const gate::StreamCounts& counts) override {
    return gate_.tick(counts, kTick).decision == gate::Decision::Revert;
  }

 private:
  gate::RouteGate gate_;
};

class OfWindow final : public Rule {
 public:
  OfWindow(double window_s, std::uint64_t min_requests)
      : window_(window_s, min_requests, gate::Parameters().max_error_rate, kTick) {}
  bool tick(const gate::StreamCounts& counts) override { return window_.tick(counts.errors); }

 private:
  NaiveWindow window_;
};

}  // namespace

NamedRule gate_rule(std::string name, double burst_tolerance_s) {
  return {std::move(name), [=] {
            gate::Parameters parameters;
            parameters.burst_tolerance_s = burst_tolerance_s;
            return std::make_unique<OfGate>(parameters, std::nullopt);
          }};
}

NamedRule slow_rule(std::string name) {
  return {std::move(name), [] { return std::make_unique<OfGate>(gate::Parameters(), gate::SlowRule()); }};
}

NamedRule naive_rule(std::string name, double window_s, std::uint64_t min_requests) {
  return {std::move(name), [=] { return std::make_unique<OfWindow>(window_s, min_requests); }};
}

}  // namespace tidegate::simulate
