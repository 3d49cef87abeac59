// The part of the engine that moves rollouts. A move that may give new more is written before it is in force: when the store
// cannot write it, nothing happened and it is tried again; when the gate reverts meanwhile, the revert stands. A move that
// gives new less is in force at once, as every other retreat.
#include <boost/asio/post.hpp>
#include <utility>

#include "control/decision_record.h"
#include "control/engine.h"

namespace tidegate::control {

namespace asio = boost::asio;

namespace {

using rollout::Action;
using rollout::Event;
using rollout::State;

std::string place(const rollout::Rollout& at) {
  if (at.step == 0) return "before step 1 of " + std::to_string(at.plan.steps.size());
  return "in step " + std::to_string(at.step) + " of " + std::to_string(at.plan.steps.size()) + ": " + text(at.current());
}

/// What the rollout does now, for the line of the history.
std::string now_it(const rollout::Rollout& at) {
  switch (at.state) {
    case State::Running: return at.step == 0 ? place(at) : place(at).substr(3);  // "step 1 of 3: ..."
    case State::Paused: return "paused " + place(at);
    case State::Baking: return "every step is over; the weight is watched for the bake time";
    case State::Completed: return "the rollout is completed";
    case State::Aborted: return "aborted " + place(at) + "; everything goes to old";
    case State::Idle: return "undone: the weights are as before the rollout";
    case State::Reverted: return "reverted " + place(at);
  }
  return {};
}

std::string with_reason(const std::string& reason, const std::string& what) {
  return reason.empty() ? what : reason + " (" + what + ")";
}

/// Flagger's words for where a canary is.
std::string phase(const rollout::Rollout& at) {
  switch (at.state) {
    case State::Idle: return "Initialized";
    case State::Running:
      if (at.step == 0) return "Waiting";
      return at.at_last_step() || at.plan.steps[at.step].percent == Weight::whole() ? "WaitingPromotion" : "Progressing";
    case State::Paused: return "Waiting";
    case State::Baking: return "Finalising";
    case State::Completed: return "Succeeded";
    case State::Reverted:
    case State::Aborted: return "Failed";
  }
  return "Progressing";
}

CommandError refused(const RouteControl& route, Event verb) {
  const State state = route.rollout().now().state;
  std::string message = "the rollout of route " + route.name() + " is " + std::string(name(state)) + ": it cannot ";
  message += verb == Event::Promote ? "be promoted" : std::string(name(verb));
  switch (state) {
    case State::Running:
    case State::Paused: message += "; abort it (everything to old), or let it end"; break;
    case State::Baking: message += "; promote it (completed now), undo or abort it"; break;
    default: message += "; start it: tidegate rollout start " + route.name(); break;
  }
  return {CommandError::Code::Conflict, std::move(message), "rollout"};
}

store::Action action_of(Event verb) noexcept {
  switch (verb) {
    case Event::Start: return store::Action::RolloutStart;
    case Event::Pause: return store::Action::RolloutPause;
    case Event::Resume: return store::Action::RolloutResume;
    case Event::Promote: return store::Action::RolloutPromote;
    case Event::Abort: return store::Action::RolloutAbort;
    case Event::Retry: return store::Action::RolloutRetry;
    default: return store::Action::RolloutUndo;
  }
}

}  // namespace

void Engine::rollout(std::string route, rollout::Event verb, bool full, Command command, Reply reply) {
  on_route(std::move(route), std::move(command), std::move(reply),
           [this, verb, full](RouteControl& r, const Command& c, const Reply& a) { rollout_on_control(r, verb, full, c, a); });
}

// --- what people ask for

void Engine::rollout_on_control(RouteControl& route, rollout::Event verb, bool full, const Command& command,
                                const Reply& reply) {
  const rollout::Rollout& at = route.rollout().now();
  if (!route.rollout().file_plan() && at.plan.steps.empty()) {
    return reply(CommandError{CommandError::Code::Invalid,
                              "route " + route.name() + " has no rollout: give it one in the configuration (rollout: {})",
                              "rollout"});
  }
  Action action = rollout::action(at.state, verb);
  if (action == Action::Refuse) return reply(refused(route, verb));
  if (verb == Event::Pause && action == Action::Nothing && route.written()) action = Action::Pause;  // going on is being written
  if (action == Action::Nothing) {
    return reply(already(route, "the rollout is " + std::string(name(at.state)) + " already"));
  }
  // A retreat waits for no write: the move that is being written finds the route changed, and is not made.
  const rollout::Moved back = undone(at);
  const bool lowers = action == Action::Undo && back.weight <= route.weight() && back.mirror <= route.mirror();
  const bool retreats = action == Action::Pause || action == Action::Abort || action == Action::Complete || lowers;
  if (!retreats && refuse_while_pending(route, reply)) return;
  if (action == Action::Begin) return begin_rollout(route, action_of(verb), command, reply);

  const rollout::Present now = route.present();
  if (route.state() == RouteControl::State::Latched && action != Action::Abort) return reply(latched(route, "rollout"));
  store::Decision made = decision(route, action_of(verb), command);
  switch (action) {
    case Action::Pause: {
      const std::string why = command.reason.empty() ? "paused by " + command.actor : command.reason;
      return move_at_once(route, paused(at, now, {rollout::Pause::By::Person, why}), made, reply);
    }
    case Action::Resume: return move_durably(route, resume(at, now), made, reply);
    case Action::Next: return move_durably(route, full ? last(at, now) : next(at, now), made, reply);
    case Action::Complete: return move_at_once(route, complete(at, now), made, reply);
    case Action::Abort: return move_at_once(route, aborted(at, now), made, reply);
    default: break;
  }
  if (lowers) return move_at_once(route, back, made, reply);
  move_durably(route, back, made, reply);
}

void Engine::begin_rollout(RouteControl& route, store::Action action, const Command& command, const Reply& reply) {
  const auto conflict = [&](std::string message) {
    reply(CommandError{CommandError::Code::Conflict, std::move(message), "rollout"});
  };
  if (route.state() == RouteControl::State::Latched) return reply(latched(route, "rollout"));
  if (!route.rollout().file_plan()) return conflict("the configuration has no rollout for route " + route.name() + " any more");
  const rollout::Plan& plan = *route.rollout().file_plan();
  for (const rollout::Step& step : plan.steps) {
    if (step.kind != rollout::Step::Kind::Weight) continue;
    if (step.percent >= route.weight()) break;
    return conflict("the weight is " + route.weight().text() + " % already, and the first step would lower it to " +
                    step.percent.text() + " %; lower it by hand first: tidegate weight " + route.name() + " " +
                    step.percent.text());
  }
  const rollout::Present now = route.present();
  rollout::Moved moved = rollout::begin(plan, now, command.actor, wall_clock_ms());
  // After a revert the mirror is where a step had put it: what was before that rollout is what was before.
  if (route.rollout().now().state == State::Reverted) moved.rollout.mirror_before = route.rollout().now().mirror_before;
  if (!route.rollout().asks_before_first_step(moved.rollout, now.weight)) moved = rollout::next(moved.rollout, now);
  move_durably(route, std::move(moved), decision(route, action, command), reply);
}

// --- what happens

void Engine::tick_rollout(RouteControl& route, std::size_t index, double dt_s) {
  std::optional<std::uint64_t> copies;
  if (setup_.copies && route.has_mirror()) copies = setup_.copies(index);
  const auto order = route.tick_rollout(last_tick_, dt_s, copies, asker(route));
  if (order) carry_out(route, *order);
}

void Engine::carry_out(RouteControl& route, const RolloutControl::Order& order) {
  const rollout::Rollout& at = route.rollout().now();
  const rollout::Present now = route.present();
  if (order.kind == RolloutControl::Order::Kind::StepOver) {
    if (route.written()) return;
    const bool bakes = at.state == State::Baking;
    rollout::Moved moved = bakes ? complete(at, now) : next(at, now);
    const store::Action action = moved.rollout.state == State::Baking      ? store::Action::RolloutBake
                                 : moved.rollout.state == State::Completed ? store::Action::RolloutCompleted
                                                                           : store::Action::Step;
    store::Decision made = decision(route, action, Command{"rollout", {}, {}});
    made.record = with_evidence(made.record, order.evidence);
    return move_durably(route, std::move(moved), std::move(made), [](const Outcome&) {}, Exposure::OfStep::WhenOver);
  }
  const Command command{"check " + order.check->name, order.sentence, {}};
  if (order.check->on_fail == check::OnFail::Pause) {
    if (rollout::action(at.state, Event::Hold) != Action::Pause) return;
    return pause_rollout(route, {rollout::Pause::By::Check, "check " + order.check->name + ": " + order.sentence}, command);
  }
  const std::string before = from(route);
  store::Decision made = decision(route, store::Action::Revert, command);
  route.revert(RevertReason::Check, "check " + order.check->name + " failed: " + order.sentence, ++epoch_);
  made.epoch = epoch_;
  made.from = before;
  made.to = "0";
  announce(route, made, true);
  save_protective(route, made, [](const Outcome&) {});
}

void Engine::pause_rollout(RouteControl& route, rollout::Pause why, const Command& command) {
  store::Decision made = decision(route, store::Action::RolloutPause, command);
  move_at_once(route, paused(route.rollout().now(), route.present(), std::move(why)), made, [](const Outcome&) {});
}

// --- how a move is made

void Engine::move_at_once(RouteControl& route, const rollout::Moved& moved, store::Decision made, Reply reply) {
  made.from = from(route);
  made.to = moved.weight.text();
  made.reason = with_reason(made.reason, now_it(moved.rollout));
  made.epoch = ++epoch_;
  const bool ends = route.rollout().active() && !rollout::is_active(moved.rollout.state);
  route.apply(moved, epoch_);
  announce(route, made, ends);
  save_protective(route, made, std::move(reply));
}

void Engine::move_durably(RouteControl& route, const rollout::Moved& moved, store::Decision made, Reply reply, Exposure::OfStep of_step) {
  made.from = route.weight().text();
  made.to = moved.weight.text();
  made.reason = with_reason(made.reason, now_it(moved.rollout));
  made.epoch = ++epoch_;
  expose(route, {route.record_of(moved, made.epoch), made, {"a move to " + moved.weight.text() + " %", moved.weight},
                 [moved, epoch = made.epoch](RouteControl& r) { r.apply(moved, epoch); }, {}, of_step}, std::move(reply));
}

// --- checks

CheckBoard::Ask Engine::asker(const RouteControl& route) {
  if (!setup_.ask) return {};
  return [this, &route](const check::CheckPolicy& policy, CheckBoard::Answered answered) {
    const rollout::Rollout& at = route.rollout().now();
    setup_.ask(CheckQuestion{policy, route.configured(), phase(at), checksum(at.plan), {}},
               [this, owner = route.shared_from_this(), answered = std::move(answered)](const check::Answer& answer) {
                 asio::post(io_, [owner, answered, answer] { answered(answer); });
               });
  };
}

/// Hooks that are told, and whose answer changes nothing.
void Engine::tell_hooks(RouteControl& route, const store::Decision& decision, bool ends) {
  const rollout::Rollout& at = route.rollout().now();
  if (!setup_.ask || at.plan.checks.empty()) return;
  const auto tell = [&](CheckRole role) {
    for (const check::CheckPolicy* const hook : route.rollout().listeners(role)) {
      const bool bad = decision.action == store::Action::Revert || decision.action == store::Action::RolloutAbort;
      setup_.ask(CheckQuestion{*hook, route.configured(), phase(at), checksum(at.plan),
                               {{"eventMessage", decision.reason},
                                {"eventType", bad ? "Warning" : "Normal"},
                                {"timestamp", std::to_string(decision.at_ms)}}},
                 [this, owner = route.shared_from_this(), name = hook->name](const check::Answer& answer) {
                   asio::post(io_, [owner, name, verdict = answer.verdict] { owner->rollout().note_told(name, verdict); });
                 });
    }
  };
  tell(CheckRole::AtEvent);
  if (ends) tell(CheckRole::AtEnd);
}

}  // namespace tidegate::control
