// One request and its answer, from the name to the last byte of the body, under one deadline.
//
//   Resolving --addresses--> Connecting --http--> Asking --answer--> Ended
//       |                       |    \--https--> Securing --verified--> Asking
//       +--none, deadline-------+--all failed----+--not valid-----------+--broken, too large--> Ended
//
// Several addresses are tried one after the other; each but the last gets its equal part of the time that is left, so that
// one that is silent does not use up all of it. Owned by its client until it has ended; used on the client's thread only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "outbound/lookup.h"
#include "outbound/message.h"
#include "outbound/wire.h"

namespace tidegate::outbound {

class Conversation : public std::enable_shared_from_this<Conversation> {
 public:
  using Ended = std::function<void(const std::shared_ptr<Conversation>&, Result)>;

  Conversation(boost::asio::io_context& io, Request request, Ended ended);

  void start(Lookup& lookup);
  /// Closes without calling back.
  void abort();

 private:
  enum class Phase { Resolving, Connecting, Securing, Asking, Ended };
  using IoError = boost::system::error_code;
  using Parser = boost::beast::http::response_parser<boost::beast::http::string_body>;

  std::optional<Error> prepare();
  void on_resolved(Lookup::Found found);
  void connect();
  void on_connected(const IoError& error);
  void secure();
  void on_secured(const IoError& error);
  void write();
  void read();
  void on_read(const IoError& error);
  bool is_interim() const;

  void on_deadline();
  Error broken(const IoError& error) const;
  Error insecure(const IoError& error);
  void fail(Error::Kind kind, std::string message);
  void end(Result result);
  void close();

  const Request request_;
  Ended ended_;
  Phase phase_ = Phase::Resolving;
  TimePoint started_{};
  boost::asio::steady_timer deadline_;
  std::vector<boost::asio::ip::address> addresses_;  ///< those that are not tried yet, the next one last
  std::unique_ptr<boost::asio::ssl::context> context_;  // outlives what wire_ has of it
  Wire wire_;
  boost::beast::http::request<boost::beast::http::string_body> message_;
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  std::size_t interim_ = 0;
};

}  // namespace tidegate::outbound
