#include "control/engine.h"

#include <pthread.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/throw_exception.hpp>
#include <stdexcept>
#include <utility>

#include "control/decision_record.h"
#include "gate/sentence.h"

namespace tidegate::control {

namespace asio = boost::asio;

namespace {

/// A suspicion begins with a tick, its failures a moment before.
constexpr double kSampleSlackS = 1.0;

RevertReason revert_reason(gate::Reason reason) noexcept {
  switch (reason) {
    case gate::Reason::HardBreaker: return RevertReason::HardBreaker;
    case gate::Reason::SlowRate: return RevertReason::SlowRate;
    default: return RevertReason::ErrorRate;
  }
}

}  // namespace

void throw_exception_from_error(const CommandError& error, const boost::source_location& where) {
  boost::throw_exception(std::runtime_error(error.message), where);
}

Engine::Engine(EngineSetup setup) : setup_(std::move(setup)), config_(&setup_.config), epoch_(setup_.saved.epoch) {
  for (std::size_t i = 0; i < config_->routes.size(); ++i) {
    const config::Route& configured = config_->routes[i];
    routes_.push_back(std::make_shared<RouteControl>(configured, setup_.snapshot.routes()[i], setup_.ledgers[i], config_->checks,
                                                     saved_of(configured.policy.name)));
    routes_.back()->keep(setup_.keep);
  }
}

const store::RouteRecord* Engine::saved_of(const std::string& route) const {
  const std::vector<store::RouteRecord>& all = setup_.saved.routes;
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.route == route; });
  return found == all.end() ? nullptr : &*found;
}

Engine::~Engine() { stop(); }

/// Where a changed file wins over what was set at run time, that is a decision like any other; and what was saved for a
/// route that is no more must not go without a word.
void Engine::take_over_saved_state() {
  for (const store::RouteRecord& record : setup_.saved.routes) {
    RouteControl* const route = route_named(record.route);
    if (route == nullptr) {
      if (record.latched && setup_.on_notice) {
        setup_.on_notice("the state file holds a latch of route " + record.route + ", which the configuration does not have: " +
                         record.latch_reason);
      }
      continue;
    }
    if (route->rollout().saved_is_unreadable() && setup_.on_notice) {
      setup_.on_notice("what the state file holds of the rollout of route " + record.route +
                       " cannot be read; the weight is kept, the rollout is not");
    }
    if (const Weight was = record.mirror.value_or(record.file_mirror.value_or(Weight::none()));
        RouteControl::mirror_in(route->configured()) != record.file_mirror && (record.mirror || was != route->mirror())) {
      mirror_changed(*route, was);
    }
    if (record.latched || record.file_weight == route->configured().policy.weight) {
      note_continued(*route);
      continue;
    }
    file_changed(*route, record.weight);
  }
}

/// The file's own weight is another one than it was, and wins over what was in force.
void Engine::file_changed(RouteControl& route, Weight from) {
  const Weight to = route.configured().policy.weight;
  const bool moves = to != from;  // else what is in force says it already, and a restart must know whose value that is
  if (moves) by_hand(route, "file", "the weight of the file changed");
  ++epoch_;
  if (moves) {
    route.set_weight_of_file(to, epoch_);
  } else {
    route.set_epoch(epoch_);  // its record follows what is being written, which is then not done
  }
  store::Decision made = decision(route, store::Action::Weight, Command{"file", "the file's own value changed", {}});
  made.epoch = epoch_;
  made.from = from.text();
  made.to = to.text();
  announce(route, made);
  save_protective(route, made, [](const Outcome&) {});
}

void Engine::note_continued(const RouteControl& route) {
  const rollout::Rollout& at = route.rollout().now();
  if (!route.rollout().active() || !setup_.on_notice) return;
  setup_.on_notice("the rollout of route " + route.name() + " goes on: " + std::string(rollout::name(at.state)) + ", step " +
                   std::to_string(at.step) + " of " + std::to_string(at.plan.steps.size()) +
                   (route.rollout().step_s() > 0.0 ? "" : "; what it waits for begins anew"));
}

