// One client connection of the admin API: reads a request, has it answered, writes the answer, and again (keep-alive).
// It holds to the limits and turns Beast's types into plain ones; what a request means is the handler's business.
//
//   Securing (over TLS) --handshake--> Reading
//      +--late, end()--------------------------------------------------------> Gone
//      +--plain HTTP: Writing (that this is TLS)--> Lingering ---------------> Gone
//      +--broken, not trusted: Lingering (the alert must arrive) ------------> Gone
//
//   Reading --request--> Answering --answer--> Writing --keep-alive--> Reading
//      |  idle, end()        | late: 503          | idle, end(), Connection: close
//      +---------------------+--------------------+---------------------------> Gone
//      +--not HTTP, too large: Writing--> Lingering (the answer must arrive) -> Gone
//
// Owned by its server, which is told by `gone`; used on the server's thread only.
#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "admin/handler.h"
#include "admin/limits.h"
#include "net/tls_context.h"
#include "outbound/wire.h"

namespace tidegate::admin {

class Session : public std::enable_shared_from_this<Session> {
 public:
  using Gone = std::function<void(const std::shared_ptr<Session>&)>;

  /// @param tls nullptr: plain
  Session(boost::asio::ip::tcp::socket socket, std::shared_ptr<const net::TlsServerContext> tls, Handler& handler, const ServerLimits& limits, Gone gone);

  void start();
  /// No further request: an idle connection is closed, an answer that is on its way is still sent.
  void end();
  /// Its next answer is the last; without a request it is closed soon.
  void end_after_next();
  /// Closes at once.
  void abort();

  /// Since when it waits: for a request, for a handshake, or for the client to leave; empty while it works on something.
  std::optional<TimePoint> idle_since() const noexcept;

 private:
  enum class State { Securing, Reading, Answering, Writing, Lingering, Gone };
  using IoError = boost::system::error_code;
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  void secure();
  void on_secured(const IoError& error);
  void read_head();
  void on_head(const IoError& error);
  void send_continue();
  void read_body();
  void on_request(const IoError& error);
  void refuse_broken(const IoError& error);
  void answer_request();
  void write(Response response);
  void on_written(const IoError& error);
  void linger();
  void leave();
  void discard();
  void close();

  const std::shared_ptr<const net::TlsServerContext> tls_;  // outlives what stream_ has of it
  outbound::Wire stream_;
  boost::asio::steady_timer patience_;
  boost::beast::flat_buffer buffer_;
  Handler& handler_;
  const ServerLimits& limits_;
  Gone gone_;
  State state_ = State::Reading;
  TimePoint since_{};
  bool ending_ = false;
  bool last_ = false;             ///< the next answer
  bool keep_alive_ = true;
  bool head_only_ = false;        ///< HEAD
  bool unread_ = false;           ///< the request was refused before its end
  unsigned version_ = 11;         ///< of HTTP, as Beast writes it
  std::uint64_t serial_ = 0;      ///< of the request: an answer that comes after its 503 is for nobody
  std::optional<Parser> parser_;  ///< of the current request
  Request request_;
  std::optional<boost::beast::http::response<boost::beast::http::string_body>> response_;
  std::array<char, 4096> discarded_;
};

}  // namespace tidegate::admin
