#include "cli/rollout.h"

#include <boost/json.hpp>
#include <ostream>

#include "admin/target.h"
#include "base/clock.h"
#include "cli/conversation.h"
#include "cli/interrupt.h"
#include "cli/json_text.h"
#include "cli/poller.h"
#include "cli/rollout_text.h"
#include "cli/rollout_view.h"
#include "cli/rollout_watch.h"

namespace tidegate::cli {

namespace json = boost::json;

namespace {

constexpr Duration kPollEvery = std::chrono::milliseconds(500);
constexpr Duration kPollTimeout = std::chrono::seconds(5);
constexpr Duration kDrawEvery = std::chrono::milliseconds(200);  // the clock shows seconds; 5 times is smooth
constexpr std::string_view kEventsShown = "5";

Trouble without_rollout(const Options& options) {
  return {Exit::Failed, options.route + " has no rollout in the configuration (routes[].rollout)"};
}

// --- actions that change something

/// "step 1 of 6 (weight 10 % for 5m)"
std::string described(const RolloutFacts& facts, std::size_t step) {
  return "step " + std::to_string(step) + " of " + std::to_string(facts.steps.size()) + " (" +
         facts.steps[step - 1].text + ")";
}

/// What to ask before; empty: nothing, the server says what is wrong.
std::string question(const RolloutFacts& facts, const Options& options) {
  if (facts.steps.empty()) return {};
  if (options.action == RolloutAction::Start) {
    return facts.route + ": start the rollout with " + described(facts, 1) + ", weight of new is " + facts.weight + " now?";
  }
  return facts.route + ": weight of new from " + facts.weight + " to " + described(facts, facts.steps.size()) + " at once?";
}

Done confirm(const json::value& route, const Options& options, Terminal& terminal) {
  const bool bold = options.action == RolloutAction::Start || options.full;
  if (!bold || !asks(options, terminal)) return std::nullopt;
  const auto facts = read_rollout(route);
  if (!facts) return without_rollout(options);
  const std::string text = question(*facts, options);
  if (text.empty() || agreed(options, terminal, text)) return std::nullopt;
  return Trouble{Exit::Failed, "nothing was changed"};
}

/// "; now step 2 of 6: weight 25 %, 5m 0s to go". What was done holds even when this cannot be read.
std::string what_holds(const Api& api, const Options& options) {
  const auto route = api.get(route_target(options.route));
  const auto facts = route ? read_rollout(route->body) : std::nullopt;
  if (!facts) return {};
  std::string out = "; now " + progress_line(*facts).text;
  const bool tells_weight = facts->state == RolloutState::Completed || facts->state == RolloutState::Baking;
  if (facts->state != RolloutState::Running && !tells_weight) out += "; weight of new is " + facts->weight;
  return out;
}

/// What gives new more is asked for by what was seen: the second of two people who promote, or one who promotes what the gate has paused
/// meanwhile, is told so. What takes back waits for nothing.
Done change(const Api& api, const Options& options, Terminal& terminal) {
  std::string seen;
  const bool takes_back = options.action == RolloutAction::Abort || options.action == RolloutAction::Pause || options.action == RolloutAction::Undo;
  if (!takes_back) {
    const auto route = api.get(route_target(options.route));
    if (!route) return route.error();
    if (auto trouble = confirm(route->body, options, terminal)) return trouble;
    seen = route->etag;
  }
  const RolloutWord& action = word_of(options.action);
  json::object body = who_and_why(options);
  if (options.full) body["full"] = true;
  const auto done = api.post(route_target(options.route, "/rollout/" + std::string(action.word)), body, seen);
  if (!done) return done.error();
  const std::string now = options.format == Format::Table ? what_holds(api, options) : "";
  say(done->body, options.route + ": rollout " + std::string(action.done) + epoch(done->body) + now, options, terminal);
  return std::nullopt;
}

// --- actions that look

Done as_done(Exit exit) { return exit == Exit::Ok ? Done() : Done(Trouble{exit, ""}); }

Done show(const Api& api, const Options& options, Terminal& terminal) {
  const auto route = api.get(route_target(options.route));
  if (!route) return route.error();
  const auto facts = read_rollout(route->body);
  if (!facts) return without_rollout(options);
  if (!print_data(at(route->body, {"rollout"}), options, terminal)) {
    terminal.out << rollout_table(*facts, {terminal.color, terminal.columns}) << std::flush;
  }
  return as_done(exit_of(*facts));
}

OrTrouble<RolloutAnswer> look(const Api& api, const Options& options, bool with_history) {
  auto route = api.get(route_target(options.route));
  if (!route) return route.error();
  RolloutAnswer out{std::move(route->body), nullptr};
  if (!with_history) return out;
  const std::string target =
      "/api/v1/history?limit=" + std::string(kEventsShown) + "&route=" + admin::encoded_segment(options.route);
  if (auto history = api.get(target)) out.history = std::move(history->body);  // without it the picture lacks a part
  return out;
}

Done follow(const Api& patient, const Options& options, Terminal& terminal) {
  const Api api = patient.within(options.timeout_given ? std::min(options.timeout, kPollTimeout) : kPollTimeout);
  const bool watches = options.action == RolloutAction::Watch;
  const bool live = watches && terminal.out_is_tty;
  const Interrupts interrupts;
  Poller<OrTrouble<RolloutAnswer>> poller([&api, &options, live] { return look(api, options, live); }, kPollEvery);
  WatchWorld world{[&poller] { return poller.take(); },
                   [] { return seconds(Clock::now().time_since_epoch()); },
                   wall_clock_ms,
                   [&] {
                     poller.wait(kDrawEvery);
                     return interrupts.signal();
                   },
                   [&terminal] { return terminal.size(); }};
  FollowRules rules{!watches};
  if (options.timeout_given) rules.limit_s = seconds(options.timeout);
  if (live) return follow_live(world, rules, terminal.color, terminal.out);
  // The data is the last word on standard output; what happens until then is told beside it.
  const bool table = options.format == Format::Table;
  const ViewStyle style{table && terminal.color, terminal.columns};
  return follow_in_lines(world, rules, style, table ? terminal.out : terminal.err);
}

Done wait_for_end(const Api& api, const Options& options, Terminal& terminal) {
  const Done end = follow(api, options, terminal);
  const bool cut_short = end && (end->exit == Exit::Interrupted || end->exit == Exit::Terminated);
  if (options.format == Format::Table || cut_short) return end;
  if (const auto route = api.get(route_target(options.route))) print_data(at(route->body, {"rollout"}), options, terminal);
  return end;
}

}  // namespace

Done rollout(const Api& api, const Options& options, Terminal& terminal) {
  switch (options.action) {
    case RolloutAction::Status:
      return options.wait ? wait_for_end(api, options, terminal) : show(api, options, terminal);
    case RolloutAction::Watch:
      return follow(api, options, terminal);
    default:
      return change(api, options, terminal);
  }
}

}  // namespace tidegate::cli
