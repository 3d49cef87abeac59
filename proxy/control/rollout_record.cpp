#include "control/rollout_record.h"

#include <boost/json.hpp>

namespace tidegate::control {

namespace json = boost::json;

namespace {

std::int64_t milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

json::object step_json(const rollout::Step& step) {
  json::object out{{"kind", rollout::name(step.kind)}};
  if (step.kind == rollout::Step::Kind::Weight || step.kind == rollout::Step::Kind::Mirror) {
    out["percent_units"] = step.percent.units();
  }
  if (step.time) out["for_ms"] = milliseconds(*step.time);
  if (!step.check.empty()) out["check"] = step.check;
  return out;
}

json::object plan_json(const rollout::Plan& plan) {
  json::array steps;
  for (const rollout::Step& step : plan.steps) steps.push_back(step_json(step));
  json::array checks;
  for (const std::string& check : plan.checks) checks.push_back(json::value(check));
  return {{"steps", std::move(steps)},
          {"advance", rollout::name(plan.advance)},
          {"min_requests", plan.min_requests},
          {"bake_ms", milliseconds(plan.bake)},
          {"checks", std::move(checks)}};
}

/// Reads members; what is missing or of another kind makes the whole unreadable.
class Reader {
 public:
  explicit Reader(const json::value& from) : object_(from.if_object()) { good_ = object_ != nullptr; }

  const json::value* find(std::string_view name) const { return object_ == nullptr ? nullptr : object_->if_contains(name); }

  std::string text(std::string_view name) {
    const json::value* const value = find(name);
    if (value != nullptr && value->is_string()) return std::string(value->get_string());
    good_ = false;
    return {};
  }
  std::int64_t integer(std::string_view name) {
    const json::value* const value = find(name);
    boost::system::error_code error;
    const std::int64_t out = value == nullptr ? 0 : value->to_number<std::int64_t>(error);
    if (value == nullptr || error || out < 0) good_ = false;
    return out;
  }
  bool boolean(std::string_view name) {
    const json::value* const value = find(name);
    if (value == nullptr || !value->is_bool()) good_ = false;
    return value != nullptr && value->is_bool() && value->get_bool();
  }
  Weight weight(std::string_view name) {
    const std::int64_t units = integer(name);
    if (units > Weight::kWhole) good_ = false;
    return good_ ? Weight::of_units(static_cast<std::uint32_t>(units)) : Weight::none();
  }
  template <class T>
  T named(std::string_view name, std::optional<T> (*of)(std::string_view) noexcept) {
    const std::optional<T> found = of(text(name));
    if (!found) good_ = false;
    return found.value_or(T{});
  }
  const json::array& array(std::string_view name) {
    static const json::array kNone;
    const json::value* const value = find(name);
    if (value != nullptr && value->is_array()) return value->get_array();
    good_ = false;
    return kNone;
  }
  void require(bool condition) { good_ = good_ && condition; }
  bool good() const noexcept { return good_; }

 private:
  const json::object* object_;
  bool good_ = false;
};

std::optional<rollout::Step> read_step(const json::value& from) {
  Reader read(from);
  rollout::Step step;
  step.kind = read.named("kind", rollout::step_kind_named);
  if (step.kind == rollout::Step::Kind::Weight || step.kind == rollout::Step::Kind::Mirror) {
    step.percent = read.weight("percent_units");
  }
  if (read.find("for_ms") != nullptr) step.time = std::chrono::milliseconds(read.integer("for_ms"));
  if (step.kind == rollout::Step::Kind::Check) step.check = read.text("check");
  if (!read.good()) return std::nullopt;
  return step;
}

std::optional<rollout::Plan> read_plan(const json::value& from) {
  Reader read(from);
  rollout::Plan plan;
  for (const json::value& one : read.array("steps")) {
    std::optional<rollout::Step> step = read_step(one);
    read.require(step.has_value());
    if (step) plan.steps.push_back(std::move(*step));
  }
  plan.advance = read.named("advance", rollout::advance_named);
  plan.min_requests = static_cast<std::uint64_t>(read.integer("min_requests"));
  plan.bake = std::chrono::milliseconds(read.integer("bake_ms"));
  for (const json::value& check : read.array("checks")) {
    read.require(check.is_string());
    if (check.is_string()) plan.checks.emplace_back(check.get_string());
  }
  read.require(!plan.steps.empty());
  if (!read.good()) return std::nullopt;
  return plan;
}

}  // namespace

std::string rollout_record(const rollout::Rollout& rollout) {
  if (rollout.plan.steps.empty()) return {};  // never started
  json::object out{{"state", rollout::name(rollout.state)},
                   {"step", rollout.step},
                   {"in_bake", rollout.in_bake},
                   {"plan", plan_json(rollout.plan)},
                   {"weight_before_units", rollout.weight_before.units()},
                   {"mirror_before_units", rollout.mirror_before.units()},
                   {"started_by", rollout.started_by},
                   {"started_at_ms", rollout.started_at_ms}};
  if (rollout.pause) {
    out["pause"] = json::object{{"by", rollout::name(rollout.pause->by)}, {"sentence", rollout.pause->sentence}};
  }
  return json::serialize(out);
}

std::optional<rollout::Rollout> read_rollout_record(std::string_view text) {
  boost::system::error_code error;
  const json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return std::nullopt;
  Reader read(value);
  rollout::Rollout out;
  out.state = read.named("state", rollout::state_named);
  out.step = static_cast<std::size_t>(read.integer("step"));
  out.in_bake = read.boolean("in_bake");
  out.weight_before = read.weight("weight_before_units");
  out.mirror_before = read.weight("mirror_before_units");
  out.started_by = read.text("started_by");
  out.started_at_ms = read.integer("started_at_ms");
  std::optional<rollout::Plan> plan = read.find("plan") == nullptr ? std::nullopt : read_plan(*read.find("plan"));
  if (!read.good() || !plan || out.step > plan->steps.size()) return std::nullopt;
  out.plan = std::move(*plan);
  if (const json::value* const pause = read.find("pause")) {
    Reader why(*pause);
    out.pause = rollout::Pause{why.named("by", rollout::pause_by_named), why.text("sentence")};
    if (!why.good()) return std::nullopt;
  }
  if ((out.state == rollout::State::Paused) != out.pause.has_value()) return std::nullopt;
  const bool needs_step = out.in_bake || out.state == rollout::State::Baking || out.state == rollout::State::Completed;
  if (needs_step && out.step == 0) return std::nullopt;
  return out;
}

}  // namespace tidegate::control
