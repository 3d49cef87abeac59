#include "cli/rollout_view.h"

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "cli/rollout_text.h"
#include "cli/table.h"
#include "cli/time_text.h"

namespace tidegate::cli {
namespace {

constexpr std::size_t kMostSteps = 9;  // more are shown around the present one

std::string title(const RolloutFacts& facts, const ViewStyle& style) {
  std::size_t indent = width(facts.route) + 2;
  std::string out = paint(style.color, Tone::Bold, facts.route);
  if (indent > style.columns / 3) {  // a long name has its own line
    indent = 2;
    out += "\n  ";
  } else {
    out += "  ";
  }
  return out + paint(style.color, tone_of(facts.state), wrapped(rollout_line(facts), indent, style.columns)) + '\n';
}

/// @param now_ms 0: without "ago".
std::string started(const RolloutFacts& facts, std::int64_t now_ms, const ViewStyle& style) {
  if (!facts.started_at_ms) return {};
  std::string out = moment_text(*facts.started_at_ms);
  if (!facts.started_by.empty()) out += " by " + facts.started_by;
  if (now_ms > 0) out += ", " + span_text(static_cast<double>(now_ms - *facts.started_at_ms) / 1000.0) + " ago";
  return labelled("started", out, kRolloutLabel, style);
}

/// What rollout_line() has said: a pause that a person has to end stands there with its reason.
bool is_in_line(const RolloutFacts& facts, const WaitFacts& wait) {
  return facts.state == RolloutState::Paused && facts.pause && !facts.timed_pause() && wait.sentence == facts.pause->sentence;
}

std::string warnings(const RolloutFacts& facts, const ViewStyle& style) {
  std::string out;
  if (facts.latched) out += labelled("reverted", facts.latch_reason, kRolloutLabel, style, Tone::Bad);
  if (facts.file_differs) {
    out += labelled("file", "its plan is another than the one that runs", kRolloutLabel, style, Tone::Warn);
  }
  return out;
}

struct StepMark {
  std::string_view sign;
  Tone tone;
};

StepMark mark_of(const RolloutFacts& facts, std::size_t number) {
  const bool all_done = facts.state == RolloutState::Baking || facts.state == RolloutState::Completed;
  if (all_done || number < facts.step) return {"\u2714", Tone::Good};
  if (number > facts.step) return {"\u00b7", Tone::Dim};
  return {"\u25b6", facts.state == RolloutState::Running ? Tone::Bold : tone_of(facts.state)};
}

/// "0 of 3": failures, and how many are one too many.
std::string counts(const CheckFacts& check) {
  char text[64];
  std::snprintf(text, sizeof text, check.of > 0 ? "%.0f of %.0f" : "%.0f", check.failures, check.of);
  return text;
}

/// The step's text without the kind that it begins with: that has its own column.
std::string without_kind(const StepFacts& step) {
  return step.text.starts_with(step.kind + ' ') ? step.text.substr(step.kind.size() + 1)
         : step.text == step.kind               ? std::string()
                                                : step.text;
}

}  // namespace

Tone tone_of(RolloutState state) noexcept {
  switch (state) {
    case RolloutState::Reverted:
    case RolloutState::Aborted:
      return Tone::Bad;
    case RolloutState::Paused:
      return Tone::Warn;
    case RolloutState::Completed:
      return Tone::Good;
    default:
      return Tone::Plain;
  }
}

Tone tone_of(const std::string& verdict) noexcept {
  if (verdict == "pass") return Tone::Good;
  return verdict == "fail" || verdict == "error" ? Tone::Bad : Tone::Plain;
}

std::string rollout_head(const RolloutFacts& facts, std::int64_t now_ms, const ViewStyle& style) {
  return title(facts, style) + started(facts, now_ms, style) + warnings(facts, style);
}

std::string rollout_steps(const RolloutFacts& facts, const ViewStyle& style) {
  const std::size_t count = facts.steps.size();
  const std::size_t shown = std::min(count, kMostSteps);
  const std::size_t middle = facts.step > shown / 2 + 1 ? facts.step - shown / 2 - 1 : 0;
  const std::size_t first = std::min(middle, count - shown);
  Table table({Table::Align::Left, Table::Align::Right, Table::Align::Left, Table::Align::Left});
  for (std::size_t i = first; i < first + shown; ++i) {
    const StepMark mark = mark_of(facts, i + 1);
    const auto cell = [&](const std::string& words) { return paint(style.color, mark.tone, words); };
    table.row({cell(std::string(mark.sign)), cell(std::to_string(i + 1)), cell(facts.steps[i].kind),
               cell(without_kind(facts.steps[i]))});
  }
  std::string out;
  if (first > 0) out += "  " + paint(style.color, Tone::Dim, std::to_string(first) + " before") + '\n';
  out += table.text(2);
  const std::size_t after = count - first - shown;
  if (after > 0) out += "  " + paint(style.color, Tone::Dim, std::to_string(after) + " more") + '\n';
  return out;
}

std::string rollout_checks(const RolloutFacts& facts, const ViewStyle& style) {
  if (facts.checks.empty()) return {};
  Table table(std::vector<Table::Align>(4, Table::Align::Left));
  table.row({"check", "verdict", "failures", ""});
  for (const CheckFacts& check : facts.checks) {
    const std::string verdict = check.verdict.empty() ? "-" : check.verdict;
    table.row({check.name, paint(style.color, tone_of(check.verdict), verdict), counts(check),
               check.sentence});
  }
  return table.text(2);
}

std::string rollout_waiting(const RolloutFacts& facts, const ViewStyle& style) {
  std::string out;
  for (const WaitFacts& wait : facts.waiting) {
    if (wait.reason == "time" || wait.reason == "bake") continue;
    if (is_in_line(facts, wait)) continue;
    const std::string& words = wait.sentence.empty() ? wait.reason : wait.sentence;
    out += labelled(out.empty() ? "waiting" : "", words, kRolloutLabel, style);
  }
  return out;
}

std::string fitted(const std::string& view, const ViewStyle& style) {
  std::string out;
  std::istringstream lines(view);
  for (std::string line; std::getline(lines, line);) out += clipped(line, style.columns) + '\n';
  return out;
}

std::string rollout_table(const RolloutFacts& facts, const ViewStyle& style) {
  return fitted(rollout_head(facts, 0, style) + rollout_waiting(facts, style) + rollout_steps(facts, style) +
                    rollout_checks(facts, style),
                style);
}

}  // namespace tidegate::cli
