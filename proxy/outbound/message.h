// A question of Tidegate's own and what came of it, as plain values: client.h asks it, the folders above judge the answer.
// An Error says which kind of thing went wrong, because checks judge kinds; its message is a sentence for operators and
// names the origin, never a path's query, a field's value or user information.
#pragma once

#include <boost/system/result.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "outbound/limits.h"
#include "outbound/policy.h"
#include "outbound/url.h"

namespace tidegate::outbound {

struct Request {
  Url url;
  TlsPolicy tls{};
  std::string method = "GET";
  std::string host{};          ///< the Host to send; empty = the URL's
  std::string content_type{};  ///< of `body`; empty = the field is not sent
  std::vector<std::pair<std::string, std::string>> headers{};  ///< win over what the client sets
  std::string body{};
  Duration timeout = std::chrono::seconds(5);  ///< over everything: name, connection, TLS, request, answer
  std::uint64_t answer_bytes = kAnswerBytes;   ///< of the body; more is an error
};

struct Response {
  unsigned status = 0;
  std::string content_type{};
  std::string body{};
  std::string etag{};
};

struct Error {
  enum class Kind : std::uint8_t {
    Setup,    ///< nothing was tried: a file of the TLS policy, a field that can't be sent
    Resolve,  ///< the name has no address, as far as is known
    Local,    ///< this machine has no descriptor, port or memory for it: says nothing of whom was asked
    Connect,  ///< refused, unreachable
    Tls,      ///< the certificate is not valid, or no agreement
    Timeout,  ///< any phase; what was asked may have been done or not
    Broken,   ///< the connection ended before the answer did; what was asked may have been done or not
    NotHttp,
    TooLarge,
  };
  /// Of Kind::Tls: what somebody can do about it depends on it.
  enum class Tls : std::uint8_t {
    Other,
    Untrusted,  ///< the server's certificate is not valid for whom was asked
    Plain,      ///< what answers there does not speak TLS
    Refused,    ///< the server does not take the client's certificate, or wants one
  };
  Kind kind = Kind::Setup;
  std::string message;
  unsigned status = 0;  ///< of an answer that is TooLarge, where it was read
  Tls tls = Tls::Other;
};

/// Nothing came back, and the next attempt may be different.
constexpr bool is_no_answer(Error::Kind kind) noexcept {
  return kind == Error::Kind::Resolve || kind == Error::Kind::Local || kind == Error::Kind::Connect || kind == Error::Kind::Timeout ||
         kind == Error::Kind::Broken;
}

[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

using Result = boost::system::result<Response, Error>;

constexpr bool is_success(unsigned status) noexcept { return status >= 200 && status < 300; }
constexpr bool is_redirect(unsigned status) noexcept { return status >= 300 && status < 400; }
/// "answered 302 (a redirect, and redirects are not followed)"
std::string say_status(unsigned status);

/// "250 ms", "5 s"
std::string say_duration(Duration duration);
/// "1 MiB", "16 KiB", "1500 bytes"
std::string say_bytes(std::uint64_t bytes);

/// A name that RFC 9110 §5.1 allows and a value that stays on its line: what comes from ${ENV} often ends in a newline.
bool can_be_sent(std::string_view name, std::string_view value) noexcept;

}  // namespace tidegate::outbound
