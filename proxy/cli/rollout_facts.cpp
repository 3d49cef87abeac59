#include "cli/rollout_facts.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "cli/json_text.h"
#include "cli/status_view.h"
#include "cli/terminal.h"
#include "cli/time_text.h"

namespace tidegate::cli {

namespace json = boost::json;

namespace {

/// By the order of RolloutState.
constexpr std::array<std::string_view, 7> kStates{"idle",      "running",  "paused", "baking",
                                                  "completed", "reverted", "aborted"};

using Path = std::initializer_list<std::string_view>;

std::string word_at(const json::value& value, Path path) { return printable(text_at(value, path)); }

std::optional<double> maybe_at(const json::value& value, Path path) {
  const json::value& found = at(value, path);
  return found.is_number() ? std::optional(found.to_number<double>()) : std::nullopt;
}

template <class Row>
std::vector<Row> rows_of(const json::value& value, std::string_view name, Row (*read)(const json::value&)) {
  std::vector<Row> out;
  if (const auto* rows = at(value, {name}).if_array()) {
    for (const json::value& one : *rows) out.push_back(read(one));
  }
  return out;
}

StepFacts read_step(const json::value& step) {
  return {word_at(step, {"kind"}),       word_at(step, {"text"}),   maybe_at(step, {"weight"}),
          maybe_at(step, {"mirror"}), maybe_at(step, {"for_s"}), word_at(step, {"check"})};
}

WaitFacts read_wait(const json::value& wait) { return {word_at(wait, {"reason"}), word_at(wait, {"sentence"})}; }

CheckFacts read_check(const json::value& check) {
  return {word_at(check, {"name"}), word_at(check, {"verdict"}), word_at(check, {"sentence"}),
          number_at(check, {"failures"}), number_at(check, {"of"})};
}

SideFacts read_side(const json::value& route, std::string_view side) {
  const json::value& traffic = at(route, {"traffic", side});
  return {number_at(traffic, {"requests"}), number_at(traffic, {"failures"}), maybe_at(traffic, {"p50_ms"}),
          maybe_at(traffic, {"p99_ms"})};
}

GateFacts read_gate(const json::value& gate) {
  return {word_at(gate, {"verdict"}),
          word_at(gate, {"sentence"}),
          maybe_at(gate, {"statistics", "s_new"}),
          maybe_at(gate, {"thresholds", "h_new"}),
          maybe_at(gate, {"statistics", "s_prom"}),
          maybe_at(gate, {"thresholds", "h_prom"})};
}

std::optional<PauseFacts> read_pause(const json::value& pause) {
  if (!pause.is_object()) return std::nullopt;
  return PauseFacts{word_at(pause, {"by"}), word_at(pause, {"sentence"})};
}

RolloutState state_of(std::string_view word) noexcept {
  return static_cast<RolloutState>(std::find(kStates.begin(), kStates.end(), word) - kStates.begin());
}

void read_progress(const json::value& rollout, RolloutFacts& out) {
  out.state_word = word_at(rollout, {"state"});
  out.state = state_of(out.state_word);
  out.step = static_cast<std::size_t>(std::max(0.0, number_at(rollout, {"step"})));
  out.steps = rows_of(rollout, "steps", read_step);
  out.step_elapsed_s = number_at(rollout, {"step_elapsed_s"});
  out.bake_s = number_at(rollout, {"bake_s"});
  out.bake_elapsed_s = number_at(rollout, {"bake_elapsed_s"});
  out.by_proof = text_at(rollout, {"advance"}) == "proven";
  out.min_requests = number_at(rollout, {"min_requests"});
  out.requests_new = number_at(rollout, {"requests_new"});
}

}  // namespace

bool RolloutFacts::timed_pause() const noexcept {
  const StepFacts* now = current();
  return state == RolloutState::Paused && pause && pause->by == "step" && now != nullptr && now->for_s.has_value();
}

bool RolloutFacts::waits_for(std::string_view reason) const noexcept {
  return std::any_of(waiting.begin(), waiting.end(), [reason](const WaitFacts& one) { return one.reason == reason; });
}

std::optional<RolloutFacts> read_rollout(const json::value& route) {
  const json::value& rollout = at(route, {"rollout"});
  if (!rollout.is_object()) return std::nullopt;
  RolloutFacts out;
  out.route = word_at(route, {"name"});
  out.weight = percent_text(at(route, {"weight", "effective"}));
  out.latched = true_at(route, {"latched"});
  out.latch_reason = word_at(route, {"latch_reason"});
  out.gate = read_gate(at(route, {"gate"}));
  out.old_side = read_side(route, "old");
  out.new_side = read_side(route, "new");
  read_progress(rollout, out);
  out.waiting = rows_of(rollout, "waiting", read_wait);
  out.pause = read_pause(at(rollout, {"pause"}));
  out.started_at_ms = wall_ms_of(text_at(rollout, {"started_at"}));
  out.started_by = word_at(rollout, {"started_by"});
  out.checks = rows_of(rollout, "checks", read_check);
  out.file_differs = true_at(rollout, {"file_differs"});
  return out;
}

RolloutFacts aged(RolloutFacts facts, double age_s) {
  // The pause of a person stops the step's clock.
  if (facts.state == RolloutState::Running || facts.timed_pause()) facts.step_elapsed_s += age_s;
  if (facts.state == RolloutState::Baking) facts.bake_elapsed_s += age_s;
  return facts;
}

}  // namespace tidegate::cli
