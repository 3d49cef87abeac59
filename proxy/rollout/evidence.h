// What a step still waits for: everything that has to hold before a rollout may move on, each with a sentence that says how
// much is missing. Nothing that is missing ever counts as good: no data, no answer of a check and no proof all hold. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/weight.h"
#include "gate/ruling.h"
#include "rollout/rollout.h"

namespace tidegate::rollout {

/// What a check said since the step began.
struct CheckAnswer {
  std::string name;
  std::optional<gate::Verdict> verdict{};  ///< empty: not yet
  std::string sentence{};
};

struct Evidence {
  double step_s = 0.0;                 ///< since the step (the bake) began, or was continued
  Weight weight{};                     ///< in force
  gate::Ruling ruling{};
  gate::Thresholds thresholds{};
  std::string gate_sentence{};
  bool gate_only_reports = false;      ///< `on_fail: notify`: what it says of new stops nothing; silence still does
  std::uint64_t requests_new = 0;      ///< of new since the weight was set
  std::uint64_t mirrored = 0;          ///< copies that were sent since the step began
  std::vector<CheckAnswer> checks{};   ///< those that have to pass: the plan's, and the step's own
  std::vector<CheckAnswer> hooks{};    ///< asked before the next step, once everything else holds
  std::string store_trouble{};         ///< a step cannot be made durable
};

enum class WaitFor : std::uint8_t { Time, Evidence, Gate, Check, Person, Store, Bake };
std::string_view name(WaitFor reason) noexcept;

struct Waiting {
  WaitFor reason;
  std::string sentence;
};

/// Whether the time of the step (the bake) is over; without looking at anything else.
bool time_is_over(const Rollout& rollout, double step_s) noexcept;
/// Empty: the step is over. Needs Running or Baking for that; a Paused one waits for a person, all others for nothing.
/// @param with_hooks false: all but the hooks.
std::vector<Waiting> waiting(const Rollout& rollout, const Evidence& evidence, bool with_hooks = true);

}  // namespace tidegate::rollout
