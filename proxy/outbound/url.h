// The URL of a server that Tidegate asks for itself, taken apart once. Only what such a URL needs: http or https, a host,
// a port, a target. What is said of it in messages is the origin: paths and queries may carry secrets (Slack's do).
// Plain values; pure; any thread.
#pragma once

#include <boost/system/result.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace tidegate::outbound {

struct Url {
  bool https = false;
  std::string host;            ///< a name or a literal, without brackets
  std::uint16_t port = 80;
  std::string target = "/";    ///< path and query, encoded as it came

  std::string_view path() const noexcept;   ///< of `target`, without the query
  std::string_view query() const noexcept;  ///< of `target`, without the "?"
  std::string authority() const;            ///< as the Host field has it: the port is left out where it is the scheme's
  std::string endpoint() const;             ///< "HOST:PORT", for messages about connecting
  std::string origin() const;               ///< "https://HOST", for messages about all the rest
};

struct UrlProblem {
  std::string message;  ///< does not repeat the URL
};
/// What result::value() throws; the program looks at errors instead, tests use it.
[[noreturn]] void throw_exception_from_error(const UrlProblem& problem, const boost::source_location& where);

/// http:// or https://, a host, no user information, no fragment.
boost::system::result<Url, UrlProblem> parse_url(std::string_view text);

/// The bytes that RFC 3986 §2.3 calls unreserved as they are, all others as %XX: for a value in a query.
std::string encode_query_value(std::string_view value);

}  // namespace tidegate::outbound
