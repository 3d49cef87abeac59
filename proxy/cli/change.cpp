#include "cli/change.h"

#include <boost/json.hpp>

#include "cli/conversation.h"
#include "cli/json_text.h"
#include "cli/status_view.h"

namespace tidegate::cli {

namespace json = boost::json;

namespace {

/// What weight and mirror share. The route is read first: for "was", for the question, and so that a change that
/// somebody (or the gate) makes in between is a conflict and not overwritten.
struct Percent {
  std::string_view path;  ///< below the route
  std::string_view of;    ///< "weight of new"
  std::string before{};
  std::string epoch_seen{};
};

Done look(const Api& api, const Options& options, std::initializer_list<std::string_view> member, Percent& percent,
          double& present) {
  const auto route = api.get(route_target(options.route));
  if (!route) return route.error();
  percent.before = percent_text(at(route->body, member));
  percent.epoch_seen = route->etag;
  present = number_at(route->body, member);
  return std::nullopt;
}

Done put(const Api& api, const Options& options, Terminal& terminal, const Percent& percent) {
  json::object body = who_and_why(options);
  body["percent"] = options.percent.percent();
  const auto done = api.put(route_target(options.route, percent.path), body, percent.epoch_seen);
  if (!done) return done.error();
  say(done->body,
      options.route + ": " + std::string(percent.of) + " is " + options.percent.text() + " %" + epoch(done->body) +
          ", was " + percent.before,
      options, terminal);
  return std::nullopt;
}

}  // namespace

Done set_weight(const Api& api, const Options& options, Terminal& terminal) {
  Percent percent{"/weight", "weight of new"};
  double present = 0;
  if (auto trouble = look(api, options, {"weight", "wanted"}, percent, present)) return trouble;
  if (options.percent.percent() - present > kBoldRise &&
      !agreed(
          options, terminal,
          options.route + ": weight of new from " + percent.before + " to " + options.percent.text() + " % at once?")) {
    return Trouble{Exit::Failed, "nothing was changed"};
  }
  return put(api, options, terminal, percent);
}

Done set_mirror(const Api& api, const Options& options, Terminal& terminal) {
  Percent percent{"/mirror", "mirror"};
  double present = 0;
  if (auto trouble = look(api, options, {"mirror", "percent"}, percent, present)) return trouble;
  return put(api, options, terminal, percent);
}

Done revert(const Api& api, const Options& options, Terminal& terminal) {
  const auto done =
      api.post(options.all ? "/api/v1/revert" : route_target(options.route, "/revert"), who_and_why(options));
  if (!done) return done.error();
  say(done->body,
      options.all ? "all routes are reverted: nothing goes to new" + epoch(done->body) +
                        "; open one again: tidegate rearm ROUTE"
                  : options.route + " is reverted: nothing goes to new" + epoch(done->body) +
                        "; open it again: tidegate rearm " + options.route,
      options, terminal);
  return std::nullopt;
}

Done rearm(const Api& api, const Options& options, Terminal& terminal) {
  const auto done = api.post(route_target(options.route, "/rearm"), who_and_why(options));
  if (!done) return done.error();
  say(done->body,
      options.route + " is open again, its weight is 0" + epoch(done->body) + "; raise it: tidegate weight " +
          options.route + " PERCENT",
      options, terminal);
  return std::nullopt;
}

Done reload(const Api& api, const Options& options, Terminal& terminal) {
  const auto done = api.post("/api/v1/reload", who_and_why(options));
  if (!done) return done.error();
  std::string lines;
  for (const boost::json::value& line : done->body.at("changed").as_array()) {
    lines += (lines.empty() ? "" : "\n") + printable(std::string(line.as_string()));
  }
  say(done->body, lines.empty() ? "nothing changed" : lines, options, terminal);
  return std::nullopt;
}

Done drain(const Api& api, const Options& options, Terminal& terminal) {
  const auto done = api.post("/api/v1/drain", who_and_why(options));
  if (!done) return done.error();
  say(done->body, "draining: no longer ready, requests in flight finish", options, terminal);
  return std::nullopt;
}

}  // namespace tidegate::cli
