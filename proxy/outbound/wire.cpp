#include "outbound/wire.h"

namespace tidegate::outbound {

namespace asio = boost::asio;

Wire::Wire(asio::ip::tcp::socket socket) : tcp_(std::move(socket)) {}

Wire::Wire(asio::io_context& io) : tcp_(io) {}

Wire::~Wire() = default;

void Wire::async_connect(const asio::ip::tcp::endpoint& to, Done done) { tcp_.async_connect(to, std::move(done)); }

void Wire::secure(ssl_st* tls) {
  tls_.emplace(tcp_, tls);
  secured_ = true;
}

void Wire::async_handshake(Role role, Done done) { tls_->async_handshake(role, std::move(done)); }

void Wire::async_goodbye(Done done) { tls_->async_shutdown(std::move(done)); }

void Wire::read_some(asio::mutable_buffer to, Moved moved) {
  if (secured_) return tls_->async_read_some(to, std::move(moved));
  tcp_.async_read_some(to, std::move(moved));
}

void Wire::write_some(const Parts& parts, Moved moved) {
  if (secured_) return tls_->async_write_some(parts, std::move(moved));
  tcp_.async_write_some(parts, std::move(moved));
}

void Wire::shutdown_send() {
  IoError ignored;
  tcp_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
}

}  // namespace tidegate::outbound
