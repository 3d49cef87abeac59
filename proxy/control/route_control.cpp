#include "control/route_control.h"

#include <utility>

#include <boost/json.hpp>

#include "control/decision_record.h"
#include "control/replay.h"
#include "control/rollout_record.h"
#include "gate/sentence.h"

namespace tidegate::control {

RouteControl::Action RouteControl::allowed(State state, Event event) noexcept {
  //                                     Lower            Raise           Revert           Rearm            Mirror
  static constexpr Action kTable[2][5]{{Action::Apply,   Action::Apply,  Action::Apply,   Action::Refuse,  Action::Apply},
                                       {Action::Nothing, Action::Refuse, Action::Nothing, Action::Apply,   Action::Apply}};
  return kTable[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
}

namespace {

Weight file_mirror(const config::Route& configured) { return RouteControl::mirror_in(configured).value_or(Weight::none()); }

}  // namespace

RouteControl::RouteControl(const config::Route& configured, const route::Route& route,
                           std::vector<const gate::Ledger*> ledgers, const std::vector<check::CheckPolicy>& checks,
                           const store::RouteRecord* saved)
    : configured_(&configured),
      live_(route.live),
      ledgers_(std::move(ledgers)),
      weight_(configured.policy.weight),
      mirror_(file_mirror(configured)),
      accumulator_(ledgers_, 0),
      gate_(configured.gate, configured.slow, configured.policy.weight.share()),
      rollout_(configured.rollout, checks, saved == nullptr ? std::string() : saved->rollout) {
  if (saved != nullptr) {
    epoch_ = saved->epoch;
    if (saved->file_weight == configured.policy.weight) weight_ = saved->weight;
    if (saved->mirror && saved->file_mirror == file_mirror(configured)) {
      mirror_ = *saved->mirror;
      mirror_set_ = true;
    }
    latched_ = saved->latched;  // only a person opens a latch: a changed file does not
    latch_reason_ = saved->latch_reason;
    if (latched_) weight_ = Weight::none();
    gate_ = gate::RouteGate(configured.gate, configured.slow, weight_.share());
  }
  publish();
}

void RouteControl::publish() {
  const auto publish_to = [this](route::LiveRoute& live) {
    live.publish({weight_, step_, static_cast<std::uint32_t>(epoch_)});
    live.publish_mirror(mirror_);
  };
  publish_to(*live_);
  if (const std::shared_ptr<route::LiveRoute> replaced = replaced_.lock()) {
    if (!weight_is_files_ || weight_ < replaced->split().weight) publish_to(*replaced);
  }
  if (earlier_.empty()) return;
  std::erase_if(earlier_, [&](const std::weak_ptr<route::LiveRoute>& one) {
    const std::shared_ptr<route::LiveRoute> live = one.lock();
    if (live != nullptr) publish_to(*live);
    return live == nullptr;
  });
}

/// The live word of before keeps what it says until the workers have changed over: a weight of the new file is for where the
/// new file sends requests.
void RouteControl::configure(Configured to) {
  const config::Route& before = *configured_;
  const config::Route& now = to.route;
  const std::shared_ptr<const void> kept = std::exchange(keep_, std::move(to.keep));
  const bool other_gate = before.gate != now.gate || before.slow != now.slow;
  const bool other_evidence = to.sides_are_others || before.errors != now.errors;
  const bool other_mirror = file_mirror(before) != file_mirror(now);
  configured_ = &now;
  rollout_.configure(now.rollout, to.checks);
  if (other_mirror || !has_mirror()) {
    mirror_ = file_mirror(now);
    mirror_set_ = false;
  }
  if (to.ledgers != ledgers_) {
    ledgers_ = std::move(to.ledgers);
    accumulator_ = gate::Accumulator(ledgers_, step_);
  }
  if (other_gate || other_evidence) {
    if (!to.weight_follows) next_step();  // two at once would use the counters (by parity) that requests of before still use
    if (other_gate) {
      gate_ = gate::RouteGate(now.gate, now.slow, weight_.share());
    } else {
      gate_.step(weight_.share());
    }
    alarm_.forget();
    shared_.forget();
    news_ = {};
    ruling_ = {};
  }
  if (to.sides_are_others && rollout_.now().state != rollout::State::Paused && rollout_.active()) {
    rollout_.set(rollout_.now());  // time that passed, and answers of checks, are of other servers
    copies_at_step_ = copies_.value_or(0);
  }
  const std::shared_ptr<route::LiveRoute> earlier = std::exchange(live_, to.published.live);
  const std::vector<std::weak_ptr<route::LiveRoute>> all = std::exchange(earlier_, {});
  publish();
  earlier_ = all;
  if (earlier != live_) replaced_ = earlier;
}

void RouteControl::publish_to_earlier() {
  if (!replaced_.expired()) earlier_.push_back(replaced_);
  replaced_.reset();
  weight_is_files_ = false;
  publish();
}

boost::json::object RouteControl::evidence_json() const {
  return {{"gate", to_json({gate_, {}, 0.0}, ruling_)},
          {"rollout", rollout_record(rollout_.now())},
          {"step_s", rollout_.step_s()}};
}

void RouteControl::go_on_with(const boost::json::object& evidence) {
  const boost::json::value* const gate_json = evidence.if_contains("gate");
  const std::optional<Replay> before =
      gate_json != nullptr && gate_json->is_object() ? replay(gate_json->get_object()) : std::nullopt;
  const auto same_rule = [&](gate::Stream stream) {
    const gate::RouteGate& other = before->tick.before;
    if (gate_.has(stream) != other.has(stream)) return false;
    return !gate_.has(stream) || gate_.gate(stream).parameters() == other.gate(stream).parameters();
  };
  if (before && same_rule(gate::Stream::Errors) && same_rule(gate::Stream::Slow)) {
    gate_ = before->tick.before;
    step_of_before_ = step_;
  }
  const boost::json::value* const place = evidence.if_contains("rollout");
  const boost::json::value* const step = evidence.if_contains("step_s");
  if (place != nullptr && step != nullptr && step->is_double() && *place == boost::json::string_view(rollout_record(rollout_.now()))) {
    rollout_.go_on_in_step(step->get_double());
  }
}

void RouteControl::add_late(std::uint32_t step, const gate::StreamCounts& counts) {
  if (step != step_) return;
  late_.errors += counts.errors;
  late_.slow += counts.slow;
}

void RouteControl::follow(const InForce& decided) {
  mirror_ = decided.mirror;
  epoch_ = decided.epoch;
  const bool goes_on = decided.is_step_of_before || followed_ == decided.step;
  followed_ = decided.step;
  if (goes_on && decided.weight == weight_) return publish();
  begin_step(decided.weight, decided.epoch);
}

void RouteControl::begin_step(Weight weight, std::uint64_t epoch) {
  weight_ = weight;
  epoch_ = epoch;
  next_step();
  publish();
  gate_.step(weight.share());
  alarm_.forget();
  shared_.forget();
  news_ = {};
  ruling_ = {};  // of the step before
}

void RouteControl::set_mirror(Weight percent, std::uint64_t epoch) {
  mirror_ = percent;
  mirror_set_ = true;
  epoch_ = epoch;
  publish();
}

void RouteControl::revert(RevertReason why, std::string sentence, std::uint64_t epoch) {
  next_step();
  weight_ = Weight::none();
  latched_ = true;
  latch_reason_ = std::move(sentence);
  epoch_ = epoch;
  publish();  // before anything else: from here on every worker sends everybody to old
  const rollout::State at = rollout_.now().state;
  if (rollout::action(at, rollout::Event::Revert) == rollout::Action::Revert) rollout_.set(rollout::reverted(rollout_.now()));
  ++reverts_[static_cast<std::size_t>(why)];
}

/// A weight step begins a step of the gate even at the weight that is in force already: what it is to prove, it proves anew.
void RouteControl::apply(const rollout::Moved& moved, std::uint64_t epoch) {
  const rollout::Rollout& to = moved.rollout;
  const bool begins = to.step != rollout_.now().step || rollout_.now().state != rollout::State::Running;
  const bool enters = to.state == rollout::State::Running && to.step > 0 && begins &&
                      to.current().kind == rollout::Step::Kind::Weight;
  copies_at_step_ = copies_.value_or(0);
  rollout_.set(to);
  if (moved.mirror != mirror_) set_mirror(moved.mirror, epoch);
  if (enters || moved.weight != weight_) set_weight(moved.weight, epoch);
  epoch_ = epoch;
  publish();
}

void RouteControl::apply(rollout::Rollout next, std::uint64_t epoch) {
  rollout_.set(std::move(next));
  epoch_ = epoch;
  publish();
}

std::optional<RolloutControl::Order> RouteControl::tick_rollout(TimePoint now, double dt_s, std::optional<std::uint64_t> copies,
                                                                const CheckBoard::Ask& ask) {
  if (copies) {
    if (!copies_) copies_at_step_ = *copies;
    copies_ = copies;
  }
  return rollout_.tick(now, dt_s, weight_, [this] { return evidence(); }, ask);
}

rollout::Evidence RouteControl::evidence() const {
  rollout::Evidence out;
  const gate::Gate& of = gate_.gate(ruling_.stream);
  out.weight = weight_;
  out.ruling = ruling_;
  out.thresholds = of.thresholds();
  out.gate_sentence = said(ruling_);
  out.gate_only_reports = configured_->on_fail == gate::OnFail::Notify;
  out.requests_new = ruling_.step.counts.new_total;
  out.mirrored = copies_.value_or(0) - copies_at_step_;
  return out;
}

void RouteControl::rearm(std::uint64_t epoch) {
  latched_ = false;
  latch_reason_.clear();
  epoch_ = epoch;
  publish();
  gate_.rearm(weight_.share());
  ruling_ = {};
  news_ = {};
}

RouteControl::Ticked RouteControl::tick(double dt_s) {
  gate::StreamCounts counts = accumulator_.take(step_);
  const gate::StreamCounts late = std::exchange(late_, {});
  counts.errors += late.errors;
  counts.slow += late.slow;
  counted_ += counts.errors;
  if (latched_) return {};
  if (weight_ == Weight::none()) {  // nothing to guard: it only looks, and there is nothing to tell
    ruling_ = gate_.tick(counts, dt_s);
    return {};
  }
  const GateTick tick{gate_, counts, dt_s};  // a few KiB of plain numbers: what a record needs to be replayed
  ruling_ = gate_.tick(counts, dt_s);
  begin_anew_after_a_shared_degradation();
  Ticked out{order(dt_s)};
  if (out.order) {
    const Weight after = out.order->action == store::Action::Revert ? Weight::none() : weight_;
    out.order->record = decision_record(tick, gate_, ruling_, weight_, after);
  }
  if (news_.tick(ruling_.reason, dt_s) && !out.order) out.news = ruling_;  // an order is told by itself
  return out;
}

/// What both sides failed together proves nothing for new and nothing against it, but the failures would have to be paid back
/// by hours of good requests before a step could be proven (each costs the evidence of fifty). So the step begins anew, with its
/// time, its proof and its checks, as after a change of the weight.
void RouteControl::begin_anew_after_a_shared_degradation() {
  const bool shared = ruling_.reason == gate::Reason::SharedDegradation;
  const bool over = std::exchange(was_shared_, shared) && !shared;
  if (!over || rollout_.now().state != rollout::State::Running || rollout_.now().step == 0) return;
  rollout_.set(rollout_.now());
  gate_.step(weight_.share());
}

/// A revert is asked for until it is done; what leaves the weight as it is, once an alarm. While a move is being written its line waits
/// for a later tick: the route's record in the store is the move's then.
std::optional<RouteControl::Order> RouteControl::order(double dt_s) {
  const bool fail = ruling_.decision == gate::Decision::Revert;
  if (fail && configured_->on_fail == gate::OnFail::Revert) return Order{store::Action::Revert, ruling_, said(ruling_)};
  if (written_) return std::nullopt;
  const bool begins = alarm_.tick(fail, dt_s);
  const bool shares = shared_.tick(ruling_.reason == gate::Reason::SharedDegradation, dt_s);
  if (!begins && !shares) return std::nullopt;
  const bool what_if = begins && configured_->on_fail == gate::OnFail::Notify;
  const HoldReason why = shares ? HoldReason::SharedDegradation : what_if ? HoldReason::Notify : HoldReason::Pause;
  ++holds_[static_cast<std::size_t>(why)];
  return Order{what_if ? store::Action::WouldRevert : store::Action::Hold, ruling_, said(ruling_)};
}

/// The ruling in words, and what becomes of it.
std::string RouteControl::said(const gate::Ruling& ruling) const {
  std::string out = gate::sentence(ruling, gate_.gate(ruling.stream).parameters());
  if (ruling.decision != gate::Decision::Revert) return out;
  switch (configured_->on_fail) {
    case gate::OnFail::Revert: return out;
    case gate::OnFail::Pause: return out + "; the weight stays (on_fail: pause)";
    case gate::OnFail::Notify: return "would have reverted: " + out + " (on_fail: notify)";
  }
  return out;
}

store::RouteRecord RouteControl::record() const {
  store::RouteRecord record;
  record.route = name();
  record.file_weight = configured_->policy.weight;
  record.weight = weight_;
  record.latched = latched_;
  record.latch_reason = latch_reason_;
  if (has_mirror()) record.file_mirror = file_mirror(*configured_);
  if (mirror_set_) record.mirror = mirror_;
  record.epoch = epoch_;
  record.rollout = rollout_record(rollout_.now());
  return record;
}

store::RouteRecord RouteControl::record_of(const rollout::Moved& moved, std::uint64_t epoch) const {
  store::RouteRecord out = record();
  out.weight = moved.weight;
  if (moved.mirror != mirror_) out.mirror = moved.mirror;
  out.epoch = epoch;
  out.rollout = rollout_record(moved.rollout);
  return out;
}

GateStatus RouteControl::gate_status() const {
  const auto stream_status = [this](const gate::Ruling& ruling) -> StreamStatus {
    const gate::Gate& of = gate_.gate(ruling.stream);
    StreamStatus one{ruling, of.thresholds(), said(ruling), of.old_suspect()};
    // What is done, and not what the gate would do: the verdict is `fail` either way.
    if (ruling.decision == gate::Decision::Revert && configured_->on_fail != gate::OnFail::Revert) {
      one.ruling.decision = gate::Decision::Hold;
    }
    return one;
  };
  GateStatus out{stream_status(ruling_)};
  out.on_fail = configured_->on_fail;
  if (latched_) out.sentence = latch_reason_;
  for (const gate::Stream stream : {gate::Stream::Errors, gate::Stream::Slow}) {
    if (gate_.has(stream)) out.streams.push_back(stream_status(gate_.ruling(stream)));
  }
  return out;
}

RouteStatus RouteControl::status() const {
  RouteStatus out;
  out.name = name();
  out.clusters = configured_->policy.clusters;
  out.file_weight = configured_->policy.weight;
  out.wanted = weight_;
  out.effective = live_->split().weight;
  out.latched = latched_;
  out.latch_reason = latch_reason_;
  out.has_mirror = has_mirror();
  out.file_mirror = file_mirror(*configured_);
  out.mirror = mirror_;
  out.epoch = epoch_;
  out.gate = gate_status();
  out.reverts = reverts_;
  out.holds = holds_;
  out.rollout = rollout_.status([this] { return evidence(); });
  out.attempts[Side::Old] = {counted_.old_total, counted_.old_failures};
  out.attempts[Side::New] = {counted_.new_total, counted_.new_failures};
  for (const gate::Ledger* ledger : ledgers_) {
    for (const Side side : {Side::Old, Side::New}) out.stale_failures[side] += ledger->stale_failures(side);
  }
  return out;
}

}  // namespace tidegate::control
