#include "control/replay.h"

#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <concepts>
#include <limits>
#include <string_view>

#include "gate/sentence.h"

namespace tidegate::control {

namespace json = boost::json;

namespace {

constexpr int kFormat = 1;
/// Another build may round a logarithm otherwise.
constexpr double kRounding = 1e-9;

// --- doubles as texts: JSON has no infinity, and not every parser gives back the same double

std::string text_of(double value) {
  std::array<char, 40> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

bool parse(std::string_view text, double& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

// --- fields of a state <-> JSON

json::value write(double value) { return json::value(text_of(value)); }
json::value write(bool value) { return json::value(value); }
json::value write(std::uint64_t value) { return json::value(value); }

template <class T>
json::value write(const T& value);

template <class T>
json::value write(const std::optional<T>& value) {
  return value ? write(*value) : json::value(nullptr);
}

template <class T, std::size_t N>
json::value write(const std::array<T, N>& values) {
  json::array out;
  for (const T& value : values) out.push_back(write(value));
  return out;
}

template <class T>
json::value write(const T& value) {
  json::object out;
  T::fields(value, [&out](std::string_view name, const auto& field) { out[name] = write(field); });
  return out;
}

bool read(const json::value& from, double& out) { return from.is_string() && parse(from.get_string(), out); }

bool read(const json::value& from, bool& out) {
  if (!from.is_bool()) return false;
  out = from.get_bool();
  return true;
}

bool read(const json::value& from, std::uint64_t& out) {
  if (from.is_uint64()) return out = from.get_uint64(), true;
  if (!from.is_int64() || from.get_int64() < 0) return false;
  out = static_cast<std::uint64_t>(from.get_int64());
  return true;
}

template <class T>
bool read(const json::value& from, T& out);

template <class T>
bool read(const json::value& from, std::optional<T>& out) {
  out.reset();
  if (from.is_null()) return true;
  out = T();
  return read(from, *out);
}

template <class T, std::size_t N>
bool read(const json::value& from, std::array<T, N>& out) {
  const json::array* values = from.if_array();
  if (values == nullptr || values->size() != N) return false;
  for (std::size_t i = 0; i < N; ++i) {
    if (!read((*values)[i], out[i])) return false;
  }
  return true;
}

/// Every field that the state has must be there.
template <class T>
bool read(const json::value& from, T& out) {
  const json::object* object = from.if_object();
  if (object == nullptr) return false;
  bool good = true;
  T::fields(out, [&](std::string_view name, auto& field) {
    const json::value* value = object->if_contains(name);
    good = good && value != nullptr && read(*value, field);
  });
  return good;
}

// --- answers

json::value write(const gate::Statistics& s) {
  return json::object{{"s_new", write(s.s_new)}, {"s_old", write(s.s_old)}, {"s_rel", write(s.s_rel)}, {"s_prom", write(s.s_prom)}};
}

bool read(const json::value& from, gate::Statistics& out) {
  const json::object* s = from.if_object();
  return s != nullptr && s->contains("s_new") && s->contains("s_old") && s->contains("s_rel") && s->contains("s_prom") &&
         read(s->at("s_new"), out.s_new) && read(s->at("s_old"), out.s_old) && read(s->at("s_rel"), out.s_rel) &&
         read(s->at("s_prom"), out.s_prom);
}

/// The value with that name among the first `count` of an enumeration.
template <class E>
bool read_name(const json::value* from, E& out, std::size_t count) {
  if (from == nullptr || !from->is_string()) return false;
  for (std::size_t i = 0; i < count; ++i) {
    const E candidate = static_cast<E>(i);
    if (name(candidate) == std::string_view(from->get_string())) return out = candidate, true;
  }
  return false;
}

json::object answer_json(const gate::Ruling& ruling) {
  return {{"decision", gate::name(ruling.decision)},
          {"reason", gate::name(ruling.reason)},
          {"stream", gate::name(ruling.stream)},
          {"statistics", write(ruling.statistics)},
          {"window", write(ruling.window)}};
}

bool read_answer(const json::value* from, gate::Ruling& out) {
  const json::object* answer = from == nullptr ? nullptr : from->if_object();
  if (answer == nullptr) return false;
  const json::value* statistics = answer->if_contains("statistics");
  const json::value* window = answer->if_contains("window");
  return read_name(answer->if_contains("decision"), out.decision, 3) &&
         read_name(answer->if_contains("reason"), out.reason, gate::kReasonCount) &&
         read_name(answer->if_contains("stream"), out.stream, 2) && statistics != nullptr &&
         read(*statistics, out.statistics) && window != nullptr && read(*window, out.window);
}

bool same(double a, double b) { return a == b || std::fabs(a - b) <= kRounding; }

bool same(const gate::Ruling& a, const gate::Ruling& b) {
  const gate::Statistics &s = a.statistics, &t = b.statistics;
  const bool windows = a.window.has_value() == b.window.has_value() &&
                       (!a.window || (a.window->counts == b.window->counts && same(a.window->seconds, b.window->seconds)));
  return a.decision == b.decision && a.reason == b.reason && a.stream == b.stream && windows && same(s.s_new, t.s_new) &&
         same(s.s_old, t.s_old) && same(s.s_rel, t.s_rel) && same(s.s_prom, t.s_prom);
}

// --- the record

json::object stream_json(const gate::Gate& gate, const gate::Counts& counts) {
  return {{"parameters", write(gate.parameters())}, {"state", write(gate)}, {"counts", write(counts)}};
}

struct StreamRecord {
  gate::Parameters parameters;
  const json::value* state = nullptr;
  gate::Counts counts;
};

bool read_stream(const json::value* from, StreamRecord& out) {
  const json::object* object = from == nullptr ? nullptr : from->if_object();
  if (object == nullptr || !object->contains("parameters") || !object->contains("state") || !object->contains("counts")) {
    return false;
  }
  out.state = &object->at("state");
  return read(object->at("parameters"), out.parameters) && read(object->at("counts"), out.counts);
}

}  // namespace

json::object to_json(const GateTick& tick, const gate::Ruling& answer) {
  json::object streams;
  using gate::Stream;
  streams[name(Stream::Errors)] = stream_json(tick.before.gate(Stream::Errors), tick.counts.errors);
  if (tick.before.has(Stream::Slow)) {
    streams[name(Stream::Slow)] = stream_json(tick.before.gate(Stream::Slow), tick.counts.slow);
  }
  return {{"format", kFormat}, {"dt_s", write(tick.dt_s)}, {"streams", std::move(streams)}, {"answer", answer_json(answer)}};
}

json::object to_json(const gate::StreamCounts& counts) { return {{"errors", write(counts.errors)}, {"slow", write(counts.slow)}}; }

std::optional<gate::StreamCounts> counts_of(const json::object& from) {
  gate::StreamCounts out;
  const json::value* const errors = from.if_contains("errors");
  const json::value* const slow = from.if_contains("slow");
  const bool good = errors != nullptr && slow != nullptr && read(*errors, out.errors) && read(*slow, out.slow);
  return good ? std::optional(out) : std::nullopt;
}

std::optional<Replay> replay(const json::object& record) {
  using gate::Stream;
  const json::value* format = record.if_contains("format");
  const json::value* dt = record.if_contains("dt_s");
  const json::value* streams = record.if_contains("streams");
  if (format == nullptr || *format != kFormat || dt == nullptr || streams == nullptr || !streams->is_object()) return std::nullopt;
  const json::value* slow_json = streams->get_object().if_contains(name(Stream::Slow));
  StreamRecord errors, slow;
  if (!read_stream(streams->get_object().if_contains(name(Stream::Errors)), errors)) return std::nullopt;
  if (slow_json != nullptr && !read_stream(slow_json, slow)) return std::nullopt;

  const std::optional<gate::Parameters> slow_parameters = slow_json ? std::optional(slow.parameters) : std::nullopt;
  Replay out{{gate::RouteGate::with_parameters(errors.parameters, slow_parameters), {errors.counts, slow.counts}}};
  if (!read(*dt, out.tick.dt_s) || !read_answer(record.if_contains("answer"), out.recorded)) return std::nullopt;
  if (!read(*errors.state, out.tick.before.gate(Stream::Errors))) return std::nullopt;
  if (slow_json != nullptr && !read(*slow.state, out.tick.before.gate(Stream::Slow))) return std::nullopt;

  gate::RouteGate gate = out.tick.before;
  out.answer = gate.tick(out.tick.counts, out.tick.dt_s);
  out.before = out.tick.before.gate(out.answer.stream).statistics();
  out.sentence = gate::sentence(out.answer, gate.gate(out.answer.stream).parameters());
  out.same = same(out.answer, out.recorded);
  return out;
}

}  // namespace tidegate::control