/// Somebody takes the weight into his own hands: the rollout waits for him.
rollout::Rollout Engine::in_hand(const RouteControl& route, const std::string& why) {
  const rollout::Rollout& at = route.rollout().now();
  if (rollout::action(at.state, rollout::Event::ByHand) != rollout::Action::Pause) return at;
  return rollout::paused(at, route.present(), {rollout::Pause::By::Hand, why}).rollout;
}

void Engine::by_hand(RouteControl& route, const std::string& actor, const std::string& why) {
  const rollout::State state = route.rollout().now().state;
  if (rollout::action(state, rollout::Event::ByHand) != rollout::Action::Pause) return;
  if (state == rollout::State::Paused) return route.apply(in_hand(route, why), route.epoch());
  pause_rollout(route, {rollout::Pause::By::Hand, why}, Command{actor, why, {}});
}

void Engine::start() {
  take_over_saved_state();
  last_tick_ = Clock::now();
  schedule_tick();
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "control");
    const auto work = asio::make_work_guard(io_);
    io_.run();
  });
}

void Engine::stop() {
  if (!thread_.joinable()) return;
  io_.stop();
  thread_.join();
}

// --- the gate

void Engine::schedule_tick() {
  timer_.expires_after(kTick);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || is_still_) return;
    tick();
    schedule_tick();
  });
}

void Engine::tick() {
  const TimePoint now = Clock::now();
  const double dt = seconds(now - last_tick_);
  last_tick_ = now;
  if (beside_) listen_to_the_one_before();
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    const auto& route = routes_[i];
    const RouteControl::Ticked ticked = route->tick(dt);
    if (ticked.order) carry_out(*route, i, *ticked.order);
    if (ticked.news && setup_.on_ruling) {
      const gate::Gate& of = route->gate().gate(ticked.news->stream);
      setup_.on_ruling(route->name(), *ticked.news, gate::sentence(*ticked.news, of.parameters()));
    }
    tick_rollout(*route, i, dt);
  }
  if (beside_) tell_what_is_in_force();
  if (setup_.writer.healthy()) return;
  if (const std::string error = setup_.writer.last_error(); !error.empty()) note_store_error(error);  // it may have become well just now
}

/// A decision of the gate. Only a revert changes the route (and its epoch: what a person has seen of a route that the gate
/// merely watches is still true).
void Engine::carry_out(RouteControl& route, std::size_t index, const RouteControl::Order& order) {
  const std::string before = from(route);
  const bool ends = order.action == store::Action::Revert && route.rollout().active();
  const bool of_errors = order.ruling.decision == gate::Decision::Revert && order.ruling.stream == gate::Stream::Errors;
  std::vector<observe::FailureSample> failures;
  if (setup_.samples && of_errors) {
    const double since_alarm = order.ruling.window ? order.ruling.window->seconds : order.ruling.step.seconds;
    failures = setup_.samples(index, since_alarm + kSampleSlackS);  // some microseconds, at most a few hundred of them
  }
  const std::string sentence = order.sentence + std::string(said_of_health(failures));
  ++epoch_;
  if (order.action == store::Action::Revert) route.revert(revert_reason(order.ruling.reason), sentence, epoch_);
  store::Decision made = decision(route, order.action, Command{"gate", sentence, {}});
  made.epoch = epoch_;
  made.from = before;
  made.to = route.weight().text();
  made.record = setup_.samples && of_errors ? with_failures(order.record, std::move(failures)) : order.record;
  announce(route, made, ends);
  save_protective(route, made, [](const Outcome&) {});
  const bool wants_pause = order.ruling.decision == gate::Decision::Revert &&
                           route.configured().on_fail == gate::OnFail::Pause;
  const bool runs = rollout::action(route.rollout().now().state, rollout::Event::Hold) == rollout::Action::Pause;
  if (wants_pause && runs) {
    pause_rollout(route, {rollout::Pause::By::Gate, order.sentence}, Command{"gate", order.sentence, {}});
  }
}

// --- commands

namespace {

CommandError taken_over() { return {CommandError::Code::Conflict, "another process is about to take over; try again", "route"}; }

}  // namespace

RouteControl* Engine::route_named(std::string_view name) const noexcept {
  for (const auto& route : routes_) {
    if (route->name() == name) return route.get();
  }
  return nullptr;
}

