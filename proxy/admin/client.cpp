#include "admin/client.h"

#include <boost/asio/io_context.hpp>
#include <boost/throw_exception.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>
#include <optional>
#include <stdexcept>
#include <utility>

#include "admin/access_rule.h"
#include "outbound/client.h"

namespace tidegate::admin {

namespace urls = boost::urls;

namespace {

constexpr std::uint64_t kBodyBytes = 64ull << 20;  // a status of some ten thousand routes

ClientError::Kind kind_of(const outbound::Error& error) noexcept {
  using From = outbound::Error;
  using To = ClientError::Kind;
  switch (error.kind) {
    case From::Kind::Setup: return To::Setup;
    case From::Kind::Resolve:
    case From::Kind::Local:
    case From::Kind::Connect: return To::Unreachable;
    case From::Kind::Timeout: return To::TimedOut;
    case From::Kind::Tls:
      switch (error.tls) {
        case From::Tls::Untrusted: return To::Untrusted;
        case From::Tls::Plain: return To::Plain;
        case From::Tls::Refused: return To::Refused;
        case From::Tls::Other: break;
      }
      return To::Broken;
    case From::Kind::Broken:
    case From::Kind::NotHttp:
    case From::Kind::TooLarge: break;
  }
  return To::Broken;
}

}  // namespace

void throw_exception_from_error(const UrlProblem& problem, const boost::source_location& where) {
  boost::throw_exception(std::runtime_error(problem.message), where);
}

void throw_exception_from_error(const ClientError& error, const boost::source_location& where) {
  boost::throw_exception(std::runtime_error(error.message), where);
}

boost::system::result<ServerUrl, UrlProblem> parse_server(const std::string& text) {
  const auto bad = [&text](const char* why) { return UrlProblem{'"' + text + '"' + why}; };
  const std::string full = text.find("://") == std::string::npos ? "http://" + text : text;
  const auto url = urls::parse_uri(full);
  if (!url) return bad(" is not a URL like http://127.0.0.1:9900");
  if (url->scheme() != "http" && url->scheme() != "https") return bad(": only http:// and https:// are spoken");
  if (url->host().empty()) return bad(" names no host");
  const bool bare = (url->path().empty() || url->path() == "/") && !url->has_query() && !url->has_fragment();
  if (!bare || url->has_userinfo()) return bad(" must be a host and a port, nothing more");
  ServerUrl out;
  out.https = url->scheme() == "https";
  out.host = url->host_type() == urls::host_type::ipv6 ? std::string(url->host_ipv6_address().to_string())
                                                       : std::string(url->host());
  if (!url->has_port()) return out;
  const std::string port(url->port());
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (error != std::errc() || end != port.data() + port.size() || out.port == 0)
    return bad(": the port must be 1 to 65535");
  return out;
}

Client::Result Client::ask(const std::string& method, const std::string& target, std::string json,
                           std::string if_match) const {
  outbound::Request request;
  request.url = {setup_.server.https, setup_.server.host, setup_.server.port, target};
  request.tls = setup_.tls;
  request.method = method;
  request.host = authority(setup_.server.host, setup_.server.port);  // with the port, as the server knows its names
  request.headers.emplace_back("Accept", "application/json");
  if (!setup_.token.empty()) request.headers.emplace_back("Authorization", "Bearer " + setup_.token);
  if (!if_match.empty()) request.headers.emplace_back("If-Match", std::move(if_match));
  if (!json.empty()) request.content_type = "application/json";
  request.body = std::move(json);
  request.timeout = setup_.timeout;
  request.answer_bytes = kBodyBytes;

  boost::asio::io_context io(1);
  outbound::Client client(io);
  std::optional<outbound::Result> came;
  client.ask(std::move(request), [&came](outbound::Result result) { came = std::move(result); });
  io.run();
  if (!came) return ClientError{ClientError::Kind::Broken, "nothing was asked"};
  if (came->has_error()) return ClientError{kind_of(came->error()), came->error().message};
  outbound::Response& answer = came->value();
  return ApiAnswer{answer.status, std::move(answer.body), std::move(answer.etag)};
}

}  // namespace tidegate::admin
