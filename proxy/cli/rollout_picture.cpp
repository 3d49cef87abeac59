#include "cli/rollout_picture.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>

#include "cli/json_text.h"
#include "cli/meter.h"
#include "cli/rollout_text.h"
#include "cli/rollout_view.h"
#include "cli/table.h"
#include "cli/time_text.h"

namespace tidegate::cli {

namespace json = boost::json;

namespace {

constexpr std::size_t kBesideBar = 24;  // what stands behind a bar: "100 %  12.3 of 12.3"
constexpr std::size_t kLongestBar = 60;
constexpr std::size_t kMostEvents = 5;

template <class... A>
std::string text(const char* format, A... values) {
  char out[64];
  std::snprintf(out, sizeof out, format, values...);
  return out;
}

std::size_t bar_cells(const ViewStyle& style) {
  return std::clamp<std::size_t>(style.columns - std::min(style.columns, kRolloutLabel + kBesideBar), 8, kLongestBar);
}

std::string bar_line(std::string_view label, const std::string& bar, const std::string& beside) {
  std::string out = "  " + std::string(label);
  out.resize(std::max(out.size() + 1, kRolloutLabel), ' ');
  return out + bar + (beside.empty() ? "" : "  " + beside) + '\n';
}

// --- progress

/// How much of the current step is over, 0..1.
double step_share(const RolloutFacts& facts) {
  const StepFacts* step = facts.current();
  if (step == nullptr || !step->for_s || *step->for_s <= 0) return 0;
  return std::clamp(facts.step_elapsed_s / *step->for_s, 0.0, 1.0);
}

/// Steps that are over and the part of the present one; the bake is one more step at the end.
double steps_done(const RolloutFacts& facts) {
  const auto all = static_cast<double>(facts.steps.size());
  if (facts.state == RolloutState::Completed) return all + 1;
  if (facts.state == RolloutState::Baking) {
    return all + (facts.bake_s > 0 ? std::clamp(facts.bake_elapsed_s / facts.bake_s, 0.0, 1.0) : 0.0);
  }
  return facts.step == 0 ? 0.0 : static_cast<double>(facts.step - 1) + step_share(facts);
}

std::string rollout_bar(const RolloutFacts& facts, const ViewStyle& style) {
  const std::size_t parts = facts.steps.size() + (facts.bake_s > 0 ? 1 : 0);
  const bool failed = facts.state == RolloutState::Reverted || facts.state == RolloutState::Aborted;
  const bool ready = facts.state == RolloutState::Baking || facts.state == RolloutState::Completed;
  const std::string beside = facts.state == RolloutState::Baking
                                 ? "bake"
                                 : std::to_string(ready ? facts.steps.size() : facts.step) + " of " +
                                       std::to_string(facts.steps.size());
  return bar_line("rollout", ticked_meter(bar_cells(style), parts, steps_done(facts), failed ? Tone::Bad : Tone::Good, style.color),
                  beside);
}

/// The present step, or the bake; empty where no clock is told.
std::string step_bar(const RolloutFacts& facts, const ViewStyle& style) {
  const StepFacts* step = facts.current();
  double elapsed = facts.step_elapsed_s;
  double length = step == nullptr ? 0 : step->for_s.value_or(0);
  const bool bakes = facts.state == RolloutState::Baking;
  if (bakes) {
    elapsed = facts.bake_elapsed_s;
    length = facts.bake_s;
  } else if (facts.state != RolloutState::Running && facts.state != RolloutState::Paused) {
    return {};
  }
  if (length <= 0) return bar_line(bakes ? "bake" : "step", meter(bar_cells(style), 0, Tone::Plain, style.color), span_text(elapsed));
  return bar_line(bakes ? "bake" : "step", meter(bar_cells(style), elapsed / length, Tone::Plain, style.color),
                  span_text(std::min(elapsed, length)) + " of " + span_text(length));
}

// --- what happens now

std::string milliseconds(const std::optional<double>& ms) {
  return ms ? text(*ms < 10 ? "%.1f ms" : "%.0f ms", *ms) : "-";
}

std::vector<std::string> side_row(std::string_view name, const SideFacts& now, const SideFacts* before, double seconds,
                                  const ViewStyle& style) {
  std::string rate = "-", failed = "-";
  const double requests = before == nullptr ? -1 : now.requests - before->requests;
  if (requests >= 0 && seconds > 0) {  // less than before: the server began anew
    rate = text(requests / seconds < 10 ? "%.1f" : "%.0f", requests / seconds);
    const double failures = std::max(0.0, now.failures - before->failures);
    if (requests > 0) {
      failed = paint(style.color, failures > 0 ? Tone::Warn : Tone::Plain,
                     text("%.2f %%", 100.0 * std::min(1.0, failures / requests)));
    }
  }
  return {std::string(name), rate, failed, milliseconds(now.p50_ms), milliseconds(now.p99_ms)};
}

std::string sides_table(const RolloutPicture& picture, const ViewStyle& style) {
  using Align = Table::Align;
  Table table({Align::Left, Align::Right, Align::Right, Align::Right, Align::Right});
  table.row({"side", "requests/s", "errors", "p50", "p99"});
  const Earlier* earlier = picture.earlier ? &*picture.earlier : nullptr;
  const double seconds = earlier == nullptr ? 0 : earlier->seconds;
  table.row(side_row("old", picture.facts.old_side, earlier == nullptr ? nullptr : &earlier->old_side, seconds, style));
  table.row(side_row("new", picture.facts.new_side, earlier == nullptr ? nullptr : &earlier->new_side, seconds, style));
  return table.text(2);
}

std::string evidence_bar(std::string_view label, const std::optional<double>& statistic,
                         const std::optional<double>& threshold, Tone tone, const ViewStyle& style) {
  if (!statistic || !threshold || *threshold <= 0) {
    return bar_line(label, meter(bar_cells(style), 0, tone, style.color), "-");
  }
  const double share = std::clamp(*statistic / *threshold, 0.0, 1.0);
  return bar_line(label, meter(bar_cells(style), share, tone, style.color),
                  text("%3.0f %%  %.1f of %.1f", 100 * share, *statistic, *threshold));
}

std::string gate_part(const RolloutFacts& facts, const ViewStyle& style) {
  const GateFacts& gate = facts.gate;
  const bool said = facts.latched && gate.sentence == facts.latch_reason;  // by the head
  return labelled("gate", gate.verdict + (gate.sentence.empty() || said ? "" : " - " + gate.sentence), kRolloutLabel, style,
                  tone_of(gate.verdict)) +
         evidence_bar("to fail", gate.s_new, gate.h_new, Tone::Bad, style) +
         evidence_bar("to pass", gate.s_prom, gate.h_prom, Tone::Good, style);
}

std::string event_list(const std::vector<EventFacts>& events, const ViewStyle& style) {
  std::string out;
  Table table(std::vector<Table::Align>(5, Table::Align::Left));
  for (std::size_t i = 0; i < std::min(events.size(), kMostEvents); ++i) {
    const EventFacts& one = events[i];
    table.row({paint(style.color, Tone::Dim, moment_text(one.at_ms)), one.action, one.change, one.actor, one.reason});
  }
  return table.text(2);
}

}  // namespace

std::vector<EventFacts> read_events(const json::value& history) {
  std::vector<EventFacts> out;
  const auto* decisions = at(history, {"decisions"}).if_array();
  if (decisions == nullptr) return out;
  for (const json::value& one : *decisions) {
    const auto word = [&one](std::string_view name) { return printable(text_at(one, {name})); };
    out.push_back({static_cast<std::int64_t>(number_at(one, {"at_ms"})), word("action"),
                   word("from") + " -> " + word("to"), word("actor"), word("reason")});
  }
  return out;
}

std::string rollout_picture(const RolloutPicture& picture, const ViewStyle& style) {
  const RolloutFacts& facts = picture.facts;
  std::string out = rollout_head(facts, picture.wall_ms, style);
  if (!picture.problem.empty()) out += labelled("server", picture.problem, kRolloutLabel, style, Tone::Warn);
  out += rollout_bar(facts, style) + step_bar(facts, style) + rollout_waiting(facts, style);
  out += '\n' + rollout_steps(facts, style);
  out += '\n' + sides_table(picture, style) + gate_part(facts, style);
  if (!facts.checks.empty()) out += '\n' + rollout_checks(facts, style);
  if (!picture.events.empty()) out += '\n' + event_list(picture.events, style);
  return fitted(out, style);
}

}  // namespace tidegate::cli