void Engine::on_route(std::string route, Command command, Reply reply, Act act) {
  asio::post(io_, [this, name = std::move(route), command = std::move(command), reply = std::move(reply),
                   act = std::move(act)] {
    if (held_) return reply(taken_over());
    if (RouteControl* const found = route_named(name)) {
      if (command.if_epoch && *command.if_epoch != found->epoch()) {
        reply(CommandError{CommandError::Code::Stale,
                           "route " + name + " is at epoch " + std::to_string(found->epoch()) + ", not " +
                               std::to_string(*command.if_epoch) + ": somebody changed it meanwhile",
                           "If-Match"});
        return;
      }
      return act(*found, command, beside_ ? when_followed(reply) : reply);
    }
    std::string known;
    for (const auto& candidate : routes_) known += (known.empty() ? "" : ", ") + candidate->name();
    reply(CommandError{CommandError::Code::NotFound, "no route is named " + name + " (routes: " + known + ")", "route"});
  });
}

void Engine::set_weight(std::string route, Weight weight, Command command, Reply reply) {
  on_route(std::move(route), std::move(command), std::move(reply),
           [this, weight](RouteControl& r, const Command& c, const Reply& a) { weight_on_control(r, weight, c, a); });
}

void Engine::set_mirror(std::string route, Weight percent, Command command, Reply reply) {
  on_route(std::move(route), std::move(command), std::move(reply),
           [this, percent](RouteControl& r, const Command& c, const Reply& a) { mirror_on_control(r, percent, c, a); });
}

void Engine::revert(std::string route, Command command, Reply reply) {
  on_route(std::move(route), std::move(command), std::move(reply),
           [this](RouteControl& r, const Command& c, const Reply& a) { revert_on_control(r, c, a); });
}

void Engine::revert_all(Command command, std::function<void(std::size_t)> begin, std::function<void(const std::string&, const Outcome&)> each) {
  asio::post(io_, [this, command = std::move(command), begin = std::move(begin), each = std::move(each)] {
    begin(routes_.size());
    for (const auto& route : routes_) {
      const Reply reply = [each, name = route->name()](const Outcome& outcome) { each(name, outcome); };
      if (held_) {
        reply(taken_over());
      } else {
        revert_on_control(*route, command, beside_ ? when_followed(reply) : reply);
      }
    }
  });
}

void Engine::rearm(std::string route, Command command, Reply reply) {
  on_route(std::move(route), std::move(command), std::move(reply),
           [this](RouteControl& r, const Command& c, const Reply& a) { rearm_on_control(r, c, a); });
}

void Engine::weight_on_control(RouteControl& route, Weight weight, const Command& command, const Reply& reply) {
  const Weight before = route.weight();
  if (weight == before && route.state() == RouteControl::State::Open && !route.written()) {
    return reply(already(route, "weight is " + weight.text() + " already"));
  }
  const bool raises = weight > before;
  switch (RouteControl::allowed(route.state(), raises ? RouteControl::Event::Raise : RouteControl::Event::Lower)) {
    case RouteControl::Action::Refuse:
      return reply(latched(route, "percent"));
    case RouteControl::Action::Nothing:
      if (route.written()) return stay_latched(route, store::Action::Weight, command, reply);
      return reply(already(route, "weight is 0 already: the route is latched"));
    case RouteControl::Action::Apply: break;
  }
  if (raises && refuse_while_pending(route, reply)) return;
  const std::string why = "the weight was set to " + weight.text() + " % by " + command.actor;
  if (!raises) by_hand(route, command.actor, why);
  store::Decision made = decision(route, store::Action::Weight, command);
  made.epoch = ++epoch_;
  made.from = from(route);
  made.to = weight.text();
  if (raises) {
    const rollout::Moved moved{in_hand(route, why), weight, route.mirror()};
    return expose(route, {route.record_of(moved, made.epoch), made, {"a move to " + weight.text() + " %", weight},
                          [weight, epoch = made.epoch](RouteControl& r) { r.set_weight(weight, epoch); }, why}, reply);
  }
  route.set_weight(weight, made.epoch);
  announce(route, made);
  save_protective(route, made, reply);
}

