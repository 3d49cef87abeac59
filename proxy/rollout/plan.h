// What a rollout is to do, as the file says it: steps that raise the weight, and what has to hold before the next. Plain
// values; rollout.h walks them, config/ reads them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/weight.h"

namespace tidegate::rollout {

struct Step {
  enum class Kind : std::uint8_t {
    Weight,  ///< new's share, for a time
    Mirror,  ///< the share of requests that is copied, for a time; live weights stay
    Pause,   ///< for a time, or until a person resumes
    Check,   ///< until the named check passes
  };
  Kind kind = Kind::Weight;
  tidegate::Weight percent{};             ///< of Weight and Mirror
  std::optional<Duration> time{};         ///< how long at least; a Pause without one waits for a person
  std::string check{};                    ///< of Check: its name

  friend bool operator==(const Step&, const Step&) = default;
};
std::string_view name(Step::Kind kind) noexcept;  ///< "weight", "mirror", "pause", "check"
std::optional<Step::Kind> step_kind_named(std::string_view name) noexcept;
/// "weight 25 % for 5m", "pause until resumed", "check smoke"
std::string text(const Step& step);

enum class Advance : std::uint8_t {
  Proven,  ///< a weight step ends when its time is over and the gate says promote
  Time,    ///< ... when its time is over and nothing speaks against it
};
std::string_view name(Advance advance) noexcept;
std::optional<Advance> advance_named(std::string_view name) noexcept;

struct Plan {
  std::vector<Step> steps;
  Advance advance = Advance::Proven;
  std::uint64_t min_requests = 0;         ///< of new in a weight step, copies in a mirror step; 0 still asks for one
  Duration bake = Duration::zero();       ///< how long the last step is watched before the rollout counts as completed
  std::vector<std::string> checks{};      ///< asked all the time, or as hooks (check::WebhookType)

  friend bool operator==(const Plan&, const Plan&) = default;
};

/// The weight that is in force during step `index` (0-based): of the last weight step up to it, else `before`.
tidegate::Weight weight_at(const Plan& plan, std::size_t index, tidegate::Weight before) noexcept;
/// As weight_at.
tidegate::Weight mirror_at(const Plan& plan, std::size_t index, tidegate::Weight before) noexcept;

/// Eight hexadecimal digits of everything in the plan; the same on every machine and in every version that knows the same keys.
std::string checksum(const Plan& plan);

/// Presets: one step to 100 %; tenths; and the guide's gradual cutover (10 25 50 75 90 100).
std::vector<Step> blue_green_steps();
std::vector<Step> rolling_steps(Duration time);
std::vector<Step> canary_steps(Duration time);

}  // namespace tidegate::rollout
