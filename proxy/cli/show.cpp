#include "cli/show.h"

#include <boost/json.hpp>
#include <ostream>

#include "admin/target.h"
#include "cli/explain_view.h"
#include "cli/history_view.h"
#include "cli/json_text.h"
#include "cli/screen.h"
#include "cli/status_view.h"
#include "cli/yaml.h"
#include "config/load.h"

namespace tidegate::cli {

namespace json = boost::json;

namespace {

std::string status_target(const Options& options) {
  return options.route.empty() ? "/api/v1/status" : route_target(options.route);
}

std::string view(const json::value& body, const Options& options, const Terminal& terminal) {
  const ViewStyle style{terminal.color, terminal.columns};
  return options.route.empty() ? status_view(body, style) : route_view(body, style);
}

}  // namespace

bool print_data(const json::value& value, const Options& options, Terminal& terminal) {
  if (options.format == Format::Table) return false;
  terminal.out << (options.format == Format::Json ? pretty_json(value) : to_yaml(value)) << std::flush;
  return true;
}

Done show_status(const Api& api, const Options& options, Terminal& terminal) {
  const auto got = api.get(status_target(options));
  if (!got) return got.error();
  if (!print_data(got->body, options, terminal)) terminal.out << view(got->body, options, terminal) << std::flush;
  return std::nullopt;
}

Done watch_status(const Api& api, const Options& options, Terminal& terminal, const std::function<bool()>& next) {
  if (terminal.out_is_tty) terminal.out << "\033[2J";
  bool seen = false;
  do {
    const auto got = api.get(status_target(options));
    // A server that is restarted comes back; one that never answered, or refuses, is told at once.
    const bool may_return = got.has_error() && got.error().passing;
    if (got.has_error() && (!seen || !may_return)) return got.error();
    const std::string text =
        got ? view(got->body, options, terminal) : paint(terminal.color, Tone::Warn, got.error().message) + '\n';
    terminal.out << (terminal.out_is_tty ? frame(text) : text + '\n') << std::flush;
    seen = true;
  } while (next());
  return std::nullopt;
}

Done show_history(const Api& api, const Options& options, Terminal& terminal) {
  std::string target = "/api/v1/history?limit=" + std::to_string(options.limit);
  if (!options.route.empty()) target += "&route=" + admin::encoded_segment(options.route);
  const auto got = api.get(target);
  if (!got) return got.error();
  const auto* const decisions = at(got->body, {"decisions"}).if_array();
  if (!options.route.empty() && decisions != nullptr && decisions->empty()) {
    // A route that is gone may still have a history; one that has none may be a slip.
    if (const auto route = api.get(route_target(options.route)); !route) return route.error();
  }
  if (!print_data(got->body, options, terminal)) terminal.out << history_view(got->body) << std::flush;
  return std::nullopt;
}

Done explain(const Api& api, const Options& options, Terminal& terminal) {
  const auto got = api.get("/api/v1/history/" + std::to_string(options.id));
  if (!got) return got.error();
  if (!print_data(got->body, options, terminal)) {
    terminal.out << explain_view(got->body, {terminal.color, terminal.columns}) << std::flush;
  }
  const json::value& same = at(got->body, {"replay", "same"});
  if (same.is_bool() && !same.get_bool()) return Trouble{Exit::Failed, "the replay gives another answer than the record"};
  return std::nullopt;
}

void show_version(const Options& options, Terminal& terminal) {
  const json::object version{{"version", TIDEGATE_VERSION}};
  if (!print_data(version, options, terminal)) terminal.out << "tidegate " TIDEGATE_VERSION "\n" << std::flush;
}

Exit validate(const Options& options, Terminal& terminal) {
  const config::Loaded loaded = config::load_file(options.config);
  bool warned = false;
  for (const config::Problem& problem : loaded.problems) {
    terminal.err << config::to_string(problem) << '\n';
    warned = warned || problem.severity == config::Severity::Warning;
  }
  terminal.err << std::flush;
  if (!loaded.config) return Exit::Failed;
  return warned && options.strict ? Exit::Warnings : Exit::Ok;
}

}  // namespace tidegate::cli