void Engine::mirror_on_control(RouteControl& route, Weight percent, const Command& command, const Reply& reply) {
  if (!route.has_mirror()) {
    return reply(CommandError{CommandError::Code::Invalid,
                              "route " + route.name() + " has no mirror: give it one in the configuration (mirror: {percent: 0})",
                              "percent"});
  }
  const Weight before = route.mirror();
  const bool raises = percent > before;
  if (raises && refuse_while_pending(route, reply)) return;
  const rollout::Rollout& at = route.rollout().now();
  const bool of_the_step = at.state == rollout::State::Running && at.step > 0 && at.current().kind == rollout::Step::Kind::Mirror;
  const std::string why = of_the_step ? "the mirror was set to " + percent.text() + " % by " + command.actor : std::string();
  if (of_the_step && !raises) by_hand(route, command.actor, why);
  store::Decision made = decision(route, store::Action::Mirror, command);
  made.epoch = ++epoch_;
  made.from = before.text();
  made.to = percent.text();
  if (raises) {
    const rollout::Moved moved{of_the_step ? in_hand(route, why) : at, route.weight(), percent};
    return expose(route, {route.record_of(moved, made.epoch), made, {"a mirror of " + percent.text() + " %", std::nullopt},
                          [percent, epoch = made.epoch](RouteControl& r) { r.set_mirror(percent, epoch); }, why}, reply);
  }
  route.set_mirror(percent, made.epoch);
  announce(route, made);
  save_protective(route, made, reply);
}

void Engine::revert_on_control(RouteControl& route, const Command& command, const Reply& reply) {
  if (RouteControl::allowed(route.state(), RouteControl::Event::Revert) == RouteControl::Action::Nothing) {
    if (route.written()) return stay_latched(route, store::Action::Revert, command, reply);
    return reply(already(route, "reverted already: " + route.latch_reason()));
  }
  const std::string before = from(route);
  const bool ends = route.rollout().active();
  Command asked = command;
  if (asked.reason.empty()) asked.reason = "reverted by hand";
  route.revert(RevertReason::Operator, asked.reason, ++epoch_);
  store::Decision made = decision(route, store::Action::Revert, asked);
  made.from = before;
  made.to = "0";
  announce(route, made, ends);
  save_protective(route, made, reply);
}

/// A rearm is being written, and is not to be done.
void Engine::stay_latched(RouteControl& route, store::Action action, const Command& command, const Reply& reply) {
  store::Decision made = decision(route, action, command);
  made.from = made.to = "0";
  made.epoch = ++epoch_;
  route.set_epoch(made.epoch);
  announce(route, made);
  save_protective(route, made, reply);
}

void Engine::rearm_on_control(RouteControl& route, const Command& command, const Reply& reply) {
  if (RouteControl::allowed(route.state(), RouteControl::Event::Rearm) == RouteControl::Action::Refuse) {
    return reply(CommandError{CommandError::Code::Conflict, "route " + route.name() + " is not latched", "route"});
  }
  if (refuse_while_pending(route, reply)) return;
  store::Decision made = decision(route, store::Action::Rearm, command);
  made.epoch = ++epoch_;
  made.from = "latched";
  made.to = "0";
  store::RouteRecord record = route.record();
  record.latched = false;
  record.latch_reason.clear();
  record.epoch = made.epoch;
  expose(route, {std::move(record), made, {"a rearm", std::nullopt}, [epoch = made.epoch](RouteControl& r) { r.rearm(epoch); }}, reply);
}

void Engine::note_store_error(const std::string& message) {
  const TimePoint now = Clock::now();
  if (last_store_alarm_ != TimePoint{} && now - last_store_alarm_ < std::chrono::minutes(1)) return;
  last_store_alarm_ = now;
  if (setup_.on_store_error) setup_.on_store_error(message);
}

void Engine::status(std::function<void(Status)> answer) {
  asio::post(io_, [this, answer = std::move(answer)] { answer(collect()); });
}

Status Engine::collect() const {
  Status out;
  out.epoch = epoch_;
  for (const auto& route : routes_) out.routes.push_back(route->status());
  const std::string error = setup_.writer.last_error();
  out.store = {error.empty(), config_->state.path, error, setup_.writer.failures(), setup_.writer.pending()};
  return out;
}

}  // namespace tidegate::control
