#include <array>

#include "config/read.h"
#include "config/section.h"
#include "config/sections.h"

namespace tidegate::config {
namespace {

using rollout::Plan;
using PlanStep = rollout::Step;  // Step is a part of a path here

constexpr Range kStepTime{"1s", "365d"};

/// A step while it is read: of its kinds exactly one may be given.
struct StepInFile {
  PlanStep step;
  int kinds = 0;
  bool timed = false;
};

void set_kind(StepInFile& out, PlanStep::Kind kind) {
  out.step.kind = kind;
  ++out.kinds;
}

/// `pause: {}` waits for a person, `pause: 1h` for the time.
void read_pause(const Value& value, StepInFile& out) {
  set_kind(out, PlanStep::Kind::Pause);
  if (value.node().kind == Node::Kind::Map && value.node().entries.empty()) return;
  if (value.node().kind == Node::Kind::Map) return value.fail("expects {} (until a person resumes) or a time such as 1h");
  read_duration(value, out.step.time.emplace(), kStepTime);
}

constexpr std::array kStepFields{
    Field<StepInFile>{"weight",
                      [](In v, StepInFile& out) { set_kind(out, PlanStep::Kind::Weight), read_weight(v, out.step.percent); }},
    Field<StepInFile>{"mirror",
                      [](In v, StepInFile& out) { set_kind(out, PlanStep::Kind::Mirror), read_weight(v, out.step.percent); }},
    Field<StepInFile>{"pause", read_pause},
    Field<StepInFile>{"check",
                      [](In v, StepInFile& out) { set_kind(out, PlanStep::Kind::Check), read_name(v, out.step.check); }},
    Field<StepInFile>{"for",
                      [](In v, StepInFile& out) {
                        out.timed = true;
                        read_duration(v, out.step.time.emplace(), kStepTime);
                      }},
};
constexpr Section<StepInFile> kStep{"routes[].rollout.steps[]", kStepFields};

void read_step(const Value& value, PlanStep& out) {
  StepInFile read;
  if (!read_section(value, kStep, read)) return;
  if (read.kinds != 1) return value.fail("a step is one of weight, mirror, pause, check");
  const bool timeless = read.step.kind == PlanStep::Kind::Pause || read.step.kind == PlanStep::Kind::Check;
  if (read.timed && timeless) {
    return value.fail(read.step.kind == PlanStep::Kind::Pause ? "a pause says its time itself: `pause: 1h`"
                                                          : "a check has no `for`: it ends when it passes");
  }
  out = std::move(read.step);
}

enum class Preset : std::uint8_t { None, Canary, BlueGreen, Rolling };

struct PlanInFile {
  Plan plan;
  Preset preset = Preset::None;
  Duration time = std::chrono::minutes(5);
};

constexpr std::array<Choice<Preset>, 3> kPresets{
    {{"canary", Preset::Canary}, {"blue-green", Preset::BlueGreen}, {"rolling", Preset::Rolling}}};
constexpr std::array<Choice<rollout::Advance>, 2> kAdvances{
    {{"proven", rollout::Advance::Proven}, {"time", rollout::Advance::Time}}};

constexpr std::array kFields{
    Field<PlanInFile>{"steps",
                      [](In v, PlanInFile& out) {
                        read_list(v, [&](const Value& item) { read_step(item, out.plan.steps.emplace_back()); });
                      }},
    Field<PlanInFile>{"preset", [](In v, PlanInFile& out) { read_choice(v, out.preset, kPresets); }},
    Field<PlanInFile>{"for", [](In v, PlanInFile& out) { read_duration(v, out.time, kStepTime); }},
    Field<PlanInFile>{"advance", [](In v, PlanInFile& out) { read_choice(v, out.plan.advance, kAdvances); }},
    Field<PlanInFile>{"min_requests",
                      [](In v, PlanInFile& out) { read_integer(v, out.plan.min_requests, {"0", "1000000000"}); }},
    Field<PlanInFile>{"bake", [](In v, PlanInFile& out) { read_duration(v, out.plan.bake, {"0s", "365d"}); }},
    Field<PlanInFile>{"checks",
                      [](In v, PlanInFile& out) {
                        read_list(v, [&](const Value& item) { read_name(item, out.plan.checks.emplace_back()); });
                      }},
};
constexpr Section<PlanInFile> kSection{"routes[].rollout", kFields};

std::vector<PlanStep> preset_steps(Preset preset, Duration time) {
  switch (preset) {
    case Preset::BlueGreen: return rollout::blue_green_steps();
    case Preset::Rolling: return rollout::rolling_steps(time);
    default: return rollout::canary_steps(time);
  }
}

}  // namespace

/// Without steps and without a preset it is the canary: who writes `rollout: {}` wants the usual.
void read_rollout(const Value& value, std::optional<Plan>& out) {
  PlanInFile read;
  if (!read_section(value, kSection, read)) return;
  const bool steps = value.has("steps");
  if (steps && read.preset != Preset::None) return value.fail("either steps or a preset, not both");
  if (steps && value.has("for")) return value.fail("`for` is the time of a preset's steps; each of `steps` has its own");
  if (!steps) read.plan.steps = preset_steps(read.preset, read.time);
  out = std::move(read.plan);
}

void append_rollout_keys(KeyList& out) {
  kSection.append_keys(out);
  kStep.append_keys(out);
}

}  // namespace tidegate::config
