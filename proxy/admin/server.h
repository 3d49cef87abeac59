// The admin API's listener, or the metrics listener (`metrics_only`): a thread of its own with its own io_context, so
// that no request here can delay a worker, and HTTP/1.1 by Beast (which is not fit for the edge; this is not the edge),
// plain or over TLS. It accepts and owns sessions; requests are the handler's.
//
// Owned by the composition root. start() and stop() on one thread; everything else is its own thread.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "admin/handler.h"
#include "admin/limits.h"
#include "admin/mailbox.h"
#include "admin/services.h"
#include "net/tls_context.h"

namespace tidegate::admin {

class Session;

struct Setup {
  std::string host = "127.0.0.1";  ///< IPv4 or IPv6 literal, without brackets
  std::uint16_t port = 9900;       ///< 0 = any free one
  AccessRule::Tokens tokens{};     ///< empty = none is asked for
  bool metrics_only = false;       ///< serves /metrics /healthz /readyz alone, without a token
  Services services;
  ServerLimits limits{};
  int descriptor = -1;             ///< a socket that listens on the address already; the server's
  std::shared_ptr<const net::TlsServerContext> tls{};  ///< nullptr: plain HTTP
};

class Server {
 public:
  explicit Server(Setup setup);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Listens and serves. @throws std::runtime_error naming the address and what is wrong with it.
  void start();
  /// Answers that are on their way are given `limits.farewell`; then everything is closed and the thread has ended.
  void stop();

  /// Takes no new connections until resume(): they wait in the kernel's queue. Any thread, after start().
  void pause();
  void resume();
  /// Takes no new connections; each that there is ends with its next answer, or soon if it asks nothing.
  void retire();
  /// For the requests from now on, and for the connections from now on. Any thread, after start().
  void set_tokens(AccessRule::Tokens tokens);
  void set_tls(std::shared_ptr<const net::TlsServerContext> tls);
  /// Of the listening socket, to be handed over. After start().
  int descriptor() { return acceptor_.native_handle(); }

  /// As bound: "127.0.0.1:9900". After start().
  std::string address() const;

 private:
  void listen();
  void accept();
  void take(boost::asio::ip::tcp::socket socket);
  bool make_room();
  void end_all();

  const Setup setup_;
  boost::asio::io_context io_{1};
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_;  // until stop()
  boost::asio::ip::tcp::acceptor acceptor_{io_};
  boost::asio::steady_timer pause_{io_};
  bool paused_ = false;
  bool retired_ = false;
  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>(io_);
  std::unique_ptr<Handler> handler_;
  std::shared_ptr<const net::TlsServerContext> tls_;  // of the next connection
  std::set<std::shared_ptr<Session>> sessions_;
  boost::asio::ip::tcp::endpoint bound_;
  std::thread thread_;
};

}  // namespace tidegate::admin
