// Where a rollout of a route stands, and how it moves: a value in, the next value and the weights that come with it out. What
// is allowed in which state is state.h's; what a step still waits for is evidence.h's; who makes a move durable and publishes
// the weights is control/'s. No clock, no I/O. What is in here survives a restart (control/rollout_record.h), but for time:
// a step that is continued begins its time anew.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/weight.h"
#include "rollout/plan.h"
#include "rollout/state.h"

namespace tidegate::rollout {

/// Why it is paused.
struct Pause {
  enum class By : std::uint8_t {
    Person,  ///< asked for
    Step,    ///< `pause: {}`
    Gate,    ///< an alarm, with `on_fail: pause`
    Check,   ///< one failed, with `on_fail: pause`
    Hand,    ///< somebody set the weight meanwhile, or a changed file did
  };
  By by = By::Person;
  std::string sentence{};

  friend bool operator==(const Pause&, const Pause&) = default;
};
std::string_view name(Pause::By by) noexcept;  ///< "person" ...
std::optional<Pause::By> pause_by_named(std::string_view name) noexcept;

struct Rollout {
  State state = State::Idle;
  Plan plan{};                   ///< of its start: a file that changes later is for the next one
  bool in_bake = false;          ///< every step is over; a pause goes back to the bake
  std::size_t step = 0;          ///< 1-based; 0 = begun, and the hooks before the first step have not confirmed it
  Weight weight_before{};        ///< what `undo` goes back to
  Weight mirror_before{};
  std::optional<Pause> pause{};  ///< exactly while Paused
  std::string started_by{};
  std::int64_t started_at_ms = 0;

  /// Needs 1 <= step <= plan.steps.size().
  const Step& current() const noexcept { return plan.steps[step - 1]; }
  bool at_last_step() const noexcept { return step >= plan.steps.size(); }

  friend bool operator==(const Rollout&, const Rollout&) = default;
};

/// A rollout after a move, and what its route has to have then.
struct Moved {
  Rollout rollout;
  Weight weight;
  Weight mirror;
};

struct Present {
  Weight weight;
  Weight mirror;
};

Moved begin(Plan plan, const Present& now, std::string who, std::int64_t at_ms);
/// The step after the present one; after the last: baking, or completed when there is nothing to bake.
Moved next(const Rollout& from, const Present& now);
/// `promote --full`: the last step at once.
Moved last(const Rollout& from, const Present& now);
Moved complete(const Rollout& from, const Present& now);
/// On with the present step, or the bake: its weight again, should somebody have set it by hand. A pause step that waited for a person
/// is over then, but for what speaks against new, checks and hooks.
Moved resume(const Rollout& from, const Present& now);
Moved paused(const Rollout& from, const Present& now, Pause why);
/// Everything to old; the mirror as before the rollout, unless it is lower now.
Moved aborted(const Rollout& from, const Present& now);
/// The weights as before the rollout.
Moved undone(const Rollout& from);
/// The gate, a check or a person has reverted the route: its weight is 0 already.
Rollout reverted(const Rollout& from);

}  // namespace tidegate::rollout
