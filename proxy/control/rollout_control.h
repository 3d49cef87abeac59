// The rollout of one route while the program runs: where it stands (rollout/rollout.h), how long the step has lasted, what its
// checks said, and whether the step is over. It moves nothing by itself: the engine makes a move durable, publishes the
// weights and tells it with set(). Owned by a RouteControl, control thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "control/check_board.h"
#include "control/status.h"
#include "rollout/evidence.h"
#include "rollout/rollout.h"

namespace tidegate::control {

class RolloutControl {
 public:
  /// After a step could not be made durable.
  static constexpr Duration kStorePause = std::chrono::seconds(10);
  /// How often a step whose time is over is looked at: the evidence is sentences, and the thread has gates to run.
  static constexpr Duration kLook = std::chrono::milliseconds(100);
  /// A thread that stood still (SIGSTOP, a starved machine) has not watched a step for that time.
  static constexpr double kLongestTickS = 1.0;

  /// @param file_plan, checks must outlive it, or the next configure(). @param saved what the store has; empty: nothing.
  RolloutControl(const std::optional<rollout::Plan>& file_plan, const std::vector<check::CheckPolicy>& checks,
                 const std::string& saved);

  /// Another configuration. What runs goes on with the plan that it began with.
  void configure(const std::optional<rollout::Plan>& file_plan, const std::vector<check::CheckPolicy>& checks) {
    file_plan_ = &file_plan;
    board_.configure(checks);
  }

  /// The process before this one had come so far in the step that it stands in.
  void go_on_in_step(double step_s) noexcept { step_s_ = step_s; }
  double step_s() const noexcept { return step_s_; }

  const rollout::Rollout& now() const noexcept { return now_; }
  bool active() const noexcept { return rollout::is_active(now_.state); }
  const std::optional<rollout::Plan>& file_plan() const noexcept { return *file_plan_; }
  /// What was saved could not be read, and was left out.
  bool saved_is_unreadable() const noexcept { return unreadable_; }

  /// It stands there from now on: the time of the step begins, and no answer of before counts.
  void set(rollout::Rollout next);
  /// A step could not be made durable: it is tried again after kStorePause. @param now of the attempt
  void note_store_trouble(const std::string& error, TimePoint now);

  /// Something has to pass before the first step: a hook, or a check that is asked all the time.
  bool asks_before_first_step(const rollout::Rollout& begun, Weight weight) const {
    return !hooks_before_next(begun, weight).empty() || !always(begun).empty();
  }
  /// Those of the plan that are told of events, or of the end.
  std::vector<const check::CheckPolicy*> listeners(CheckRole role) const;

  struct Order {
    enum class Kind : std::uint8_t { StepOver, CheckFailed };
    Kind kind = Kind::StepOver;
    const check::CheckPolicy* check = nullptr;  ///< of CheckFailed
    std::string sentence{};
    rollout::Evidence evidence{};               ///< of StepOver: why
  };
  /// Everything that the step waits for was there at the last look.
  bool step_is_over() const noexcept { return over_; }
  /// A hook was told: what came of it.
  void note_told(const std::string& hook, gate::Verdict verdict) { board_.note_told(hook, verdict); }
  /// What the route knows: the gate's ruling, the weight, the copies; step_s, checks and hooks are filled in here.
  using Look = std::function<rollout::Evidence()>;
  std::optional<Order> tick(TimePoint now, double dt_s, Weight weight, const Look& look, const CheckBoard::Ask& ask);

  /// @param look as of tick(). Empty when the route has no rollout and never had one.
  std::optional<RolloutStatus> status(const Look& look) const;

 private:
  rollout::Evidence evidence(const Look& look) const;
  /// Checks that are asked all the time, in the order of the plan.
  std::vector<std::string> always(const rollout::Rollout& of) const;
  /// What is asked now: those, and the step's own.
  std::vector<std::string> asked_now() const;
  /// Hooks that have to confirm the step after the present one, given what is in force.
  std::vector<std::string> hooks_before_next(const rollout::Rollout& of, Weight weight) const;

  const std::optional<rollout::Plan>* file_plan_;
  CheckBoard board_;
  rollout::Rollout now_;
  bool unreadable_ = false;
  double step_s_ = 0.0;
  std::string store_trouble_;
  TimePoint not_before_{};
  TimePoint next_look_{};
  bool hooks_wanted_ = false;
  bool over_ = false;
};

}  // namespace tidegate::control
