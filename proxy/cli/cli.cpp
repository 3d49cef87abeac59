#include "cli/cli.h"

#include <cstdlib>
#include <exception>
#include <thread>

#include "cli/api.h"
#include "cli/change.h"
#include "cli/exit_code.h"
#include "cli/rollout.h"
#include "cli/show.h"
#include "cli/verbs.h"

namespace tidegate::cli {
namespace {

constexpr Duration kRedraw = std::chrono::seconds(1);

std::optional<std::string> from_environment(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

void complain(Terminal& terminal, const std::string& message) {
  terminal.err << "tidegate: " << message << (message.ends_with('\n') ? "" : "\n") << std::flush;
}

Done watch(const Api& api, const Options& options, Terminal& terminal) {
  // Ctrl-C ends the process as it always does: there is nothing to put back.
  return watch_status(api, options, terminal, [] {
    std::this_thread::sleep_for(kRedraw);
    return true;
  });
}

Done ask(const Api& api, const Options& options, Terminal& terminal) {
  switch (options.verb) {
    case Verb::Status:
      return options.watch ? watch(api, options, terminal) : show_status(api, options, terminal);
    case Verb::Weight:
      return set_weight(api, options, terminal);
    case Verb::Mirror:
      return set_mirror(api, options, terminal);
    case Verb::Revert:
      return revert(api, options, terminal);
    case Verb::Rearm:
      return rearm(api, options, terminal);
    case Verb::Rollout:
      return rollout(api, options, terminal);
    case Verb::History:
      return show_history(api, options, terminal);
    case Verb::Explain:
      return explain(api, options, terminal);
    case Verb::Reload:
      return reload(api, options, terminal);
    case Verb::Drain:
      return drain(api, options, terminal);
    default:
      break;
  }
  return Trouble{Exit::Failed, "this verb asks no server"};
}

Exit ask_server(const Options& options, Terminal& terminal) {
  const auto token = read_token(options.token_file);
  const Done trouble = token ? ask(Api(options, *token), options, terminal) : Done(token.error());
  if (!trouble) return Exit::Ok;
  if (!trouble->message.empty()) complain(terminal, trouble->message);
  return trouble->exit;
}

int act(const Options& options, Terminal& terminal, const Actions& actions) {
  switch (options.verb) {
    case Verb::Help:
      terminal.out << help_text(options.help_about) << std::flush;
      return code(Exit::Ok);
    case Verb::Version:
      show_version(options, terminal);
      return code(Exit::Ok);
    case Verb::Validate:
      if (actions.take_rights_of_run) actions.take_rights_of_run();
      return code(validate(options, terminal));
    case Verb::Run:
      return actions.run(options.config, options.watch);
    case Verb::Demo:
      return actions.demo({options.plain || !terminal.out_is_tty, terminal.color});
    default:
      return code(ask_server(options, terminal));
  }
}

}  // namespace

int dispatch(std::vector<std::string> arguments, const Environment& environment,
             const std::function<Terminal(bool color)>& terminal, const Actions& actions) {
  const CommandLine line = parse_command_line(std::move(arguments), environment);
  Terminal here = terminal(line.options && line.options->color);
  if (!line.options) {
    complain(here, line.problem);
    return code(Exit::Usage);
  }
  try {
    return act(*line.options, here, actions);
  } catch (const std::exception& error) {
    complain(here, error.what());
    return code(Exit::Failed);
  }
}

int main(int argc, char** argv, const Actions& actions) {
  return dispatch({argv + (argc > 0 ? 1 : 0), argv + argc}, from_environment, process_terminal, actions);
}

}  // namespace tidegate::cli
