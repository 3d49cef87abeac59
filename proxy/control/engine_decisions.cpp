// The part of the engine that makes a decision: what is written of it, who is told, and in which order it is durable and in force.
#include <atomic>
#include <boost/asio/post.hpp>
#include <utility>

#include "control/decision_record.h"
#include "control/engine.h"

namespace tidegate::control {

namespace asio = boost::asio;

namespace {

constexpr Duration kPatience = std::chrono::seconds(1);

}  // namespace

store::Decision Engine::decision(const RouteControl& route, store::Action action, const Command& command) const {
  store::Decision made;
  made.epoch = route.epoch();
  made.at_ms = wall_clock_ms();
  made.route = route.name();
  made.action = action;
  made.actor = command.actor;
  made.reason = command.reason;
  if (route.written()) {
    made.reason += (made.reason.empty() ? "(" : " (") + route.written()->what + " was being written, and was never in force)";
  }
  made.record = situation_record(route.gate_status());
  return made;
}

/// What the decision follows in the history: a move that is being written comes before it, though it never is in force.
std::string Engine::from(const RouteControl& route) {
  const bool moves = route.written() && route.written()->weight;
  return (moves ? *route.written()->weight : route.weight()).text();
}

/// What was asked for is in force. It is durable if everything is that was decided.
Done Engine::already(const RouteControl& route, std::string note) const {
  if (setup_.writer.pending() == 0) return {route.epoch(), true, std::move(note)};
  const std::string error = setup_.writer.last_error();
  return {route.epoch(), false, note + "; it may not be durable yet: " + (error.empty() ? "the store is slow" : error)};
}

CommandError Engine::latched(const RouteControl& route, std::string field) {
  return {CommandError::Code::Conflict,
          "route " + route.name() + " was reverted and is latched at weight 0 (" + route.latch_reason() +
              "); re-arm it first: tidegate rearm " + route.name(),
          std::move(field)};
}

void Engine::announce(RouteControl& route, const store::Decision& decision, bool ends) {
  tell_hooks(route, decision, ends);
  if (setup_.on_decision) setup_.on_decision(decision);
}

/// In force already, and stays so whatever the store does: the writer tries until it succeeds, and a person who waits is
/// told after kPatience that it did not yet.
void Engine::save_protective(RouteControl& route, const store::Decision& made, Reply reply) {
  const std::uint64_t epoch = made.epoch;
  auto answered = std::make_shared<std::atomic<bool>>(false);
  const auto once = [answered, reply = std::move(reply)](const Outcome& outcome) {
    if (!answered->exchange(true)) reply(outcome);
  };
  auto patience = std::make_shared<asio::steady_timer>(io_, kPatience);
  patience->async_wait([this, once, epoch, patience](const boost::system::error_code&) {
    const std::string error = setup_.writer.last_error();
    once(Done{epoch, false, "in force, but not durable yet: " + (error.empty() ? "the store is slow" : error)});
  });
  auto done = [once, epoch](const store::Result<void>& result) {
    once(Done{epoch, result.has_value(), result.has_value() ? "" : "in force, but not durable: " + result.error().message});
  };
  (void)setup_.writer.submit({route.record(), made}, store::Writer::Kind::Must, std::move(done));
}

bool Engine::refuse_while_pending(const RouteControl& route, const Reply& reply) {
  if (!route.written()) return false;
  reply(CommandError{CommandError::Code::Conflict, "another change of route " + route.name() + " is being written; try again",
                     "route"});
  return true;
}

/// Durable first: clients never see what a restart could forget. Meanwhile nothing else exposes, and what protects overtakes it.
void Engine::expose(RouteControl& route, Exposure what, Reply reply) {
  const std::shared_ptr<RouteControl> target = route.shared_from_this();
  target->set_written(std::move(what.written));
  const auto settle = [this, target, seen = route.epoch(), made = what.made, put_in_force = std::move(what.put_in_force),
                       step = what.of_step, takes_in_hand = what.takes_in_hand, reply = std::move(reply)](const std::string& error) {
    target->set_written(std::nullopt);
    const auto changed = [&] {
      reply(CommandError{CommandError::Code::Conflict,
                         "route " + target->name() + " was changed meanwhile, and stays as it was changed", "route"});
    };
    if (!error.empty()) {
      note_store_error(error);
      if (step != Exposure::OfStep::No) target->rollout().note_store_trouble(error, Clock::now());
      return reply(CommandError{CommandError::Code::Store, "nothing was changed, because a restart would forget it: " + error,
                                "state"});
    }
    RouteControl* const now = route_named(target->name());
    if (now != target.get()) {  // a reload removed the route: what it is at, or was, has to be the last word in the store
      say_not_made(now != nullptr ? *now : *target, made, "the route was removed meanwhile");
      return changed();
    }
    if (target->epoch() != seen) return changed();  // a revert, or a lower weight: its own record follows this one into the store
    if (step == Exposure::OfStep::WhenOver && !target->rollout().step_is_over()) {
      say_not_made(*target, made, "what it waited for was missing again");
      return changed();
    }
    const bool was_active = target->rollout().active();
    put_in_force(*target);
    announce(*target, made, was_active && !target->rollout().active());
    if (!takes_in_hand.empty()) by_hand(*target, made.actor, takes_in_hand);
    reply(Done{target->epoch(), true, {}});
  };
  auto done = [this, settle](const store::Result<void>& result) {
    const std::string error = result.has_value() ? std::string() : result.error().message;
    asio::post(io_, [settle, error] { settle(error); });
  };
  if (!setup_.writer.submit({std::move(what.record), std::move(what.made)}, store::Writer::Kind::Ordinary, std::move(done))) {
    settle("too many decisions wait for the store");
  }
}

/// It is in the history, and must not stay the last word there.
void Engine::say_not_made(RouteControl& route, const store::Decision& made, const std::string& why) {
  store::Decision undone = decision(route, made.action, Command{"tidegate", "not made: " + why, {}});
  undone.epoch = ++epoch_;
  undone.from = made.to;
  undone.to = made.from;
  route.set_epoch(undone.epoch);
  announce(route, undone);
  save_protective(route, undone, [](const Outcome&) {});
}

}  // namespace tidegate::control
