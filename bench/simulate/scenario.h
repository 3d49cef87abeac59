// What is simulated: how often each side fails (or, of the slow stream, is late) at a time, and the rules that look at it.
// Virtual time only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gate/route_gate.h"

namespace tidegate::simulate {

inline constexpr double kTick = 0.1;

/// Failure rates of both sides at a time in seconds.
struct Rates {
  double new_failing = 0.0;
  double old_failing = 0.0;
};
using Course = std::function<Rates(double second)>;

inline Course steady(double new_failing, double old_failing) {
  return [=](double) { return Rates{new_failing, old_failing}; };
}
/// Bursts of `length` seconds, one every `every`, on a healthy ground.
inline Course bursts(double length, double every, double failing, bool on_old) {
  constexpr double kHealthy = 0.001;
  return [=](double second) {
    const bool burst = second - every * static_cast<double>(static_cast<std::int64_t>(second / every)) < length;
    return Rates{burst ? failing : kHealthy, burst && on_old ? failing : kHealthy};
  };
}

/// Something that may revert.
class Rule {
 public:
  virtual ~Rule() = default;
  virtual bool tick(const gate::StreamCounts& counts) = 0;
};

struct NamedRule {
  std::string name;
  std::function<std::unique_ptr<Rule>()> make;
};

/// The gate with its defaults and that burst tolerance, at weight 50 %.
NamedRule gate_rule(std::string name, double burst_tolerance_s);
/// The same with a slow stream, which is what the counts are about.
NamedRule slow_rule(std::string name);
NamedRule naive_rule(std::string name, double window_s, std::uint64_t min_requests);

}  // namespace tidegate::simulate
