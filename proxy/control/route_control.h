// The decided state of one route: weight, latch, mirror, and the gate that watches it. It publishes into the route's live
// word and remembers what the store must know. Which decision is allowed is written here as a table, so that an impossible
// one is an error and never silent:
//
//            weight 0   weight > 0   revert    rearm      mirror
//   Open     set        set          latch     refused    set
//   Latched  no change  refused      no change open at 0  set
//
// Owned by the engine, control thread only.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "control/alarm.h"
#include "control/rollout_control.h"
#include "control/status.h"
#include "gate/accumulator.h"
#include "gate/route_gate.h"
#include "route/snapshot.h"
#include "store/store.h"

namespace tidegate::control {

/// Held by the engine and by what waits for an answer that is for it.
class RouteControl : public std::enable_shared_from_this<RouteControl> {
 public:
  enum class State : std::uint8_t { Open, Latched };
  enum class Event : std::uint8_t { Lower, Raise, Revert, Rearm, Mirror };
  enum class Action : std::uint8_t { Apply, Nothing, Refuse };
  static Action allowed(State state, Event event) noexcept;

  /// @param saved what the store knows of the route; it wins over the file while the file's own value is the same.
  RouteControl(const config::Route& configured, const route::Route& route, std::vector<const gate::Ledger*> ledgers,
               const std::vector<check::CheckPolicy>& checks, const store::RouteRecord* saved);

  /// What a configuration says of the route. What is referred to lives as long as `keep`.
  struct Configured {
    const config::Route& route;
    const route::Route& published;
    std::vector<const gate::Ledger*> ledgers;
    const std::vector<check::CheckPolicy>& checks;
    bool sides_are_others = false;  ///< requests go somewhere else than before: what was counted says nothing of it
    bool weight_follows = false;    ///< set_weight_of_file() comes next, and begins the step
    std::shared_ptr<const void> keep;
  };
  /// Another configuration. Weight, latch and rollout stay; the gate keeps its evidence unless it, or what it watches, is
  /// another now. Publishes what is in force into the new live word.
  void configure(Configured to);
  /// Those who still serve by an earlier configuration see every decision as well, from now on.
  void publish_to_earlier();
  /// What the constructor's references live as long as.
  void keep(std::shared_ptr<const void> what) { keep_ = std::move(what); }

  /// What another process needs to go on with the gate and the step where they are.
  boost::json::object evidence_json() const;
  /// What evidence_json() was in the process before this one. Without effect where the gate's rule, or the rollout's place, is
  /// another.
  void go_on_with(const boost::json::object& evidence);

  /// As another process sees it that serves beside this one.
  struct InForce {
    Weight weight;
    Weight mirror;
    std::uint64_t epoch = 0;
    std::uint32_t step = 0;
    bool is_step_of_before = false;  ///< that the process before this one was in
    friend bool operator==(const InForce&, const InForce&) = default;
  };
  InForce in_force() const noexcept { return {weight_, mirror_, epoch_, step_, step_ == step_of_before_}; }
  /// What the process before this one counts of the requests that it still serves. Judged with the next tick if `step` is the
  /// one in force.
  void add_late(std::uint32_t step, const gate::StreamCounts& counts);
  /// Of the process that only drains: what its workers have counted since the last call, or the last tick.
  gate::StreamCounts take_counts() { return accumulator_.take(step_); }
  /// Of the process that only drains: what the next one has decided.
  void follow(const InForce& decided);

  const std::string& name() const noexcept { return configured_->policy.name; }
  State state() const noexcept { return latched_ ? State::Latched : State::Open; }
  Weight weight() const noexcept { return weight_; }
  Weight mirror() const noexcept { return mirror_; }
  /// What a configuration says of a mirror; none: there is none.
  static std::optional<Weight> mirror_in(const config::Route& configured) {
    return configured.policy.mirror ? std::optional(configured.policy.mirror->percent) : std::nullopt;
  }
  bool mirror_is_set() const noexcept { return mirror_set_; }  ///< at run time
  bool has_mirror() const noexcept { return configured_->policy.mirror.has_value(); }
  std::uint64_t epoch() const noexcept { return epoch_; }
  const std::string& latch_reason() const noexcept { return latch_reason_; }

