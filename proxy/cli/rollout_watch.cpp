#include "cli/rollout_watch.h"

#include <csignal>
#include <deque>
#include <map>

#include "cli/rollout_picture.h"
#include "cli/rollout_text.h"
#include "cli/rollout_view.h"
#include "cli/screen.h"
#include "cli/time_text.h"

namespace tidegate::cli {
namespace {

constexpr double kRateSpan = 3.0;  // rates are counted over this long: answers of half a second jump

/// Empty: goes on. Exit::Ok: ended well.
using End = std::optional<Trouble>;

/// What is known at a moment.
struct Known {
  RolloutFacts facts;
  double at_s = 0;  ///< when the answer came
  std::vector<EventFacts> events{};
  std::string problem{};  ///< why there is no newer one
};

/// When following ends, and with what.
class Ending {
 public:
  Ending(const FollowRules& rules, double now_s) : rules_(rules), began_s_(now_s) {}

  End on_facts(const RolloutFacts& facts) {
    const bool idle = facts.state == RolloutState::Idle;
    const bool had_begun = begun_;
    begun_ = begun_ || !idle;
    if (facts.ended()) return Trouble{exit_of(facts), ""};
    if (idle && had_begun) return Trouble{Exit::Aborted, ""};  // undone, or dropped with the file
    if (!rules_.for_pipeline) return std::nullopt;
    if (idle) return Trouble{Exit::Failed, facts.route + ": no rollout runs\nbegin it: tidegate rollout start " + facts.route};
    return needs_person(facts) ? End(Trouble{Exit::Paused, ""}) : std::nullopt;
  }

  /// @param seen an answer came before: a server that restarts is waited for then.
  static End on_trouble(const Trouble& trouble, bool seen) {
    return seen && trouble.passing ? std::nullopt : End(trouble);
  }

  End on_time(double now_s, const std::optional<Known>& known) const {
    if (!rules_.limit_s || now_s - began_s_ < *rules_.limit_s) return std::nullopt;
    const std::string after = " after " + span_text(*rules_.limit_s);
    if (!known) return Trouble{Exit::TimedOut, "no answer" + after};
    const bool held = inconclusive(known->facts) || needs_person(known->facts);
    return Trouble{held ? Exit::Paused : Exit::TimedOut,
                   known->facts.route + (held ? ": held" : ": not ended") + after + ": " + rollout_line(known->facts)};
  }

 private:
  FollowRules rules_;
  double began_s_;
  bool begun_ = false;
};

Trouble interrupted(int signal) {
  return {signal == SIGTERM ? Exit::Terminated : Exit::Interrupted, ""};
}

/// One answer into what is known. @return why it is not, when it cannot be.
End learn(const OrTrouble<RolloutAnswer>& answer, double now_s, std::optional<Known>& known) {
  if (!answer) {
    if (End end = Ending::on_trouble(answer.error(), known.has_value())) return end;
    known->problem = answer.error().message.substr(0, answer.error().message.find('\n'));
    return std::nullopt;
  }
  auto facts = read_rollout(answer->route);
  if (!facts) return Trouble{Exit::Failed, "the route has no rollout in the configuration"};
  known = Known{std::move(*facts), now_s, read_events(answer->history)};
  return std::nullopt;
}

/// The loop of both. @param show is called after each answer (fresh) and at each look.
Done follow(const WatchWorld& world, const FollowRules& rules, const std::function<void(const Known&, bool fresh)>& show) {
  Ending ending(rules, world.seconds());
  std::optional<Known> known;
  const auto done = [](const End& end) { return end->exit == Exit::Ok ? Done() : Done(end); };
  while (true) {
    const auto answer = world.news();
    if (answer) {
      if (const End end = learn(*answer, world.seconds(), known)) return done(end);
    }
    if (known) show(*known, answer.has_value());
    if (answer && answer->has_value()) {
      if (const End end = ending.on_facts(known->facts)) return done(end);
    }
    if (const End end = ending.on_time(world.seconds(), known)) return done(end);
    if (const int signal = world.wait(); signal != 0) return interrupted(signal);
  }
}

/// Prints what is another than before.
class Lines {
 public:
  Lines(const WatchWorld& world, const ViewStyle& style, std::ostream& out) : world_(world), style_(style), out_(out) {}

