#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "cli/rollout_action.h"
#include "cli/verbs.h"
#include "config/scalars.h"
#include "config/suggest.h"

namespace tidegate::cli {
namespace {

constexpr std::uint32_t kMostRows = 1'000;  // what GET /api/v1/history gives

/// Everything as text: CLI11 finds the tokens, what they mean is said in our own words below.
struct Texts {
  std::string server, token_file, ca, cert, key, format = "table", timeout, reason, config, limit;
  std::vector<std::string> positionals;
  bool yes = false, no_color = false, help = false, version = false, strict = false, all = false, watch = false,
       plain = false, full = false, wait = false;
};

void add_globals(CLI::App& app, Texts& to) {
  app.add_option("--server", to.server);
  app.add_option("--token-file", to.token_file);
  app.add_option("--ca", to.ca);
  app.add_option("--cert", to.cert);
  app.add_option("--key", to.key);
  app.add_option("-o,--output", to.format);
  app.add_option("--timeout", to.timeout);
  app.add_option("--reason", to.reason);
  app.add_flag("-y,--yes", to.yes);
  app.add_flag("--no-color", to.no_color);
  app.add_flag("-h,--help", to.help);
  app.add_flag("--version", to.version);
}

void add_verb(CLI::App& app, const VerbText& verb, Texts& to) {
  CLI::App* sub = app.add_subcommand(std::string(verb.name));
  sub->set_help_flag();
  sub->fallthrough();  // the options of everywhere, after the verb
  sub->allow_extras();
  sub->add_option("ARGUMENTS", to.positionals)->expected(0, -1);
  switch (verb.verb) {
    case Verb::Run:
      sub->add_option("-c,--config", to.config);
      sub->add_flag("--watch", to.watch);
      break;
    case Verb::Validate:
      sub->add_option("-c,--config", to.config);
      sub->add_flag("--strict", to.strict);
      break;
    case Verb::Status:
      sub->add_flag("-w,--watch", to.watch);
      break;
    case Verb::Revert:
      sub->add_flag("--all", to.all);
      break;
    case Verb::Rollout:
      sub->add_flag("--full", to.full);
      sub->add_flag("--wait", to.wait);
      break;
    case Verb::History:
      sub->add_option("-n,--limit", to.limit);
      break;
    case Verb::Demo:
      sub->add_flag("--plain", to.plain);
      break;
    default:
      break;
  }
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> out;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) out.push_back("--" + name);
  }
  return out;
}

std::string suggestion_among(const std::string& word, const std::vector<std::string>& names) {
  const std::vector<std::string_view> views(names.begin(), names.end());
  return config::suggestion(word, views);
}

std::string see_help(const std::string& verb) {
  return "\nsee: tidegate " + (verb.empty() ? "" : verb + " ") + "--help";
}

std::string unknown_verb(const std::string& word) {
  std::vector<std::string> names;
  for (const VerbText& verb : verb_texts()) names.emplace_back(verb.name);
  return "unknown verb \"" + word + '"' + suggestion_among(word, names) + see_help("");
}

std::string unknown_option(const std::string& word, const CLI::App& app, const CLI::App* verb) {
  const std::string name = word.substr(0, word.find('='));
  std::vector<std::string> names = option_names(app);
  if (verb != nullptr) {
    for (std::string& more : option_names(*verb)) names.push_back(std::move(more));
  }
  return "unknown option " + name + suggestion_among(name, names) + see_help(verb == nullptr ? "" : verb->get_name());
}

/// Goes from where it is found to parse_command_line(), no further.
struct UsageProblem {
  std::string text;
};

/// The texts into values.
class Reader {
 public:
  Reader(const Texts& texts, const VerbText& verb, const Environment& environment)
      : texts_(texts), verb_(verb), environment_(environment) {}

  Options read() {
    out_.verb = verb_.verb;
    read_globals();
    read_positionals();
    read_verb_options();
    return out_;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw UsageProblem{what + see_help(std::string(verb_.name))};
  }

