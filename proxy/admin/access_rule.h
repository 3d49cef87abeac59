// Who may ask the admin API: the token with its role, and the Host and Origin of browsers. A page that a browser has open must not be
// able to move traffic (CSRF), nor to read the API by a DNS name that it points at this machine (DNS rebinding); so an
// Origin must be this server, and without a token the Host must be one of the names that this address really has.
// Decides only; knows no endpoint of the API. Made when the port is known; one thread.
#pragma once

#include <boost/system/result.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/message.h"
#include "config/token_file.h"

namespace tidegate::admin {

/// Who asks, as far as the token proves it. Without tokens everybody is an admin of no name.
struct Caller {
  config::Role role = config::Role::Admin;
  std::string name{};
};

class AccessRule {
 public:
  using Tokens = std::vector<config::Token>;

  /// @param host the literal listened on. @param port the bound one. @param tokens empty = none is asked for.
  AccessRule(const std::string& host, std::uint16_t port, Tokens tokens);
  /// The rule goes on with others; there are some when there were some before.
  void set_tokens(Tokens tokens) { tokens_ = std::move(tokens); }

  /// Host and Origin. Empty: may go on.
  std::optional<Response> refuse_foreign(const Request& request) const;
  /// Origin alone: for what is served under whatever name (the metrics listener, probes).
  std::optional<Response> refuse_foreign_origin(const Request& request) const;
  /// Who it is, or 401.
  boost::system::result<Caller, Response> identify(const Request& request) const;
  /// 403, unless the caller may do what asks for this role.
  static std::optional<Response> refuse_below(config::Role least, const Caller& caller, const Request& request);

 private:
  bool is_ours(std::string_view host) const noexcept;

  const config::Token* find(std::string_view presented) const noexcept;

  std::vector<std::string> hosts_;
  Tokens tokens_;
};

/// Takes as long for any two texts of the same lengths: how much of a guess was right can't be measured.
bool equal_in_constant_time(std::string_view presented, std::string_view secret) noexcept;

/// "127.0.0.1:80", "[::1]:80"
std::string authority(std::string_view host, std::uint16_t port);

}  // namespace tidegate::admin
