// Who may ask the admin API: the token, and the Host and Origin of browsers. A page that a browser has open must not be
// able to move traffic (CSRF), nor to read the API by a DNS name that it points at this machine (DNS rebinding); so an
// Origin must be this server, and without a token the Host must be one of the names that this address really has.
// Decides only; knows no route of the API. Made when the port is known, immutable, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/message.h"

namespace tidegate::admin {

class AccessRule {
 public:
  /// @param host the literal listened on. @param port the bound one. @param token empty = none is asked for.
  AccessRule(const std::string& host, std::uint16_t port, std::string token);

  /// Host and Origin. Empty: may go on.
  std::optional<Response> refuse_foreign(const Request& request) const;
  /// Origin alone: for what is served under whatever name (the metrics listener, probes).
  std::optional<Response> refuse_foreign_origin(const Request& request) const;
  std::optional<Response> refuse_without_token(const Request& request) const;

 private:
  bool is_ours(std::string_view host) const noexcept;

  std::vector<std::string> hosts_;
  std::string token_;
};

/// Takes as long for any two texts of the same lengths: how much of a guess was right can't be measured.
bool equal_in_constant_time(std::string_view presented, std::string_view secret) noexcept;

/// "127.0.0.1:80", "[::1]:80"
std::string authority(std::string_view host, std::uint16_t port);

}  // namespace tidegate::admin
