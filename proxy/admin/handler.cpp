#include "admin/handler.h"

#include <boost/beast/core/string.hpp>
#include <boost/json.hpp>
#include <charconv>

#include "admin/config_json.h"
#include "admin/error_response.h"
#include "admin/explain_json.h"
#include "admin/limits.h"
#include "admin/rollout_json.h"
#include "admin/status_json.h"
#include "base/utc_text.h"

namespace tidegate::admin {

namespace json = boost::json;

struct Handler::Endpoint {
  enum class Open {
    No,       ///< the API: Host, Origin and token; not on the metrics listener
    Scraper,  ///< the same on the admin address; to everybody on the metrics listener
    Probe,    ///< to everybody
  };

  std::string_view method;
  std::string_view path;  ///< "*" stands for a route's name, or a decision's number
  void (Handler::*serve)(Call&);
  std::vector<std::string_view> members{};  ///< of the body
  std::vector<std::string_view> query{};
  Open open = Open::No;

  /// Who looks may do less than who changes; what is not named here takes the highest.
  config::Role least() const noexcept {
    if (method == "GET") return config::Role::Viewer;
    const bool of_routes = path.starts_with("/api/v1/routes/") || path == "/api/v1/revert";
    return of_routes ? config::Role::Operator : config::Role::Admin;
  }
  bool takes(std::string_view asked) const noexcept { return asked == method || (asked == "HEAD" && method == "GET"); }
};

const std::vector<Handler::Endpoint>& Handler::endpoints() {
  using H = Handler;
  using Open = Endpoint::Open;
  static const std::vector<Endpoint> kEndpoints{
      {"GET", "/healthz", &H::healthz, {}, {}, Open::Probe},
      {"GET", "/readyz", &H::readyz, {}, {}, Open::Probe},
      {"GET", "/metrics", &H::metrics, {}, {}, Open::Scraper},
      {"GET", "/api/v1/version", &H::version},
      {"GET", "/api/v1/status", &H::status},
      {"GET", "/api/v1/routes", &H::routes},
      {"GET", "/api/v1/routes/*", &H::route},
      {"PUT", "/api/v1/routes/*/weight", &H::weight, {"percent", "reason", "actor"}},
      {"PUT", "/api/v1/routes/*/mirror", &H::mirror, {"percent", "reason", "actor"}},
      {"POST", "/api/v1/routes/*/revert", &H::revert, {"reason", "actor"}},
      {"POST", "/api/v1/routes/*/rearm", &H::rearm, {"reason", "actor"}},
      {"POST", "/api/v1/routes/*/rollout/start", &H::rollout, {"reason", "actor"}},
      {"POST", "/api/v1/routes/*/rollout/pause", &H::rollout, {"reason", "actor"}},
      {"POST", "/api/v1/routes/*/rollout/resume", &H::rollout, {"reason", "actor"}},
      {"POST", "/api/v1/routes/*/rollout/promote", &H::rollout, {"full", "reason", "actor"}},
      {"POST", "/api/v1/routes/*/rollout/abort", &H::rollout, {"reason", "actor"}},
      {"POST", "/api/v1/routes/*/rollout/retry", &H::rollout, {"reason", "actor"}},
      {"POST", "/api/v1/routes/*/rollout/undo", &H::rollout, {"reason", "actor"}},
      {"POST", "/api/v1/revert", &H::revert_all, {"reason", "actor"}},
      {"GET", "/api/v1/clusters", &H::clusters},
      {"GET", "/api/v1/config", &H::config},
      {"GET", "/api/v1/history", &H::history, {}, {"route", "limit"}},
      {"GET", "/api/v1/history/*", &H::explain},
      {"POST", "/api/v1/reload", &H::reload, {"reason", "actor"}},
      {"POST", "/api/v1/drain", &H::drain, {"reason", "actor"}},
  };
  return kEndpoints;
}

Handler::Handler(const Services& services, AccessRule access, Scope scope, Post post)
    : services_(services), access_(std::move(access)), scope_(scope), post_(std::move(post)) {}

void Handler::handle(const Request& request, Answer answer) {
  std::optional<Target> target = Target::parse(request.target);
  if (!target) return answer(error_response(ErrorCode::Invalid, "the request target is not a path"));
  std::string allow;
  for (const Endpoint& endpoint : endpoints()) {
    if (scope_ == Scope::Metrics && endpoint.open == Endpoint::Open::No) continue;
    std::string route;
    if (!target->fits(endpoint.path, route)) continue;
    auto caller = admit(endpoint, request);
    if (!caller) return answer(std::move(caller.error()));
    if (endpoint.takes(request.method)) {
      if (auto refusal = AccessRule::refuse_below(endpoint.least(), *caller, request)) return answer(std::move(*refusal));
      return serve(endpoint, {request, std::move(*target), std::move(route), {}, std::move(answer), std::move(*caller)});
    }
    allow += (allow.empty() ? "" : ", ") + std::string(endpoint.method) + (endpoint.method == "GET" ? ", HEAD" : "");
  }
  // Who may not ask is not told what there is.
  if (allow.empty() && scope_ == Scope::Admin) {
    if (auto refusal = access_.refuse_foreign(request)) return answer(std::move(*refusal));
    if (const auto caller = access_.identify(request); !caller) return answer(caller.error());
  }
  Response response = allow.empty() ? error_response(ErrorCode::NotFound, "there is nothing at " + request.target)
                                    : error_response(ErrorCode::MethodNotAllowed, request.target + " takes " + allow);
  if (!allow.empty()) response.fields.push_back({"Allow", allow});
  answer(std::move(response));
}

boost::system::result<Caller, Response> Handler::admit(const Endpoint& endpoint, const Request& request) const {
  // Probes and scrapers come by the address of a pod or a tunnel; no name is foreign to them, and they change nothing.
  if (endpoint.open == Endpoint::Open::Probe || scope_ == Scope::Metrics) {
    if (auto refusal = access_.refuse_foreign_origin(request)) return std::move(*refusal);
    return Caller{config::Role::Viewer};
  }
  if (auto refusal = access_.refuse_foreign(request)) return std::move(*refusal);
  return access_.identify(request);
}

namespace {

bool is_json(const std::string* content_type) noexcept {
  if (content_type == nullptr) return false;
  std::string_view type = *content_type;
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
  return boost::beast::iequals(type, "application/json");
}

template <class Known>
std::optional<Response> refuse_query(const Target& target, const Known& known) {
  for (std::size_t i = 0; i < target.query.size(); ++i) {
    const std::string& name = target.query[i].first;
    bool found = false;
    for (const std::string_view candidate : known) found = found || candidate == name;
    if (!found) return error_response(ErrorCode::Invalid, "unknown query parameter " + name, name);
    for (std::size_t j = 0; j < i; ++j) {
      if (target.query[j].first == name) {
        return error_response(ErrorCode::Invalid, "query parameter " + name + " is given twice", name);
      }
    }
  }
  return std::nullopt;
}

}  // namespace

void Handler::serve(const Endpoint& endpoint, Call call) {
  if (endpoint.open == Endpoint::Open::No) {  // a scraper's own parameters are nobody's business
    if (auto refusal = refuse_query(call.target, endpoint.query)) return call.answer(std::move(*refusal));
  }
  if (endpoint.method != "GET") {
    if (!call.request.body.empty() && !is_json(call.request.find("Content-Type"))) {
      return call.answer(error_response(ErrorCode::UnsupportedMediaType,
                                        "the body must be JSON, with Content-Type: application/json", "Content-Type"));
    }
    Members::Read read = Members::read(call.request.body, endpoint.members);
    if (read.refusal) return call.answer(std::move(*read.refusal));
    call.members = std::move(read.members);
  }
  (this->*endpoint.serve)(call);
}

// --- probes, metrics

void Handler::healthz(Call& call) { call.answer(text_response("ok\n")); }

void Handler::readyz(Call& call) {
  const bool ready = services_.ready();
  call.answer(text_response(ready ? "ready\n" : "not ready\n", "text/plain; charset=utf-8", ready ? 200 : 503));
}

void Handler::metrics(Call& call) {
  with_status([this, answer = std::move(call.answer)](const control::Status& status) {
    answer(text_response(services_.metrics_text(status), "text/plain; version=0.0.4; charset=utf-8"));
  });
}

void Handler::version(Call& call) {
  call.answer(
      json_response(json::object{{"version", services_.version}, {"started_at", utc_text(services_.started_at_ms)}}));
}

// --- state

/// The engine copies its state; the text is made here, so that a large answer never delays a tick of the gate.
void Handler::with_status(std::function<void(const control::Status&)> then) {
  services_.engine.status([post = post_, then = std::move(then)](control::Status status) {
    post([then, status = std::move(status)] { then(status); });
  });
}

void Handler::status(Call& call) {
  with_status([this, answer = std::move(call.answer)](const control::Status& status) {
    const ProcessStatus process{services_.version, services_.ready(), services_.started_at_ms};
    json::object out = status_json(status, services_.traffic(), process);
    out["clusters"] = clusters_json(services_.clusters());
    out["notify"] = targets_json(services_.notifications());
    answer(json_response(std::move(out)));
  });
}

void Handler::routes(Call& call) {
  with_status([this, answer = std::move(call.answer)](const control::Status& status) {
    const std::vector<RouteTraffic> traffic = services_.traffic();
    json::array routes;
    for (const control::RouteStatus& route : status.routes) routes.push_back(route_json(route, traffic));
    answer(json_response(json::object{{"epoch", status.epoch}, {"routes", std::move(routes)}}));
  });
}

void Handler::route(Call& call) {
  with_status([this, name = call.route, answer = std::move(call.answer)](const control::Status& status) {
    std::string known;
    for (const control::RouteStatus& route : status.routes) {
      known += (known.empty() ? "" : ", ") + route.name;
      if (route.name != name) continue;
      Response response = json_response(route_json(route, services_.traffic()));
      response.fields.push_back({"ETag", '"' + std::to_string(route.epoch) + '"'});
      return answer(std::move(response));
    }
    answer(error_response(ErrorCode::NotFound, "no route is named " + name + " (routes: " + known + ")", "route"));
  });
}

void Handler::clusters(Call& call) { call.answer(json_response(json::object{{"clusters", clusters_json(services_.clusters())}})); }

void Handler::config(Call& call) { call.answer(json_response(config_json(*services_.config()))); }

// --- history

void Handler::history(Call& call) {
  std::string route;
  std::size_t limit = kHistoryRows;
  for (const auto& [name, value] : call.target.query) {
    if (name == "route") route = value;
    if (name != "limit") continue;
    const char* const end = value.data() + value.size();
    const auto [stop, error] = std::from_chars(value.data(), end, limit);
    if (error != std::errc() || stop != end || limit == 0 || limit > kMostHistoryRows) {
      return call.answer(error_response(
          ErrorCode::Invalid, "limit must be a number from 1 to " + std::to_string(kMostHistoryRows), "limit"));
    }
  }
  const auto rows = services_.store.history(route, limit);
  if (!rows)
    return call.answer(error_response(ErrorCode::Unavailable, "the store cannot be read: " + rows.error().message));
  json::array decisions;
  for (const store::Decision& decision : *rows) decisions.push_back(decision_json(decision));
  call.answer(json_response(json::object{{"decisions", std::move(decisions)}}));
}

/// A replay takes some microseconds: the server's thread does it itself.
void Handler::explain(Call& call) {
  std::uint64_t epoch = 0;
  const std::string& id = call.route;
  const auto [stop, error] = std::from_chars(id.data(), id.data() + id.size(), epoch);
  if (error != std::errc() || stop != id.data() + id.size()) {
    return call.answer(error_response(ErrorCode::Invalid, "the id of a decision is its epoch, a number", "id"));
  }
  const auto found = services_.store.decision(epoch);
  if (!found) {
    return call.answer(error_response(ErrorCode::Unavailable, "the store cannot be read: " + found.error().message));
  }
  if (!*found) {
    return call.answer(error_response(ErrorCode::NotFound, "no decision has the number " + id + " (see the history)", "id"));
  }
  call.answer(json_response(explain_json(**found)));
}

}  // namespace tidegate::admin
