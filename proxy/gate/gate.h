// The test of one stream of a route: from the counts of a tick to "hold", "revert" or "promote", with reason and
// numbers. It puts the five detectors together (breaker and new_detector can raise an alarm, old_detector and
// relative_detector attribute it, promotion_detector proves the opposite) and keeps the one alarm that may wait for
// attribution. It is pure: time comes in as the length of the tick, nothing is logged, no weight is moved, nothing is latched. Who acts on
// a Revert stops asking and calls rearm() when a person re-arms the route; asked on, the gate repeats the Revert for as
// long as the alarm stands (what `on_fail: notify` wants). One per route and stream, owned by its RouteGate, used on
// its thread only. No allocation after construction; a tick takes about a microsecond.
#pragma once

#include <cstdint>
#include <optional>

#include "gate/breaker.h"
#include "gate/budget.h"
#include "gate/new_detector.h"
#include "gate/old_detector.h"
#include "gate/parameters.h"
#include "gate/promotion_detector.h"
#include "gate/relative_detector.h"
#include "gate/ruling.h"

namespace tidegate::gate {

class Gate {
 public:
  /// @param parameters values outside of their domain (a rate of 0 or 1, no period) are taken as the nearest inside it.
  /// @param new_weight new's share of the requests, 0..1.
  Gate(const Parameters& parameters, double new_weight);

  /// The weight changed. Evidence against new is kept, the proof for a promotion starts anew, and the step gets its
  /// part of the false-revert budget. At weight 0 new's counts (forced requests) are not judged: there is nothing to
  /// revert.
  void step(double new_weight);

  /// One tick. @param counts since the tick before; @param dt_s the seconds that really passed since then.
  Ruling tick(const Counts& counts, double dt_s);

  /// After a revert: all evidence and every pending alarm is forgotten. Steps that used the budget stay used: re-arming
  /// ten times a day must not multiply the promised chance of a false revert by ten.
  void rearm(double new_weight);

  const Parameters& parameters() const noexcept { return parameters_; }
  Thresholds thresholds() const noexcept { return {h_new(), h_rel(), h_prom()}; }
  double h_new() const noexcept { return new_.threshold(); }
  double h_rel() const noexcept { return relative_.threshold(); }
  double h_prom() const noexcept { return promotion_.threshold(); }
  Statistics statistics() const noexcept;
  bool old_suspect() const noexcept { return old_.suspect(); }

  /// All of its state but the parameters, with which a gate to be restored is constructed.
  template <class Self, class F>
  static void fields(Self& self, F&& f) {
    f("budget", self.budget_), f("new", self.new_), f("old", self.old_), f("relative", self.relative_);
    f("promotion", self.promotion_), f("breaker", self.breaker_);
    f("watching", self.watching_), f("baseline", self.baseline_), f("step", self.step_);
    f("silent_s", self.silent_s_), f("old_silent_s", self.old_silent_s_);
    f("shared_left_s", self.shared_left_s_), f("shared", self.shared_), f("alarm", self.alarm_);
  }

 private:
  /// An alarm that waits for attribution.
  struct Alarm {
    Alarm() noexcept : waited_s(0.0) {}  // not a default member initialiser: clang cannot emplace such a nested class
    std::optional<std::uint64_t> lane;   ///< of the new detector; empty: the breaker's
    double waited_s;

    template <class Self, class F>
    static void fields(Self& self, F&& f) {
      f("lane", self.lane), f("waited_s", self.waited_s);
    }
  };
  struct Answer {
    Decision decision;
    Reason reason;
    std::optional<Window> window{};
  };

  Answer decide(std::optional<std::size_t> fired, bool broke, double dt_s);
  void update_alarm(std::optional<std::size_t> fired, bool broke, double dt_s);
  Answer attribute(const Alarm& alarm);
  Answer without_alarm() const;
  bool baseline_usable() const noexcept;
  double evidence_against_old(const Counts& window) const noexcept;

  Parameters parameters_;
  Budget budget_;
  NewDetector new_;
  OldDetector old_;
  RelativeDetector relative_;
  PromotionDetector promotion_;
  Breaker breaker_;

  bool watching_ = false;  ///< the weight is above 0
  bool baseline_ = false;  ///< the weight leaves requests to old, and old may be looked at
  Window step_{};
  double silent_s_ = 0.0;
  double old_silent_s_ = 0.0;
  double shared_left_s_ = 0.0;
  Window shared_{};  ///< the alarm of the last shared verdict
  std::optional<Alarm> alarm_;
};

}  // namespace tidegate::gate
