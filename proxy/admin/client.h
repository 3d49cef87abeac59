// A small synchronous client of the admin API, for the verbs of the command line: one request, one connection, one
// deadline over everything, over http or https. The connection is outbound/'s; this waits for it. It does not know what
// the API means. Any thread; keeps nothing between calls.
#pragma once

#include <boost/system/result.hpp>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "outbound/policy.h"

namespace tidegate::admin {

struct ServerUrl {
  std::string host;  ///< a name or literal, without brackets
  std::uint16_t port = 9900;
  bool https = false;
};
struct UrlProblem {
  std::string message;
};
/// What Result::value() throws; the program looks at errors instead, the demo and tests use it.
[[noreturn]] void throw_exception_from_error(const UrlProblem& problem, const boost::source_location& where);

/// "http://HOST:PORT", "https://HOST:PORT", or "HOST:PORT" for http; without a path.
boost::system::result<ServerUrl, UrlProblem> parse_server(const std::string& text);

struct ApiAnswer {
  unsigned status = 0;
  std::string body;
  std::string etag;
};

struct ClientError {
  enum class Kind : std::uint8_t {
    Setup,        ///< a file of the TLS policy, or the token, cannot be used; nothing was asked
    Unreachable,  ///< no connection; nothing was asked
    Untrusted,    ///< the server's certificate is not valid; nothing was asked
    Plain,        ///< https was asked for, and the server does not speak TLS; nothing was asked
    Refused,      ///< the server wants another certificate of ours, or one; nothing was done
    TimedOut,     ///< what was asked may be in force or not
    Broken,       ///< the connection ended before the answer did, or it was not HTTP; in force or not
  };
  Kind kind = Kind::Unreachable;
  std::string message;
};

[[noreturn]] void throw_exception_from_error(const ClientError& error, const boost::source_location& where);

class Client {
 public:
  struct Setup {
    ServerUrl server;
    std::string token{};  ///< empty = none
    Duration timeout = std::chrono::seconds(60);
    outbound::TlsPolicy tls{};  ///< of https
  };
  using Result = boost::system::result<ApiAnswer, ClientError>;

  explicit Client(Setup setup) : setup_(std::move(setup)) {}

  Result get(const std::string& target) const { return ask("GET", target, {}, {}); }
  /// @param if_match an ETag that was seen; empty = unconditional.
  Result put(const std::string& target, std::string json, std::string if_match = {}) const {
    return ask("PUT", target, std::move(json), std::move(if_match));
  }
  Result post(const std::string& target, std::string json, std::string if_match = {}) const {
    return ask("POST", target, std::move(json), std::move(if_match));
  }

 private:
  Result ask(const std::string& method, const std::string& target, std::string json, std::string if_match) const;

  Setup setup_;
};

}  // namespace tidegate::admin
