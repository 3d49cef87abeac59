#include "cli/api.h"

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <sstream>

#include "admin/target.h"
#include "cli/json_text.h"
#include "cli/terminal.h"

namespace tidegate::cli {

namespace json = boost::json;

namespace {

Trouble transport_trouble(const admin::ClientError& error, const std::string& server) {
  using Kind = admin::ClientError::Kind;
  switch (error.kind) {
    case Kind::Unreachable:
      return {Exit::Unreachable, "nothing answers at " + server + ": " + error.message +
                                     "\nis tidegate running? tidegate run --config FILE, or give --server URL",
              true};
    case Kind::Setup:
      return {Exit::Failed, error.message};
    case Kind::Untrusted:
      return {Exit::Unreachable, error.message + "\nnothing was asked; if it is the right server: --ca FILE with the authority that its certificate "
                                                 "is from, and in --server a name that it is for"};
    case Kind::Plain:
      return {Exit::Unreachable, server + " does not speak TLS\nis it the address of admin, and does admin.tls stand in the configuration? "
                                          "without it: --server http://HOST:PORT"};
    case Kind::Refused:
      return {Exit::Unreachable, error.message + "\nthe server asks for a certificate that it trusts (admin.tls.client_ca): --cert FILE --key FILE"};
    case Kind::TimedOut:
      return {Exit::TimedOut, error.message +
                                  "\na change may be in force nevertheless: tidegate status; more time: --timeout 5m",
              true};
    case Kind::Broken:
      break;
  }
  return {Exit::Failed, server + " did not answer as tidegate does: " + error.message +
                            "\nis --server the admin address? a change may be in force nevertheless: tidegate status",
          true};
}

/// A bad configuration has a line for each of its problems.
std::string printable_lines(const std::string& text) {
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) out += (out.empty() ? "" : "\n") + printable(line);
  return out;
}

/// What to look at, unless the message has told it.
std::string where_to_look(const std::string& target, const std::string& message) {
  if (target.starts_with("/api/v1/history/")) return "\nthe decisions: tidegate history";
  return message.find("(routes: ") == std::string::npos ? "\nthe routes: tidegate status" : "";
}

Trouble refusal(unsigned status, const json::value& body, const std::string& server, const std::string& target) {
  std::string message = printable_lines(text_at(body, {"error", "message"}));
  if (message.empty()) {
    return {Exit::Failed,
            server + " answered " + std::to_string(status) +
                ", but not as tidegate does\nis --server the admin address (admin.address of the configuration)?"};
  }
  if (text_at(body, {"error", "code"}) == "tls_required") {
    return {Exit::Unreachable, server + " speaks TLS only\ngive --server https://HOST:PORT, and --ca FILE unless the system trusts its certificate"};
  }
  if (status == 409) return {Exit::Conflict, message};
  if (status == 412) return {Exit::Conflict, message + "\nlook, and try again: tidegate status"};
  if (status == 401) return {Exit::Failed, message + "\ngive --token-file FILE, the one that admin.token_file names"};
  if (status == 503) return {Exit::Failed, message, true};
  if (text_at(body, {"error", "code"}) == "not_found") message += where_to_look(target, message);
  return {Exit::Failed, message};
}

}  // namespace

OrTrouble<std::string> read_token(const std::string& token_file) {
  if (token_file.empty()) return std::string();
  std::ifstream file(token_file);
  std::string line;
  if (!file) return Trouble{Exit::Failed, "--token-file " + token_file + " cannot be read"};
  // It may be the server's own file, with more tokens, roles and names.
  constexpr const char* kBlank = " \t\r";
  std::size_t first = std::string::npos;
  while (first == std::string::npos && std::getline(file, line)) {
    first = line.find_first_not_of(kBlank);
    if (first != std::string::npos && line[first] == '#') first = std::string::npos;
  }
  if (first == std::string::npos) return Trouble{Exit::Failed, "--token-file " + token_file + ": holds no token"};
  line = line.substr(first, std::min(line.find_first_of(kBlank, first), line.size()) - first);
  for (const char c : line) {  // it becomes a header field
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f) {
      return Trouble{Exit::Failed, "--token-file " + token_file + ": a token has visible ASCII signs only"};
    }
  }
  return line;
}

Api::Api(const Options& options, std::string token)
    : server_(options.server_text),
      setup_({options.server, std::move(token), options.timeout, options.tls}),
      client_(setup_) {}

Api Api::within(Duration timeout) const {
  Api out = *this;
  out.setup_.timeout = timeout;
  out.client_ = admin::Client(out.setup_);
  return out;
}

OrTrouble<Api::Got> Api::get(const std::string& target) const { return understood(client_.get(target), target); }

OrTrouble<Api::Got> Api::put(const std::string& target, const json::value& body, const std::string& if_match) const {
  return understood(client_.put(target, json::serialize(body), if_match), target);
}

OrTrouble<Api::Got> Api::post(const std::string& target, const json::value& body, const std::string& if_match) const {
  return understood(client_.post(target, json::serialize(body), if_match), target);
}

OrTrouble<Api::Got> Api::understood(const admin::Client::Result& result, const std::string& target) const {
  if (!result) return transport_trouble(result.error(), server_);
  json::error_code error;
  json::value body = json::parse(result->body, error);
  if (error || result->status < 200 || result->status > 299)
    return refusal(result->status, error ? json::value() : body, server_, target);
  return Got{std::move(body), result->etag};
}

std::string route_target(const std::string& route, std::string_view rest) {
  return "/api/v1/routes/" + admin::encoded_segment(route) + std::string(rest);
}

}  // namespace tidegate::cli