  void read_globals() {
    if (const auto from_environment = environment_("TIDEGATE_SERVER"); from_environment && !from_environment->empty()) {
      out_.server_text = *from_environment;
    }
    if (!texts_.server.empty()) out_.server_text = texts_.server;
    const auto server = admin::parse_server(out_.server_text);
    if (!server) fail(std::string(texts_.server.empty() ? "TIDEGATE_SERVER: " : "--server: ") + server.error().message);
    out_.server = *server;
    out_.token_file = texts_.token_file;
    read_tls();
    if (texts_.format == "json")
      out_.format = Format::Json;
    else if (texts_.format == "yaml")
      out_.format = Format::Yaml;
    else if (texts_.format != "table")
      fail("-o: \"" + texts_.format + "\" is none of table, json, yaml");
    if (!texts_.timeout.empty()) {
      const auto timeout = config::parse_duration(texts_.timeout);
      if (!timeout) fail("--timeout: " + timeout.error);
      if (*timeout.value <= Duration::zero()) fail("--timeout must be more than 0");
      out_.timeout = *timeout.value;
      out_.timeout_given = true;
    }
    out_.reason = texts_.reason;
    out_.yes = texts_.yes;
    const auto no_color = environment_("NO_COLOR");  // no-color.org: set and not empty
    out_.color = !texts_.no_color && !(no_color && !no_color->empty());
  }

  /// From the environment they are for whatever https server is asked; who gives them for one that is not means another.
  void read_tls() {
    const auto file = [&](const std::string& given, const char* variable) {
      if (!given.empty() || !out_.server.https) return given;
      return environment_(variable).value_or("");
    };
    if (!out_.server.https && !(texts_.ca + texts_.cert + texts_.key).empty()) {
      fail("--ca, --cert and --key are for https: give --server https://HOST:PORT");
    }
    out_.tls.ca = file(texts_.ca, "TIDEGATE_CA");
    if (!texts_.cert.empty() || !texts_.key.empty()) {
      out_.tls.cert = texts_.cert;
      out_.tls.key = texts_.key;
    } else {
      out_.tls.cert = file({}, "TIDEGATE_CERT");
      out_.tls.key = file({}, "TIDEGATE_KEY");
    }
    if (out_.tls.cert.empty() != out_.tls.key.empty()) fail("--cert and --key belong together: both or none");
  }

  void read_positionals() {
    const auto& given = texts_.positionals;
    const std::size_t most = verb_.positionals.size();
    if (given.size() > most) {
      const bool config = takes_config() && texts_.config.empty() && !given[most].empty();
      fail("unexpected argument \"" + given[most] + '"' +
           (config ? "; the file has an option before it: tidegate " + std::string(verb_.name) + " --config " + given[most] : ""));
    }
    for (std::size_t i = 0; i < most; ++i) {
      const std::string_view name = verb_.positionals[i];
      const bool optional = name.starts_with('[');
      if (i >= given.size()) {
        if (!optional) fail(std::string(verb_.name) + " needs " + std::string(name));
        continue;
      }
      if (given[i].empty()) fail(std::string(name) + " must not be empty");
      if (name == "PERCENT")
        read_percent(given[i]);
      else if (name == "ID")
        read_id(given[i]);
      else if (name == "ACTION")
        read_action(given, i);
      else
        out_.route = given[i];
    }
  }

  bool takes_config() const noexcept { return verb_.verb == Verb::Run || verb_.verb == Verb::Validate; }

  void read_percent(const std::string& text) {
    const auto percent = Weight::parse(text);
    if (!percent) fail("PERCENT: \"" + text + "\" is not a number from 0 to 100 in steps of 0.01");
    out_.percent = *percent;
  }

