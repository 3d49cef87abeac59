// The bytes of one connection of the admin API, plain or over TLS, as one stream for Beast and Asio: so that what reads and
// writes HTTP is compiled once, and does not know which of them it is. Who accepts says which; a connection that was to be
// TLS and is not can go on plain (give_up_tls), to be told so.
//
// Deadlines are the socket's and hold below TLS, for as many reads and writes as an operation takes. Owned by its session;
// used on the server's thread only.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "net/tls_context.h"

namespace tidegate::admin {

class Wire {
 public:
  using executor_type = boost::beast::tcp_stream::executor_type;

  /// @param tls nullptr: plain
  Wire(boost::asio::ip::tcp::socket socket, std::shared_ptr<const net::TlsServerContext> tls)
      : tcp_(std::move(socket)), context_(std::move(tls)) {
    if (context_ == nullptr) return;
    ssl_st* const opened = context_->open();  // the stream frees it
    if (opened != nullptr) tls_.emplace(tcp_, opened);
    secured_ = tls_.has_value();
  }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  /// False: TLS was wanted, and there is no memory for it.
  bool is_usable() const noexcept { return context_ == nullptr || tls_.has_value(); }
  bool is_tls() const noexcept { return secured_; }
  /// What comes and goes from now on is as it is on the socket.
  void give_up_tls() noexcept { secured_ = false; }

  executor_type get_executor() noexcept { return tcp_.get_executor(); }
  void expires_after(Duration most) { tcp_.expires_after(most); }
  void expires_never() { tcp_.expires_never(); }

  template <class Handler>
  void async_handshake(Handler handler) {
    tls_->async_handshake(boost::asio::ssl::stream_base::server, std::move(handler));
  }
  /// Says goodbye, and waits for the other's.
  template <class Handler>
  void async_goodbye(Handler handler) {
    tls_->async_shutdown(std::move(handler));
  }
  template <class Buffers, class Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    if (secured_) return tls_->async_read_some(buffers, std::forward<Handler>(handler));
    tcp_.async_read_some(buffers, std::forward<Handler>(handler));
  }
  template <class Buffers, class Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    if (secured_) return tls_->async_write_some(buffers, std::forward<Handler>(handler));
    tcp_.async_write_some(buffers, std::forward<Handler>(handler));
  }

  void shutdown_send() {
    boost::system::error_code ignored;
    tcp_.socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
  }
  void close() { tcp_.close(); }

 private:
  boost::beast::tcp_stream tcp_;
  std::shared_ptr<const net::TlsServerContext> context_;  // outlives tls_
  std::optional<boost::asio::ssl::stream<boost::beast::tcp_stream&>> tls_;
  bool secured_ = false;
};

}  // namespace tidegate::admin
