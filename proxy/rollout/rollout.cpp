#include "rollout/rollout.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tidegate::rollout {
namespace {

constexpr std::array<std::string_view, 5> kBy{"person", "step", "gate", "check", "hand"};

Rollout in_state(const Rollout& from, State state) {
  Rollout out = from;
  out.state = state;
  out.pause.reset();
  return out;
}

/// The mirror is what people and the file make it, but for the steps that set it.
Weight mirror_in(const Rollout& from, std::size_t step, const Present& now) noexcept {
  for (std::size_t i = std::min(from.step + 1, step); i <= step; ++i) {
    if (i > 0 && from.plan.steps[i - 1].kind == Step::Kind::Mirror) return mirror_at(from.plan, step - 1, now.mirror);
  }
  return now.mirror;
}

/// @param step 1-based, of the plan.
Moved enter(const Rollout& from, std::size_t step, const Present& now) {
  Rollout to = in_state(from, State::Running);
  to.step = step;
  to.in_bake = false;
  const Step& entered = to.current();
  if (entered.kind == Step::Kind::Pause && !entered.time) {
    to.state = State::Paused;
    to.pause = Pause{Pause::By::Step, "the plan pauses here until a person resumes"};
  }
  return {to, weight_at(to.plan, step - 1, to.weight_before), mirror_in(from, step, now)};
}

}  // namespace

std::string_view name(Pause::By by) noexcept { return kBy[static_cast<std::size_t>(by)]; }

std::optional<Pause::By> pause_by_named(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kBy.size(); ++i) {
    if (kBy[i] == name) return static_cast<Pause::By>(i);
  }
  return std::nullopt;
}

Moved begin(Plan plan, const Present& now, std::string who, std::int64_t at_ms) {
  Rollout to;
  to.state = State::Running;
  to.plan = std::move(plan);
  to.weight_before = now.weight;
  to.mirror_before = now.mirror;
  to.started_by = std::move(who);
  to.started_at_ms = at_ms;
  return {to, now.weight, now.mirror};
}

Moved next(const Rollout& from, const Present& now) {
  if (!from.at_last_step()) return enter(from, from.step + 1, now);
  if (from.plan.bake == Duration::zero()) return complete(from, now);
  Rollout to = in_state(from, State::Baking);
  to.in_bake = true;
  return {to, now.weight, now.mirror};
}

Moved last(const Rollout& from, const Present& now) { return enter(from, from.plan.steps.size(), now); }

Moved complete(const Rollout& from, const Present& now) {
  return {in_state(from, State::Completed), now.weight, now.mirror};
}

Moved resume(const Rollout& from, const Present& now) {
  if (from.step == 0) return {in_state(from, State::Running), now.weight, now.mirror};
  Moved to = enter(from, from.step, now);
  to.rollout = in_state(from, from.in_bake ? State::Baking : State::Running);
  return to;
}

Moved paused(const Rollout& from, const Present& now, Pause why) {
  Rollout to = in_state(from, State::Paused);
  to.pause = std::move(why);
  return {to, now.weight, now.mirror};
}

Moved aborted(const Rollout& from, const Present& now) {
  return {in_state(from, State::Aborted), Weight::none(), std::min(now.mirror, from.mirror_before)};
}

Moved undone(const Rollout& from) {
  Rollout to = in_state(from, State::Idle);
  to.step = 0;
  return {to, from.weight_before, from.mirror_before};
}

Rollout reverted(const Rollout& from) { return in_state(from, State::Reverted); }

}  // namespace tidegate::rollout