  void read_id(const std::string& text) {
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, out_.id);
    if (error != std::errc() || stop != end) fail("ID: \"" + text + "\" is not a number; it is the EPOCH of `tidegate history`");
  }

  void read_action(const std::vector<std::string>& given, std::size_t at) {
    std::vector<std::string> words;
    for (const RolloutWord& one : kRolloutWords) {
      words.emplace_back(one.word);
      if (one.word != given[at]) continue;
      out_.action = one.action;
      return;
    }
    for (const std::string& other : given) {  // rollout ROUTE start
      if (std::find(words.begin(), words.end(), other) == words.end()) continue;
      fail("the action stands first: tidegate rollout " + other + ' ' + given[at]);
    }
    std::string all;
    for (const std::string& word : words) all += (all.empty() ? "" : ", ") + word;
    const std::string near = suggestion_among(given[at], words);
    fail("unknown action \"" + given[at] + '"' + (near.empty() ? "; it is one of " + all : near));
  }

  void read_rollout_options() {
    out_.full = texts_.full;
    out_.wait = texts_.wait;
    if (out_.full && out_.action != RolloutAction::Promote) fail("--full goes with promote: tidegate rollout promote ROUTE --full");
    if (out_.wait && out_.action != RolloutAction::Status) fail("--wait goes with status: tidegate rollout status ROUTE --wait");
    if (out_.action == RolloutAction::Watch && out_.format != Format::Table) {
      fail("watch draws; for -o json: tidegate rollout status ROUTE --wait -o json");
    }
  }

  void read_verb_options() {
    out_.config = texts_.config;
    out_.strict = texts_.strict;
    out_.all = texts_.all;
    out_.watch = texts_.watch;
    out_.plain = texts_.plain;
    if (takes_config() && out_.config.empty()) fail(std::string(verb_.name) + " needs --config FILE");
    if (out_.verb == Verb::Revert && out_.route.empty() != out_.all) fail("revert needs ROUTE or --all, one of them");
    if (out_.watch && out_.format != Format::Table) fail("--watch draws a table; for -o json ask again yourself");
    if (!texts_.limit.empty()) read_limit();
    if (out_.verb == Verb::Rollout) read_rollout_options();
  }

  void read_limit() {
    const char* const end = texts_.limit.data() + texts_.limit.size();
    const auto [stop, error] = std::from_chars(texts_.limit.data(), end, out_.limit);
    if (error != std::errc() || stop != end || out_.limit == 0 || out_.limit > kMostRows) {
      fail("--limit: \"" + texts_.limit + "\" is not a number from 1 to " + std::to_string(kMostRows));
    }
  }

  const Texts& texts_;
  const VerbText& verb_;
  const Environment& environment_;
  Options out_;
};

Options help_about(std::optional<Verb> verb) {
  Options out;
  out.verb = Verb::Help;
  out.help_about = verb;
  return out;
}

Options understand(const CLI::App& app, const Texts& texts, const Environment& environment) {
  const auto chosen = app.get_subcommands();
  const CLI::App* sub = chosen.empty() ? nullptr : chosen.front();
  const VerbText* verb = sub == nullptr ? nullptr : find_verb(sub->get_name());
  for (const std::string& extra : app.remaining(true)) {
    if (extra.size() > 1 && extra.front() == '-') throw UsageProblem{unknown_option(extra, app, sub)};
    if (verb == nullptr) throw UsageProblem{unknown_verb(extra)};
    throw UsageProblem{"unexpected argument \"" + extra + '"' + see_help(std::string(verb->name))};
  }
  if (verb != nullptr && verb->verb == Verb::Help) {
    if (texts.positionals.empty()) return help_about(std::nullopt);
    const VerbText* about = find_verb(texts.positionals.front());
    if (about == nullptr) throw UsageProblem{unknown_verb(texts.positionals.front())};
    return help_about(about->verb);
  }
  if (texts.help) return help_about(verb == nullptr ? std::nullopt : std::optional(verb->verb));
  if (verb == nullptr && texts.version) verb = find_verb("version");
  if (verb == nullptr) throw UsageProblem{"which verb?\n\n" + help_text(std::nullopt)};
  return Reader(texts, *verb, environment).read();
}

}  // namespace

CommandLine parse_command_line(std::vector<std::string> arguments, const Environment& environment) {
  CLI::App app("", "tidegate");
  app.set_help_flag();
  app.allow_extras();
  app.require_subcommand(0, 1);  // at most one: a route may be named like a verb
  Texts texts;
  add_globals(app, texts);
  for (const VerbText& verb : verb_texts()) add_verb(app, verb, texts);
  CommandLine out;
  try {
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the end
    app.parse(arguments);
    out.options = understand(app, texts, environment);
  } catch (const CLI::ParseError& error) {  // an option without its value, or given twice
    out.problem = std::string(error.what()) + see_help("");
  } catch (const UsageProblem& problem) {
    out.problem = problem.text;
  }
  return out;
}

}  // namespace tidegate::cli
