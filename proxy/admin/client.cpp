#include "admin/client.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/throw_exception.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>
#include <optional>
#include <stdexcept>
#include <utility>

#include "admin/access_rule.h"

namespace tidegate::admin {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace urls = boost::urls;
using asio::ip::tcp;

namespace {

constexpr std::uint32_t kHeadBytes = 64 * 1024;
constexpr std::uint64_t kBodyBytes = 64ull << 20;  // a status of some ten thousand routes

/// One request and its answer, as a chain of completions on an io_context that ask() runs.
class Conversation {
 public:
  using IoError = boost::system::error_code;

  Conversation(asio::io_context& io, const ServerUrl& server) : resolver_(io), stream_(io), server_(server) {
    parser_.header_limit(kHeadBytes);
    parser_.body_limit(kBodyBytes);
  }

  http::request<http::string_body> request{};

  void start() {
    resolver_.async_resolve(server_.host, std::to_string(server_.port), tcp::resolver::numeric_service,
                            [this](const IoError& failed, const tcp::resolver::results_type& found) {
                              if (failed) return fail(ClientError::Kind::Unreachable, failed);
                              connect(found);
                            });
  }
  void cancel() {
    resolver_.cancel();
    stream_.close();
  }
  bool connected() const noexcept { return connected_; }
  std::optional<ClientError> error{};
  std::optional<http::response<http::string_body>> response{};

 private:
  void connect(const tcp::resolver::results_type& found) {
    stream_.async_connect(found, [this](const IoError& failed, const tcp::endpoint&) {
      if (failed) return fail(ClientError::Kind::Unreachable, failed);
      connected_ = true;
      http::async_write(stream_, request, [this](const IoError&, std::size_t) {
        read();  // also after an error: who refuses a body early answers before it closes
      });
    });
  }
  void read() {
    http::async_read(stream_, buffer_, parser_, [this](const IoError& failed, std::size_t) {
      if (failed) return fail(ClientError::Kind::Broken, failed);
      response = parser_.release();
    });
  }
  void fail(ClientError::Kind kind, const IoError& why) { error = ClientError{kind, why.message()}; }

  tcp::resolver resolver_;
  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer buffer_;
  http::response_parser<http::string_body> parser_;
  ServerUrl server_;
  bool connected_ = false;
};

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
  if (url->scheme() != "http") return bad(": only http:// is spoken; for https put a tunnel in front");
  if (url->host().empty()) return bad(" names no host");
  const bool bare = (url->path().empty() || url->path() == "/") && !url->has_query() && !url->has_fragment();
  if (!bare || url->has_userinfo()) return bad(" must be a host and a port, nothing more");
  ServerUrl out;
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
  asio::io_context io(1);
  Conversation talk(io, setup_.server);
  talk.request.method_string(method);
  talk.request.target(target);
  talk.request.version(11);
  talk.request.set(http::field::host, authority(setup_.server.host, setup_.server.port));
  talk.request.set(http::field::user_agent, "tidegate/" TIDEGATE_VERSION);
  talk.request.set(http::field::accept, "application/json");
  talk.request.keep_alive(false);
  if (!setup_.token.empty()) talk.request.set(http::field::authorization, "Bearer " + setup_.token);
  if (!if_match.empty()) talk.request.set(http::field::if_match, if_match);
  if (!json.empty()) talk.request.set(http::field::content_type, "application/json");
  talk.request.body() = std::move(json);
  talk.request.prepare_payload();

  talk.start();
  io.run_for(setup_.timeout);
  if (!talk.response && !talk.error) {
    const bool connected = talk.connected();
    talk.cancel();
    io.run();
    return ClientError{ClientError::Kind::TimedOut, connected ? "no answer in time" : "no connection in time"};
  }
  if (talk.error) return *talk.error;
  return ApiAnswer{talk.response->result_int(), std::move(talk.response->body()),
                   std::string((*talk.response)[http::field::etag])};
}

}  // namespace tidegate::admin
