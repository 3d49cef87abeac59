// The endpoints that change something. Each reads its members, asks the engine, and answers once the decision is in
// force on every worker.
#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <memory>

#include "admin/error_response.h"
#include "admin/handler.h"
#include "admin/limits.h"
#include "observe/log.h"

namespace tidegate::admin {

namespace json = boost::json;
using boost::system::result;

namespace {

template <class T>
using OrRefusal = result<T, Response>;

OrRefusal<std::string> text_member(const Members& members, std::string_view name, std::size_t most) {
  const json::value* value = members.find(name);
  if (value == nullptr) return std::string();
  if (!value->is_string()) return error_response(ErrorCode::Invalid, std::string(name) + " must be a text", name);
  const std::string text(value->get_string());
  if (text.size() > most) {
    return error_response(ErrorCode::Invalid, std::string(name) + " is longer than " + std::to_string(most) + " bytes",
                          name);
  }
  for (const char c : text) {  // it is one line of logs and tables
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return error_response(ErrorCode::Invalid, std::string(name) + " must not have control characters", name);
    }
  }
  return text;
}

/// The epoch of If-Match, quoted as an entity tag or bare. Empty: none, or "*".
OrRefusal<std::optional<std::uint64_t>> epoch_seen(const Request& request) {
  const std::string* given = request.find("If-Match");
  if (given == nullptr) return std::optional<std::uint64_t>();
  std::string_view text = *given;
  if (text == "*" && request.count("If-Match") == 1) return std::optional<std::uint64_t>();
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  std::uint64_t epoch = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), epoch);
  if (error != std::errc() || stop != text.data() + text.size() || request.count("If-Match") != 1) {
    return error_response(ErrorCode::Invalid, "If-Match must be one epoch, as ETag of the route gives it", "If-Match");
  }
  return std::optional<std::uint64_t>(epoch);
}

/// What the token proves goes first, what is only said after it: "ci (alice)".
std::string signature(const std::string& proven, const std::string& said) {
  if (proven.empty() || said == proven) return said;
  return said.empty() ? proven : proven + " (" + said + ')';
}

OrRefusal<control::Command> command_of(const Request& request, const Members& members, const Caller& caller) {
  control::Command command;
  const auto reason = text_member(members, "reason", kReasonBytes);
  if (!reason) return reason.error();
  command.reason = *reason;
  const auto actor = text_member(members, "actor", kActorBytes);
  if (!actor) return actor.error();
  // Nobody may sign as a part of Tidegate.
  if (config::is_own_actor(*actor)) return error_response(ErrorCode::Invalid, "actor " + *actor + " is Tidegate's own", "actor");
  if (std::string signed_by = signature(caller.name, *actor); !signed_by.empty()) command.actor = std::move(signed_by);
  const auto epoch = epoch_seen(request);
  if (!epoch) return epoch.error();
  command.if_epoch = *epoch;
  return command;
}

OrRefusal<Weight> percent_of(const Members& members) {
  const json::value* value = members.find("percent");
  std::optional<Weight> weight;
  if (value != nullptr && value->is_number()) weight = Weight::from_percent(value->to_number<double>());
  if (weight) return *weight;
  return error_response(ErrorCode::Invalid,
                        std::string(value == nullptr ? "percent is missing: it" : "percent") +
                            " must be a number from 0 to 100 in steps of 0.01",
                        "percent");
}

json::value note_json(const control::Done& done) {
  return done.note.empty() ? json::value(nullptr) : json::value(done.note);
}

json::object done_json(const control::Done& done) {
  return {{"epoch", done.epoch}, {"durable", done.durable}, {"note", note_json(done)}};
}

Response done_response(const control::Outcome& outcome) {
  if (!outcome) return error_response(outcome.error());
  Response response = json_response(done_json(*outcome));
  response.fields.push_back({"ETag", '"' + std::to_string(outcome->epoch) + '"'});
  return response;
}

}  // namespace

control::Reply Handler::replying(Answer answer) const {
  return [post = post_, answer = std::move(answer)](const control::Outcome& outcome) {
    post([answer, outcome] { answer(done_response(outcome)); });
  };
}

void Handler::weight(Call& call) {
  const auto percent = percent_of(call.members);
  if (!percent) return call.answer(percent.error());
  const auto command = command_of(call.request, call.members, call.caller);
  if (!command) return call.answer(command.error());
  services_.engine.set_weight(call.route, *percent, *command, replying(std::move(call.answer)));
}

