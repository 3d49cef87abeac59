#include "rollout/plan.h"

#include <array>
#include <cstdio>

#include "base/duration_text.h"

namespace tidegate::rollout {
namespace {

constexpr std::array<std::string_view, 4> kKinds{"weight", "mirror", "pause", "check"};
constexpr std::array<std::string_view, 2> kAdvances{"proven", "time"};

template <class E, std::size_t N>
std::optional<E> named(const std::array<std::string_view, N>& names, std::string_view name) noexcept {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) return static_cast<E>(i);
  }
  return std::nullopt;
}

tidegate::Weight percent_at(const Plan& plan, Step::Kind kind, std::size_t index, tidegate::Weight before) noexcept {
  for (std::size_t i = 0; i <= index && i < plan.steps.size(); ++i) {
    if (plan.steps[i].kind == kind) before = plan.steps[i].percent;
  }
  return before;
}

std::vector<Step> weight_steps(std::initializer_list<std::uint32_t> percents, Duration time) {
  std::vector<Step> out;
  for (const std::uint32_t percent : percents) {
    Step step;
    step.percent = tidegate::Weight::of_units(percent * 100);
    if (percent < 100) step.time = time;
    out.push_back(std::move(step));
  }
  return out;
}

}  // namespace

std::string_view name(Step::Kind kind) noexcept { return kKinds[static_cast<std::size_t>(kind)]; }
std::optional<Step::Kind> step_kind_named(std::string_view name) noexcept { return named<Step::Kind>(kKinds, name); }
std::string_view name(Advance advance) noexcept { return kAdvances[static_cast<std::size_t>(advance)]; }
std::optional<Advance> advance_named(std::string_view name) noexcept { return named<Advance>(kAdvances, name); }

std::string text(const Step& step) {
  std::string out(name(step.kind));
  switch (step.kind) {
    case Step::Kind::Weight:
    case Step::Kind::Mirror: out += ' ' + step.percent.text() + " %"; break;
    case Step::Kind::Check: return out + ' ' + step.check;
    case Step::Kind::Pause:
      if (!step.time) return out + " until resumed";
  }
  return step.time ? out + " for " + duration_text(*step.time) : out;
}

tidegate::Weight weight_at(const Plan& plan, std::size_t index, tidegate::Weight before) noexcept {
  return percent_at(plan, Step::Kind::Weight, index, before);
}

tidegate::Weight mirror_at(const Plan& plan, std::size_t index, tidegate::Weight before) noexcept {
  return percent_at(plan, Step::Kind::Mirror, index, before);
}

/// FNV-1a, 32 bit, over a text that has every field.
std::string checksum(const Plan& plan) {
  std::string all = std::string(name(plan.advance)) + ';' + std::to_string(plan.min_requests) + ';' +
                    std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(plan.bake).count());
  for (const Step& step : plan.steps) all += ';' + text(step);
  for (const std::string& check : plan.checks) all += ";+" + check;
  std::uint32_t hash = 2'166'136'261u;
  for (const char c : all) hash = (hash ^ static_cast<unsigned char>(c)) * 16'777'619u;
  char out[9];
  std::snprintf(out, sizeof out, "%08x", static_cast<unsigned>(hash));
  return out;
}

std::vector<Step> blue_green_steps() { return weight_steps({100}, Duration::zero()); }
std::vector<Step> rolling_steps(Duration time) {
  return weight_steps({10, 20, 30, 40, 50, 60, 70, 80, 90, 100}, time);
}
std::vector<Step> canary_steps(Duration time) { return weight_steps({10, 25, 50, 75, 90, 100}, time); }

}  // namespace tidegate::rollout