  void show(const Known& known) {
    if (!known.problem.empty()) {
      if (last_ != known.problem) line(Tone::Warn, known.problem + "; waiting");
      last_ = known.problem;
      return;
    }
    for (const CheckFacts& check : known.facts.checks) show_check(check);
    const ProgressLine progress = progress_line(known.facts);
    if (last_ != progress.key) line(tone_of(known.facts), progress.text);
    last_ = progress.key;
  }

 private:
  static Tone tone_of(const RolloutFacts& facts) {
    if (facts.state == RolloutState::Completed) return Tone::Good;
    return exit_of(facts) == Exit::Ok ? Tone::Plain : exit_of(facts) == Exit::Paused ? Tone::Warn : Tone::Bad;
  }

  void show_check(const CheckFacts& check) {
    std::string& before = verdicts_[check.name];
    if (before == check.verdict) return;
    before = check.verdict;
    if (check.verdict.empty()) return;
    line(check.verdict == "pass" ? Tone::Good : Tone::Warn,
         "check " + check.name + ": " + check.verdict + (check.sentence.empty() ? "" : " - " + check.sentence));
  }

  void line(Tone tone, const std::string& text) {
    out_ << moment_text(world_.wall_ms()) << ' ' << paint(style_.color, tone, text) << std::endl;
  }

  const WatchWorld& world_;
  ViewStyle style_;
  std::ostream& out_;
  std::string last_;
  std::map<std::string, std::string> verdicts_;
};

/// Keeps a few answers for the rates, and draws.
class Live {
 public:
  Live(const WatchWorld& world, bool color, std::ostream& out) : world_(world), color_(color), out_(out) {}

  void show(const Known& known, bool fresh) {
    if (fresh && known.problem.empty()) remember(known);
    const Size size = world_.size();
    RolloutPicture picture;
    // Without a server nobody knows whether the clock goes on.
    picture.facts = aged(known.facts, known.problem.empty() ? world_.seconds() - known.at_s : 0.0);
    if (samples_.size() > 1) picture.earlier = samples_.front();
    if (picture.earlier) picture.earlier->seconds = samples_.back().seconds - samples_.front().seconds;
    picture.events = known.events;
    picture.wall_ms = world_.wall_ms();
    picture.problem = known.problem;
    if (!screen_) screen_.emplace(out_);
    screen_->draw(rollout_picture(picture, {color_, size.columns}), size.rows);
  }

 private:
  void remember(const Known& known) {
    samples_.push_back({known.facts.old_side, known.facts.new_side, known.at_s});  // the moment, not yet an age
    while (samples_.size() > 2 && known.at_s - samples_.front().seconds > kRateSpan) samples_.pop_front();
    if (known.facts.new_side.requests < samples_.front().new_side.requests ||
        known.facts.old_side.requests < samples_.front().old_side.requests) {
      samples_.erase(samples_.begin(), samples_.end() - 1);  // the server began anew
    }
  }

  const WatchWorld& world_;
  bool color_;
  std::ostream& out_;
  std::optional<Screen> screen_;  ///< from the first answer on: without one there is nothing to draw
  std::deque<Earlier> samples_;
};

}  // namespace

Done follow_in_lines(const WatchWorld& world, const FollowRules& rules, const ViewStyle& style, std::ostream& lines) {
  Lines view(world, style, lines);
  return follow(world, rules, [&view](const Known& known, bool fresh) {
    if (fresh) view.show(known);
  });
}

Done follow_live(const WatchWorld& world, const FollowRules& rules, bool color, std::ostream& out) {
  Live view(world, color, out);
  return follow(world, rules, [&view](const Known& known, bool fresh) { view.show(known, fresh); });
}

}  // namespace tidegate::cli
