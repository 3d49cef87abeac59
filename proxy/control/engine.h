// The thread that decides: it runs every route's gate each 20 ms, carries out what people ask, publishes into the live
// words and hands each decision to the store. What protects users is in force before it is durable; what exposes them to
// new (a higher weight, a re-armed gate) is durable before it is in force, so that no restart forgets what clients have seen, or a
// decision that somebody was told of.
//
// Owned by the composition root. Functions may be called on any thread unless said otherwise.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/object.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "config/config.h"
#include "check/answer.h"
#include "control/command.h"
#include "control/other_process.h"
#include "control/route_control.h"
#include "control/status.h"
#include "observe/failure_samples.h"
#include "store/writer.h"

namespace tidegate::control {

/// What a check is asked about.
struct CheckQuestion {
  const check::CheckPolicy& policy;
  const config::Route& route;
  std::string phase;     ///< of Flagger's payload: "Progressing" ...
  std::string checksum;  ///< of the plan
  std::vector<std::pair<std::string, std::string>> metadata;
};

/// A configuration that the engine goes on with. What is referred to lives as long as `keep`.
struct Reconfiguration {
  const config::Config& config;
  const route::Snapshot& snapshot;
  std::vector<std::vector<const gate::Ledger*>> ledgers;  ///< by route, of every worker
  std::shared_ptr<const void> keep;
  // As of EngineSetup.
  std::function<void(const CheckQuestion&, std::function<void(const check::Answer&)>)> ask{};
  std::function<std::vector<observe::FailureSample>(std::size_t route, double seconds)> samples{};
  std::function<std::uint64_t(std::size_t route)> copies{};
};

struct EngineSetup {
  const config::Config& config;
  const route::Snapshot& snapshot;
  std::vector<std::vector<const gate::Ledger*>> ledgers;  ///< by route, of every worker
  store::Writer& writer;
  store::State saved;
  std::function<void(const store::Decision&)> on_decision;  ///< control thread; after it is in force
  std::function<void(const std::string&)> on_store_error;   ///< control thread; at most once a minute
  std::function<void(const std::string&)> on_notice{};      ///< inside start(), or on the control thread: what an operator should know
  /// Control thread: a route's gate says something else than before, and why.
  std::function<void(const std::string& route, const gate::Ruling&, const std::string& sentence)> on_ruling{};
  /// Asks a check; the answer may come on any thread, once or never. Empty: no check is ever answered, so all hold.
  std::function<void(const CheckQuestion&, std::function<void(const check::Answer&)>)> ask{};
  /// The first requests that failed on new in the last so many seconds. Empty: none are kept.
  std::function<std::vector<observe::FailureSample>(std::size_t route, double seconds)> samples{};
  /// Copies that a route's mirror has sent since the start. Empty: none.
  std::function<std::uint64_t(std::size_t route)> copies{};
  std::shared_ptr<const void> keep{};  ///< what config, snapshot and ledgers live as long as
};

class Engine {
 public:
  /// PRODUCT: a decision every 10-50 ms.
  static constexpr Duration kTick = std::chrono::milliseconds(20);

  explicit Engine(EngineSetup setup);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  void start();
  void stop();

  /// Goes on with another configuration: what is in force for a route goes on under its name, and is published into the new
  /// snapshot before `done` is called, on the control thread. Where the file's own weight is another one than before, it is
  /// in force from then on. Call publish_everywhere() once nobody begins anything by the snapshot of before.
  void adopt(Reconfiguration next, std::function<void()> done);
  void publish_everywhere();

  /// Decides nothing more, so that another process can go on where this one is. Commands are refused meanwhile.
  /// @param answer on the control thread: what engine_handover.cpp writes, or an object with a "problem": then it has not
  /// stopped, because something is not durable yet that the other would not know of.
  void hold(std::function<void(boost::json::object)> answer);
  /// The other process did not come to it.
  void go_on();
  /// What hold() answered in the process before this one. Before start().
  void go_on_with(const boost::json::object& state);
  /// The process before still serves what it has begun: what fails there counts here, and what is in force here it follows.
  void serve_beside(std::shared_ptr<OtherProcess> before);
  /// The same from the other side: this one is held, and only drains.
  void drain_beside(std::shared_ptr<OtherProcess> next);
  /// Nothing is served here any more: tells the last of it. Waits for the control thread.
  void tell_the_last();

  void set_weight(std::string route, Weight weight, Command command, Reply reply);
  void set_mirror(std::string route, Weight percent, Command command, Reply reply);
  void revert(std::string route, Command command, Reply reply);
  /// Every route that there is at that moment.
  /// @param begin how many there are; then `each` is called once for each, as Reply is
  void revert_all(Command command, std::function<void(std::size_t routes)> begin, std::function<void(const std::string& route, const Outcome&)> each);
  void rearm(std::string route, Command command, Reply reply);
  /// @param verb what a person asks of the route's rollout: of rollout::Event the first kVerbCount.
  /// @param full of Promote: to the last step.
  void rollout(std::string route, rollout::Event verb, bool full, Command command, Reply reply);
  /// Answers on the control thread.
  void status(std::function<void(Status)> answer);

