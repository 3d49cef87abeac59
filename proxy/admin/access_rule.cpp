#include "admin/access_rule.h"

#include <algorithm>
#include <boost/beast/core/string.hpp>

#include "admin/error_response.h"

namespace tidegate::admin {

using boost::beast::iequals;

std::string authority(std::string_view host, std::uint16_t port) {
  const bool v6 = host.find(':') != std::string_view::npos;
  std::string out = v6 ? "[" : "";
  out += host;
  if (v6) out += ']';
  return out + ':' + std::to_string(port);
}

bool equal_in_constant_time(std::string_view presented, std::string_view secret) noexcept {
  // volatile: the loop must not be turned into one that ends early.
  volatile unsigned char difference = presented.size() == secret.size() && !secret.empty() ? 0 : 1;
  for (std::size_t i = 0; i < presented.size(); ++i) {
    const char expected = secret.empty() ? '\0' : secret[i % secret.size()];
    difference = difference | static_cast<unsigned char>(presented[i] ^ expected);
  }
  return difference == 0;
}

AccessRule::AccessRule(const std::string& host, std::uint16_t port, Tokens tokens) : tokens_(std::move(tokens)) {
  for (const std::string_view name : {std::string_view(host), std::string_view("localhost"),
                                      std::string_view("127.0.0.1"), std::string_view("::1")}) {
    hosts_.push_back(authority(name, port));
  }
}

bool AccessRule::is_ours(std::string_view host) const noexcept {
  return std::any_of(hosts_.begin(), hosts_.end(), [host](const std::string& name) { return iequals(name, host); });
}

std::optional<Response> AccessRule::refuse_foreign(const Request& request) const {
  const std::string* host = request.find("Host");
  if (host == nullptr || request.count("Host") != 1) {
    return error_response(ErrorCode::Invalid, "a request needs one Host field", "Host");
  }
  // With a token a name proves nothing: whoever has the token may come by any name, and who has not is refused anyway.
  if (tokens_.empty() && !is_ours(*host)) {
    return error_response(ErrorCode::Forbidden,
                          "Host " + *host + " is not a name of this server; use " + hosts_.front() +
                              " (a tunnel needs the same port on both ends), or set admin.token_file",
                          "Host");
  }
  return refuse_foreign_origin(request);
}

std::optional<Response> AccessRule::refuse_foreign_origin(const Request& request) const {
  const std::string* origin = request.find("Origin");
  if (origin == nullptr) return std::nullopt;
  const std::string* host = request.find("Host");
  // https: a proxy in front may have ended TLS.
  const bool same = host != nullptr && request.count("Origin") == 1 &&
                    (iequals(*origin, "http://" + *host) || iequals(*origin, "https://" + *host));
  if (same) return std::nullopt;
  return error_response(ErrorCode::Forbidden, "a page of " + *origin + " may not use this API", "Origin");
}

/// Looks at every token, also after one fits: how many there are before it can't be measured.
const config::Token* AccessRule::find(std::string_view presented) const noexcept {
  const config::Token* found = nullptr;
  for (const config::Token& one : tokens_) {
    if (equal_in_constant_time(presented, one.secret)) found = &one;
  }
  return found;
}

boost::system::result<Caller, Response> AccessRule::identify(const Request& request) const {
  if (tokens_.empty()) return Caller{};
  constexpr std::string_view kScheme = "Bearer ";
  const std::string* given = request.count("Authorization") == 1 ? request.find("Authorization") : nullptr;
  const bool bearer = given != nullptr && given->size() > kScheme.size() &&
                      iequals(std::string_view(*given).substr(0, kScheme.size()), kScheme);
  const config::Token* const token = bearer ? find(std::string_view(*given).substr(kScheme.size())) : nullptr;
  if (token != nullptr) return Caller{token->role, token->name};
  Response response = error_response(
      ErrorCode::Unauthorized,
      given == nullptr ? "this API needs a token: give --token-file, or the field Authorization: Bearer TOKEN"
                       : "the token is none of admin.token_file",
      "Authorization");
  response.fields.push_back({"WWW-Authenticate", "Bearer realm=\"tidegate\""});
  return response;
}

std::optional<Response> AccessRule::refuse_below(config::Role least, const Caller& caller, const Request& request) {
  if (caller.role >= least) return std::nullopt;
  return error_response(ErrorCode::Forbidden,
                        request.method + ' ' + request.target.substr(0, request.target.find('?')) + " needs the role " +
                            std::string(config::name(least)) + "; the token has the role " + std::string(config::name(caller.role)),
                        "Authorization");
}

}  // namespace tidegate::admin
