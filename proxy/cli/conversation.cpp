#include "cli/conversation.h"

#include <pwd.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <istream>
#include <ostream>

#include "cli/json_text.h"
#include "cli/show.h"

namespace tidegate::cli {

namespace json = boost::json;

namespace {

std::string note(const json::value& answer) {
  const std::string text = printable(text_at(answer, {"note"}));
  return text.empty() ? "" : "\nnote: " + text;
}

}  // namespace

std::string actor() {
  const char* const behind = std::getenv("SUDO_USER");
  if (behind != nullptr && *behind != '\0') return behind;
  const passwd* const user = ::getpwuid(::getuid());
  return user != nullptr && user->pw_name != nullptr ? user->pw_name : "uid " + std::to_string(::getuid());
}

json::object who_and_why(const Options& options) {
  json::object out{{"actor", actor()}};
  if (!options.reason.empty()) out["reason"] = options.reason;
  return out;
}

std::string epoch(const json::value& answer) { return " (epoch " + plain_text(at(answer, {"epoch"})) + ")"; }

void say(const json::value& answer, const std::string& line, const Options& options, Terminal& terminal) {
  if (!print_data(answer, options, terminal)) terminal.out << line << note(answer) << '\n' << std::flush;
}

bool asks(const Options& options, const Terminal& terminal) {
  return !options.yes && terminal.in_is_tty && terminal.out_is_tty;
}

bool agreed(const Options& options, Terminal& terminal, const std::string& question) {
  if (!asks(options, terminal)) return true;
  terminal.err << question << " [y/N] " << std::flush;
  std::string answer;
  std::getline(terminal.in, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace tidegate::cli