void Handler::mirror(Call& call) {
  const auto percent = percent_of(call.members);
  if (!percent) return call.answer(percent.error());
  const auto command = command_of(call.request, call.members, call.caller);
  if (!command) return call.answer(command.error());
  services_.engine.set_mirror(call.route, *percent, *command, replying(std::move(call.answer)));
}

void Handler::revert(Call& call) {
  const auto command = command_of(call.request, call.members, call.caller);
  if (!command) return call.answer(command.error());
  services_.engine.revert(call.route, *command, replying(std::move(call.answer)));
}

void Handler::rearm(Call& call) {
  const auto command = command_of(call.request, call.members, call.caller);
  if (!command) return call.answer(command.error());
  services_.engine.rearm(call.route, *command, replying(std::move(call.answer)));
}

/// The verb is the last segment of the path.
void Handler::rollout(Call& call) {
  const auto command = command_of(call.request, call.members, call.caller);
  if (!command) return call.answer(command.error());
  const json::value* const full = call.members.find("full");
  if (full != nullptr && !full->is_bool()) {
    return call.answer(error_response(ErrorCode::Invalid, "full must be true or false", "full"));
  }
  const std::string& verb = call.target.segments.back();
  for (std::size_t i = 0; i < rollout::kVerbCount; ++i) {
    const auto event = static_cast<rollout::Event>(i);
    if (rollout::name(event) != verb) continue;
    return services_.engine.rollout(call.route, event, full != nullptr && full->get_bool(), *command,
                                    replying(std::move(call.answer)));
  }
}

namespace {

/// Gathers the outcome of every route; touched on the handler's thread only.
struct RevertOfAll {
  std::size_t waiting = 0;
  std::uint64_t epoch = 0;
  bool durable = true;
  json::array routes{};
  std::optional<Response> refusal{};  ///< the first

  void add(const std::string& route, const control::Outcome& outcome) {
    --waiting;
    if (!outcome) {
      if (!refusal) refusal = error_response(outcome.error());
      return;
    }
    epoch = std::max(epoch, outcome->epoch);
    durable = durable && outcome->durable;
    json::object row = done_json(*outcome);
    row["name"] = route;
    routes.push_back(std::move(row));
  }
  Response response() {
    if (refusal) return *refusal;
    const json::value note = durable ? json::value(nullptr) : json::value("in force, but not durable on every route");
    return json_response(
        json::object{{"epoch", epoch}, {"durable", durable}, {"note", note}, {"routes", std::move(routes)}});
  }
};

}  // namespace

void Handler::revert_all(Call& call) {
  auto command = command_of(call.request, call.members, call.caller);
  if (!command) return call.answer(command.error());
  if (command->if_epoch) {
    return call.answer(
        error_response(ErrorCode::Invalid, "If-Match names one route's epoch; this reverts all", "If-Match"));
  }
  const auto all = std::make_shared<RevertOfAll>();
  const auto begin = [post = post_, all, answer = call.answer](std::size_t routes) {
    post([all, answer, routes] {
      all->waiting = routes;
      if (routes == 0) answer(all->response());
    });
  };
  services_.engine.revert_all(*command, begin, [post = post_, all, answer = call.answer](const std::string& name, const control::Outcome& outcome) {
    post([all, name, answer, outcome] {
      all->add(name, outcome);
      if (all->waiting == 0) answer(all->response());
    });
  });
}

void Handler::reload(Call& call) {
  const auto command = command_of(call.request, call.members, call.caller);
  if (!command) return call.answer(command.error());
  observe::log_info("a reload is asked for by " + command->actor + (command->reason.empty() ? "" : ": " + command->reason));
  services_.reload([post = post_, answer = std::move(call.answer)](const ReloadAnswer& came) {
    post([answer, came] {
      std::string problems;
      for (const std::string& one : came.problems) problems += (problems.empty() ? "" : "\n") + one;
      if (!problems.empty()) return answer(error_response(ErrorCode::InvalidConfiguration, problems));
      json::array changed;
      for (const std::string& one : came.changed) changed.emplace_back(one);
      answer(json_response(json::object{{"changed", std::move(changed)}}));
    });
  });
}

void Handler::drain(Call& call) {
  const auto command = command_of(call.request, call.members, call.caller);
  if (!command) return call.answer(command.error());
  observe::log_info("a drain is asked for by " + command->actor + (command->reason.empty() ? "" : ": " + command->reason));
  services_.drain();
  call.answer(json_response(json::object{{"draining", true}}, 202));
}

}  // namespace tidegate::admin