 private:
  /// What exposes users, or opens a latch.
  struct Exposure {
    store::RouteRecord record;  ///< of the route once it is in force
    store::Decision made;
    RouteControl::Written written;
    std::function<void(RouteControl&)> put_in_force;  ///< with the decision's epoch
    std::string takes_in_hand{};  ///< why the rollout pauses once it is in force; empty: it goes on
    enum class OfStep : std::uint8_t { No, Yes, WhenOver };
    OfStep of_step = OfStep::No;  ///< of a rollout; WhenOver: only if its step is still over when it is written
  };
  using Act = std::function<void(RouteControl&, const Command&, const Reply&)>;

  void on_route(std::string route, Command command, Reply reply, Act act);
  void weight_on_control(RouteControl& route, Weight weight, const Command& command, const Reply& reply);
  void mirror_on_control(RouteControl& route, Weight percent, const Command& command, const Reply& reply);
  void revert_on_control(RouteControl& route, const Command& command, const Reply& reply);
  void stay_latched(RouteControl& route, store::Action action, const Command& command, const Reply& reply);
  void rearm_on_control(RouteControl& route, const Command& command, const Reply& reply);

  // engine_rollout.cpp
  void rollout_on_control(RouteControl& route, rollout::Event verb, bool full, const Command& command, const Reply& reply);
  void begin_rollout(RouteControl& route, store::Action action, const Command& command, const Reply& reply);
  void tick_rollout(RouteControl& route, std::size_t index, double dt_s);
  void carry_out(RouteControl& route, const RolloutControl::Order& order);
  void move_durably(RouteControl& route, const rollout::Moved& moved, store::Decision made, Reply reply,
                    Exposure::OfStep of_step = Exposure::OfStep::Yes);
  void move_at_once(RouteControl& route, const rollout::Moved& moved, store::Decision made, Reply reply);
  void pause_rollout(RouteControl& route, rollout::Pause why, const Command& command);
  void tell_hooks(RouteControl& route, const store::Decision& decision, bool ends);
  CheckBoard::Ask asker(const RouteControl& route);

  void note_continued(const RouteControl& route);
  static rollout::Rollout in_hand(const RouteControl& route, const std::string& why);
  void by_hand(RouteControl& route, const std::string& actor, const std::string& why);

  void listen_to_the_one_before();
  void tell_what_is_in_force();
  Reply when_followed(Reply reply);
  void schedule_listening();
  void answer_who_waits();
  void schedule_look_at_the_next_one();
  void follow_the_next_one(Duration most);
  void tell_what_was_counted();
  RouteControl* route_named(std::string_view name) const noexcept;
  RouteControl* same_route(const boost::json::object& said) const;
  void hold_on_control(TimePoint until, std::function<void(boost::json::object)> answer);
  std::string sides_text(const RouteControl& route) const;

  void take_over_saved_state();
  void file_changed(RouteControl& route, Weight from);
  void mirror_changed(RouteControl& route, Weight from);
  /// What the store knows of a route, or what a configuration without it has left; nullptr: nothing.
  const store::RouteRecord* saved_of(const std::string& route) const;
  void remember(const RouteControl& route);
  void adopt_on_control(Reconfiguration next);
  void schedule_tick();
  void tick();
  void carry_out(RouteControl& route, std::size_t index, const RouteControl::Order& order);
  store::Decision decision(const RouteControl& route, store::Action action, const Command& command) const;
  /// @param ends of the route's rollout.
  void announce(RouteControl& route, const store::Decision& decision, bool ends = false);
  static CommandError latched(const RouteControl& route, std::string field);
  static std::string from(const RouteControl& route);
  void save_protective(RouteControl& route, const store::Decision& decision, Reply reply);
  Done already(const RouteControl& route, std::string note) const;
  static bool refuse_while_pending(const RouteControl& route, const Reply& reply);
  void expose(RouteControl& route, Exposure what, Reply reply);
  void say_not_made(RouteControl& route, const store::Decision& made, const std::string& why);
  void note_store_error(const std::string& message);
  Status collect() const;

  EngineSetup setup_;
  boost::asio::io_context io_{1};
  boost::asio::steady_timer timer_{io_};
  boost::asio::steady_timer listening_{io_};  // to the process before, while somebody waits for it
  const config::Config* config_;
  std::vector<std::shared_ptr<RouteControl>> routes_;
  std::uint64_t epoch_ = 0;
  bool held_ = false;      // commands are refused
  bool is_still_ = false;  // nothing is decided: another process goes on from here
  /// While both processes of an upgrade serve.
  struct Beside {
    std::shared_ptr<OtherProcess> other;
    std::map<std::string, RouteControl::InForce> told{};   // by route; of the process that decides
    std::map<std::string, std::uint32_t> steps{};          // by route, what the other one calls it; of the one that drains
    TimePoint reported{};
    std::int64_t tellings = 0;   // of the process that decides
    std::int64_t followed = 0;   // of those, that the other one has followed
    bool is_silent = false;      // it did not follow in time, and has said nothing since: nobody waits for it
    struct Waiting {
      std::int64_t number;
      TimePoint until;
      std::function<void()> answer;
    };
    std::vector<Waiting> waiting{};  // to be told that what they asked for is in force
  };
  std::optional<Beside> beside_;
  TimePoint last_tick_;
  TimePoint last_store_alarm_{};
  std::thread thread_;
};

}  // namespace tidegate::control
