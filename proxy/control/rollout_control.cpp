#include "control/rollout_control.h"

#include <algorithm>
#include <utility>

#include "control/rollout_record.h"

namespace tidegate::control {

RolloutControl::RolloutControl(const std::optional<rollout::Plan>& file_plan,
                               const std::vector<check::CheckPolicy>& checks, const std::string& saved)
    : file_plan_(&file_plan), board_(checks) {
  if (saved.empty()) return;
  std::optional<rollout::Rollout> read = read_rollout_record(saved);
  unreadable_ = !read.has_value();
  if (read) now_ = std::move(*read);
}

void RolloutControl::set(rollout::Rollout next) {
  now_ = std::move(next);
  step_s_ = 0.0;
  store_trouble_.clear();
  not_before_ = next_look_ = {};
  hooks_wanted_ = over_ = false;
  board_.begin_step();
}

void RolloutControl::note_store_trouble(const std::string& error, TimePoint now) {
  store_trouble_ = "the next step cannot be made durable: " + error;
  not_before_ = now + kStorePause;
}

std::vector<std::string> RolloutControl::always(const rollout::Rollout& of) const {
  std::vector<std::string> out;
  for (const std::string& name : of.plan.checks) {
    const check::CheckPolicy* const policy = board_.find(name);
    if (policy == nullptr || role(*policy) == CheckRole::Always) out.push_back(name);  // one that is gone holds, too
  }
  return out;
}

std::vector<std::string> RolloutControl::asked_now() const {
  std::vector<std::string> out = always(now_);
  const bool in_step = now_.state == rollout::State::Running && now_.step > 0;
  if (in_step && now_.current().kind == rollout::Step::Kind::Check) out.push_back(now_.current().check);
  return out;
}

std::vector<std::string> RolloutControl::hooks_before_next(const rollout::Rollout& of, Weight weight) const {
  if (of.state != rollout::State::Running || of.at_last_step()) return {};
  const rollout::Step& next = of.plan.steps[of.step];
  const bool higher = next.kind == rollout::Step::Kind::Weight && next.percent > weight;
  std::vector<std::string> out;
  for (const std::string& name : of.plan.checks) {
    const check::CheckPolicy* const policy = board_.find(name);
    if (policy == nullptr) continue;
    const CheckRole when = role(*policy);
    const bool wanted = (when == CheckRole::BeforeStart && of.step == 0) || (when == CheckRole::BeforeIncrease && higher) ||
                        (when == CheckRole::BeforePromotion && higher && next.percent == Weight::whole());
    if (wanted) out.push_back(name);
  }
  return out;
}

std::vector<const check::CheckPolicy*> RolloutControl::listeners(CheckRole wanted) const {
  std::vector<const check::CheckPolicy*> out;
  for (const std::string& name : now_.plan.checks) {
    const check::CheckPolicy* const policy = board_.find(name);
    if (policy != nullptr && role(*policy) == wanted) out.push_back(policy);
  }
  return out;
}

rollout::Evidence RolloutControl::evidence(const Look& look) const {
  rollout::Evidence out = look();
  out.step_s = step_s_;
  out.checks = board_.answers(asked_now());
  out.hooks = board_.answers(hooks_before_next(now_, out.weight));
  out.store_trouble = store_trouble_;
  return out;
}

std::optional<RolloutControl::Order> RolloutControl::tick(TimePoint now, double dt_s, Weight weight, const Look& look,
                                                          const CheckBoard::Ask& ask) {
  if (!active()) return std::nullopt;
  const bool moves = now_.state != rollout::State::Paused;
  if (moves) step_s_ += std::min(dt_s, kLongestTickS);
  if (now >= not_before_) store_trouble_.clear();
  std::vector<std::string> wanted = asked_now();
  std::optional<rollout::Evidence> seen;
  if (moves && rollout::time_is_over(now_, step_s_) && now >= next_look_) {
    next_look_ = now + kLook;
    seen = evidence(look);
    hooks_wanted_ = rollout::waiting(now_, *seen, false).empty();  // asked last: they may be people
    over_ = hooks_wanted_ && rollout::waiting(now_, *seen).empty();
  }
  if (hooks_wanted_) {
    for (std::string& hook : hooks_before_next(now_, weight)) wanted.push_back(std::move(hook));
  }
  board_.tick(now, wanted, ask);
  if (std::optional<CheckBoard::Failure> failed = board_.failure()) {
    over_ = false;
    return Order{Order::Kind::CheckFailed, failed->check, std::move(failed->sentence), {}};
  }
  if (seen && over_) return Order{Order::Kind::StepOver, nullptr, {}, std::move(*seen)};
  return std::nullopt;
}

std::optional<RolloutStatus> RolloutControl::status(const Look& look) const {
  if (!file_plan() && now_.plan.steps.empty()) return std::nullopt;
  RolloutStatus out;
  out.rollout = now_;
  if (!active() && file_plan() && now_.state == rollout::State::Idle) out.rollout.plan = *file_plan();
  out.step_s = step_s_;
  out.file_differs = file_plan().has_value() && !now_.plan.steps.empty() && now_.state != rollout::State::Idle &&
                     *file_plan() != now_.plan;
  for (const CheckBoard::Row& row : board_.rows()) {
    out.checks.push_back({row.said.name, row.said.verdict, row.said.sentence, row.failures, row.of});
  }
  for (const CheckBoard::Count& count : board_.counts()) out.check_counts.push_back({count.check, count.verdicts});
  if (!active()) return out;
  const rollout::Evidence seen = evidence(look);
  out.requests_new = seen.requests_new;
  out.waiting = rollout::waiting(now_, seen);
  return out;
}

}  // namespace tidegate::control
