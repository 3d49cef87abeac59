#include "rollout/rollout.h"

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

/// @param step 1-based, of the plan.
Moved enter(const Rollout& from, std::size_t step) {
  Rollout to = in_state(from, State::Running);
  to.step = step;
  const Step& entered = to.current();
  if (entered.kind == Step::Kind::Pause && !entered.time) {
    to.state = State::Paused;
    to.pause = Pause{Pause::By::Step, "the plan pauses here until a person resumes"};
  }
  return {to, weight_at(to.plan, step - 1, to.weight_before), mirror_at(to.plan, step - 1, to.mirror_before)};
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
  if (!from.at_last_step()) return enter(from, from.step + 1);
  if (from.plan.bake == Duration::zero()) return complete(from, now);
  return {in_state(from, State::Baking), now.weight, now.mirror};
}

Moved last(const Rollout& from) { return enter(from, from.plan.steps.size()); }

Moved complete(const Rollout& from, const Present& now) {
  return {in_state(from, State::Completed), now.weight, now.mirror};
}

Moved resume(const Rollout& from, const Present& now) {
  if (from.step == 0) return {in_state(from, State::Running), now.weight, now.mirror};
  const Step& present = from.current();
  if (present.kind == Step::Kind::Pause && !present.time) return next(from, now);
  return enter(from, from.step);
}

Moved paused(const Rollout& from, const Present& now, Pause why) {
  Rollout to = in_state(from, State::Paused);
  to.pause = std::move(why);
  return {to, now.weight, now.mirror};
}

Moved aborted(const Rollout& from) { return {in_state(from, State::Aborted), Weight::none(), from.mirror_before}; }

Moved undone(const Rollout& from) {
  Rollout to = in_state(from, State::Idle);
  to.step = 0;
  return {to, from.weight_before, from.mirror_before};
}

Rollout reverted(const Rollout& from) { return in_state(from, State::Reverted); }

}  // namespace tidegate::rollout
