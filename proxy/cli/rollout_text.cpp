#include "cli/rollout_text.h"

#include <boost/json.hpp>
#include <cmath>

#include "cli/json_text.h"
#include "cli/status_view.h"
#include "cli/time_text.h"

namespace tidegate::cli {
namespace {

std::string percent(double value) { return percent_text(boost::json::value(value)); }

/// "step 2 of 6"
std::string place(const RolloutFacts& facts) {
  return "step " + std::to_string(facts.step) + " of " + std::to_string(facts.steps.size());
}

/// ", step 2 of 6 (weight 25 %)"; empty before the first.
std::string where(const RolloutFacts& facts) {
  const StepFacts* step = facts.current();
  return step == nullptr ? "" : ", " + place(facts) + " (" + step_name(*step) + ")";
}

void append(std::string& out, std::string_view separator, const std::string& text) {
  if (!text.empty()) out += std::string(out.empty() ? "" : separator) + text;
}

/// The checks that keep a step from its end; "a check" where it is not told which.
std::string missing_checks(const RolloutFacts& facts) {
  std::string out;
  for (const CheckFacts& check : facts.checks) {
    if (check.verdict != "pass") append(out, ", ", "check " + check.name);
  }
  return out.empty() ? "a check" : out;
}

std::string missing_evidence(const RolloutFacts& facts) {
  const double more = facts.min_requests - facts.requests_new;
  if (more > 0) return boost::json::serialize(boost::json::value(static_cast<std::int64_t>(more))) + " more requests of new";
  return facts.by_proof ? "proof" : "evidence";
}

std::string missing_part(const RolloutFacts& facts, const WaitFacts& wait) {
  if (wait.reason == "time" || wait.reason == "bake") return {};  // to_go() says it
  if (wait.reason == "evidence") return missing_evidence(facts);
  if (wait.reason == "gate") return "the gate";
  if (wait.reason == "check") return missing_checks(facts);
  if (wait.reason == "person") return "a person";
  if (wait.reason == "store") return "the store";
  return wait.sentence;  // of a newer server
}

std::string clock_and_missing(const RolloutFacts& facts) {
  std::string out;
  append(out, "", to_go(facts));
  append(out, "; ", missing(facts));
  return out;
}

std::string with_clock(std::string text, const RolloutFacts& facts) {
  const std::string rest = clock_and_missing(facts);
  return rest.empty() ? text : std::move(text) + ", " + rest;
}

}  // namespace

std::string step_name(const StepFacts& step) {
  if (step.weight) return "weight " + percent(*step.weight);
  if (step.mirror) return "mirror " + percent(*step.mirror);
  if (!step.check.empty()) return "check " + step.check;
  return step.kind.empty() ? step.text : step.kind;
}

std::string to_go(const RolloutFacts& facts) {
  double left = 0;
  if (facts.state == RolloutState::Baking) left = facts.bake_s - facts.bake_elapsed_s;
  const bool runs = facts.state == RolloutState::Running || facts.timed_pause();
  if (runs && facts.current() != nullptr) left = facts.current()->for_s.value_or(0) - facts.step_elapsed_s;
  return left > 0 ? span_text(std::ceil(left)) + " to go" : "";
}

std::string missing(const RolloutFacts& facts) {
  std::string out;
  for (const WaitFacts& wait : facts.waiting) append(out, ", ", missing_part(facts, wait));
  return out.empty() ? out : "waits for " + out;
}

std::string rollout_line(const RolloutFacts& facts) {
  switch (facts.state) {
    case RolloutState::Idle:
      return "idle, " + std::to_string(facts.steps.size()) + (facts.steps.size() == 1 ? " step" : " steps") +
             "; begins with: tidegate rollout start " + facts.route;
    case RolloutState::Running:
      return with_clock("running" + where(facts), facts);
    case RolloutState::Baking:
      return with_clock("baking at weight " + facts.weight, facts);
    case RolloutState::Paused: {
      std::string out = "paused" + where(facts);
      if (facts.timed_pause()) return with_clock(std::move(out), facts);
      return facts.pause && !facts.pause->sentence.empty() ? out + ": " + facts.pause->sentence : out;
    }
    case RolloutState::Completed:
      return "completed, weight " + facts.weight;
    default:
      return facts.state_word + where(facts);
  }
}

ProgressLine progress_line(const RolloutFacts& facts) {
  ProgressLine out;
  out.key = facts.state_word + ' ' + std::to_string(facts.step) + ' ' + std::to_string(facts.steps.size());
  for (const WaitFacts& wait : facts.waiting) out.key += ' ' + wait.reason;
  if (facts.pause) out.key += ' ' + facts.pause->by;
  const StepFacts* step = facts.current();
  out.text = facts.state == RolloutState::Running && step != nullptr
                 ? with_clock(place(facts) + ": " + step_name(*step), facts)
                 : rollout_line(facts);
  if (facts.state == RolloutState::Reverted && !facts.latch_reason.empty()) out.text += ": " + facts.latch_reason;
  return out;
}

bool needs_person(const RolloutFacts& facts) noexcept {
  if (facts.ended() || facts.state == RolloutState::Idle) return false;
  return facts.waits_for("person") || (facts.state == RolloutState::Paused && !facts.timed_pause());
}

bool inconclusive(const RolloutFacts& facts) noexcept {
  const bool goes_on = facts.state == RolloutState::Running || facts.state == RolloutState::Baking;
  if (!goes_on || facts.waits_for("time") || facts.waits_for("bake")) return false;
  return facts.waits_for("evidence") || facts.waits_for("gate") || facts.waits_for("check");
}

Exit exit_of(const RolloutFacts& facts) noexcept {
  if (facts.state == RolloutState::Reverted) return Exit::Reverted;
  if (facts.state == RolloutState::Aborted) return Exit::Aborted;
  return needs_person(facts) ? Exit::Paused : Exit::Ok;
}

}  // namespace tidegate::cli
