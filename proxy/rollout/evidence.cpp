#include "rollout/evidence.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/duration_text.h"

namespace tidegate::rollout {
namespace {

constexpr std::array<std::string_view, 7> kReasons{"time", "evidence", "gate", "check", "person", "store", "bake"};

double needed_s(const Rollout& rollout) noexcept {
  if (rollout.state == State::Baking) return seconds(rollout.plan.bake);
  if (rollout.step == 0) return 0.0;
  return seconds(rollout.current().time.value_or(Duration::zero()));
}

/// A ruling that no step may end with, whatever its time. Silence speaks against a step that gives new requests.
bool speaks_against(const Evidence& evidence) noexcept {
  switch (evidence.ruling.reason) {
    case gate::Reason::Observing:
    case gate::Reason::Promote: return false;
    case gate::Reason::NoData: return true;
    default: return !evidence.gate_only_reports;
  }
}

std::string of_needed(std::uint64_t seen, std::uint64_t needed, std::string_view what) {
  return std::to_string(seen) + " of " + std::to_string(needed) + " " + std::string(what) + " seen";
}

std::string proof(const Evidence& evidence) {
  const double share = evidence.thresholds.h_prom > 0.0 ? evidence.ruling.statistics.s_prom / evidence.thresholds.h_prom : 0.0;
  const double percent = std::isfinite(share) ? std::clamp(share, 0.0, 0.99) * 100.0 : 0.0;
  return "the gate has not proven yet that new is as good as old: " + std::to_string(static_cast<int>(percent)) +
         " % of the evidence";
}

class Look {
 public:
  Look(const Rollout& rollout, const Evidence& evidence) : rollout_(rollout), evidence_(evidence) {}

  std::vector<Waiting> all(bool with_hooks) {
    time();
    if (evidence_.weight != Weight::none() && speaks_against(evidence_)) add(WaitFor::Gate, evidence_.gate_sentence);
    if (rollout_.state == State::Baking) {
      requests(1);
    } else if (rollout_.step > 0) {
      step(rollout_.current());
    }
    answers(evidence_.checks);
    if (!evidence_.store_trouble.empty()) add(WaitFor::Store, evidence_.store_trouble);
    if (with_hooks && out_.empty()) answers(evidence_.hooks);
    return std::move(out_);
  }

 private:
  void add(WaitFor reason, std::string sentence) { out_.push_back({reason, std::move(sentence)}); }

  void time() {
    const double left = needed_s(rollout_) - evidence_.step_s;
    if (left <= 0.0) return;
    add(rollout_.state == State::Baking ? WaitFor::Bake : WaitFor::Time, spoken_seconds(left) + " to go");
  }

  void step(const Step& step) {
    const std::uint64_t least = std::max<std::uint64_t>(rollout_.plan.min_requests, 1);
    if (step.kind == Step::Kind::Mirror && step.percent != Weight::none() && evidence_.mirrored < least) {
      add(WaitFor::Evidence, of_needed(evidence_.mirrored, least, least == 1 ? "copy" : "copies"));
    }
    if (step.kind != Step::Kind::Weight || evidence_.weight == Weight::none()) return;
    requests(least);
    if (rollout_.plan.advance == Advance::Proven && evidence_.ruling.decision != gate::Decision::Promote &&
        !speaks_against(evidence_)) {
      add(WaitFor::Gate, proof(evidence_));
    }
  }

  void requests(std::uint64_t least) {
    if (evidence_.weight == Weight::none() || evidence_.requests_new >= least) return;
    add(WaitFor::Evidence, of_needed(evidence_.requests_new, least, least == 1 ? "request of new" : "requests of new"));
  }

  void answers(const std::vector<CheckAnswer>& checks) {
    for (const CheckAnswer& check : checks) {
      if (check.verdict == gate::Verdict::Pass) continue;
      add(WaitFor::Check, "check " + check.name + ": " + (check.verdict ? check.sentence : "no answer yet"));
    }
  }

  const Rollout& rollout_;
  const Evidence& evidence_;
  std::vector<Waiting> out_;
};

}  // namespace

std::string_view name(WaitFor reason) noexcept { return kReasons[static_cast<std::size_t>(reason)]; }

bool time_is_over(const Rollout& rollout, double step_s) noexcept { return step_s >= needed_s(rollout); }

std::vector<Waiting> waiting(const Rollout& rollout, const Evidence& evidence, bool with_hooks) {
  if (rollout.state == State::Paused) {
    return {{WaitFor::Person, rollout.pause ? rollout.pause->sentence : std::string("a person")}};
  }
  if (rollout.state != State::Running && rollout.state != State::Baking) return {};
  return Look(rollout, evidence).all(with_hooks);
}

}  // namespace tidegate::rollout