  // Each publishes at once.
  void set_weight(Weight weight, std::uint64_t epoch) {
    weight_is_files_ = false;
    begin_step(weight, epoch);
  }
  /// As the file that is being taken over says.
  void set_weight_of_file(Weight weight, std::uint64_t epoch) {
    weight_is_files_ = true;
    begin_step(weight, epoch);
  }
  void set_mirror(Weight percent, std::uint64_t epoch);
  void set_epoch(std::uint64_t epoch) {
    epoch_ = epoch;
    publish();
  }
  void revert(RevertReason why, std::string sentence, std::uint64_t epoch);
  void rearm(std::uint64_t epoch);
  /// A move of the rollout, with its weights.
  void apply(const rollout::Moved& moved, std::uint64_t epoch);
  /// Another state of the rollout; the weights stay.
  void apply(rollout::Rollout next, std::uint64_t epoch);
  /// A decision that exposes users is being written and is not in force: until then no other of that kind. What overtakes it follows it
  /// in the history, and says so.
  struct Written {
    std::string what;              ///< "a move to 50 %"
    std::optional<Weight> weight;  ///< that it would set
  };
  void set_written(std::optional<Written> what) noexcept { written_ = std::move(what); }
  const std::optional<Written>& written() const noexcept { return written_; }

  /// What a tick of the gate asks the engine for.
  struct Order {
    store::Action action;  ///< Revert: not done yet. Hold, WouldRevert: the weight stays, once an alarm
    gate::Ruling ruling;
    std::string sentence;
    std::string record{};
  };
  struct Ticked {
    std::optional<Order> order{};
    std::optional<gate::Ruling> news{};  ///< its reason is another than before: for the log
  };
  Ticked tick(double dt_s);
  const gate::RouteGate& gate() const noexcept { return gate_; }

  RolloutControl& rollout() noexcept { return rollout_; }
  const RolloutControl& rollout() const noexcept { return rollout_; }
  rollout::Present present() const noexcept { return {weight_, mirror_}; }
  const config::Route& configured() const noexcept { return *configured_; }
  /// @param copies that the route's mirror has sent since the start of the process; none while there is no mirror.
  std::optional<RolloutControl::Order> tick_rollout(TimePoint now, double dt_s, std::optional<std::uint64_t> copies,
                                                    const CheckBoard::Ask& ask);

  store::RouteRecord record() const;
  /// What the store must know once `moved` is in force.
  store::RouteRecord record_of(const rollout::Moved& moved, std::uint64_t epoch) const;
  RouteStatus status() const;
  GateStatus gate_status() const;

 private:
  void begin_step(Weight weight, std::uint64_t epoch);
  void next_step() noexcept {
    step_ = (step_ + 1) % route::LiveRoute::kSteps;
    late_ = {};
  }
  void publish();
  std::optional<Order> order(double dt_s);
  void begin_anew_after_a_shared_degradation();
  rollout::Evidence evidence() const;
  std::string said(const gate::Ruling& ruling) const;

  std::shared_ptr<const void> keep_;  // of what follows
  const config::Route* configured_;
  std::shared_ptr<route::LiveRoute> live_;
  std::weak_ptr<route::LiveRoute> replaced_;  // until everybody has changed over
  bool weight_is_files_ = false;              // and a higher one is for where the new file sends requests, not for replaced_
  std::vector<std::weak_ptr<route::LiveRoute>> earlier_;  // of configurations that somebody may still serve by
  std::vector<const gate::Ledger*> ledgers_;
  Weight weight_;
  Weight mirror_;
  bool mirror_set_ = false;  // at run time
  bool latched_ = false;
  std::optional<Written> written_;
  std::string latch_reason_;
  std::uint64_t epoch_ = 0;
  std::uint32_t step_ = 0;
  std::optional<std::uint32_t> step_of_before_;  // as it is called here
  gate::StreamCounts late_;                      // of the process before this one
  std::optional<std::uint32_t> followed_;        // the step of the next process, as it is called there
  gate::Accumulator accumulator_;
  gate::Counts counted_;  // since the start, whatever the step
  gate::RouteGate gate_;
  gate::Ruling ruling_;
  AlarmEpisode alarm_;   // that on_fail keeps from being a revert
  AlarmEpisode shared_;  // that old shares
  RulingNews news_;
  bool was_shared_ = false;
  RolloutControl rollout_;
  std::optional<std::uint64_t> copies_;  // of the mirror, as last told; they only grow
  std::uint64_t copies_at_step_ = 0;     // or when they were told first, if that was later
  std::array<std::uint64_t, kRevertReasonCount> reverts_{};
  std::array<std::uint64_t, kHoldReasonCount> holds_{};
};

}  // namespace tidegate::control
