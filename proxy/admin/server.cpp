#include "admin/server.h"

#include <pthread.h>

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <stdexcept>
#include <utility>
#include <vector>

#include "admin/session.h"

namespace tidegate::admin {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {
/// After an accept that failed (no file descriptors): tried again, not in a tight loop.
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);
}  // namespace

Server::Server(Setup setup) : setup_(std::move(setup)), tls_(setup_.tls) {}

Server::~Server() { stop(); }

std::string Server::address() const { return authority(setup_.host, bound_.port()); }

void Server::start() {
  try {
    listen();
  } catch (const boost::system::system_error& error) {
    throw std::runtime_error(std::string(setup_.metrics_only ? "metrics" : "admin") + " address " +
                             authority(setup_.host, setup_.port) + ": " + error.code().message());
  }
  const Handler::Scope scope = setup_.metrics_only ? Handler::Scope::Metrics : Handler::Scope::Admin;
  handler_ =
      std::make_unique<Handler>(setup_.services, AccessRule(setup_.host, bound_.port(), setup_.tokens), scope,
                                [mailbox = mailbox_](std::function<void()> work) { mailbox->post(std::move(work)); });
  accept();
  work_.emplace(io_.get_executor());
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), setup_.metrics_only ? "metrics" : "admin");
    io_.run();
  });
}

void Server::listen() {
  const tcp::endpoint endpoint(asio::ip::make_address(setup_.host), setup_.port);
  if (setup_.descriptor >= 0) {
    acceptor_.assign(endpoint.protocol(), setup_.descriptor);
    bound_ = acceptor_.local_endpoint();
    return;
  }
  acceptor_.open(endpoint.protocol());
  acceptor_.set_option(tcp::acceptor::reuse_address(true));
  if (endpoint.protocol() == tcp::v6()) acceptor_.set_option(asio::ip::v6_only(true));
  acceptor_.bind(endpoint);
  acceptor_.listen();
  bound_ = acceptor_.local_endpoint();
}

void Server::accept() {
  acceptor_.async_accept([this](const boost::system::error_code& error, tcp::socket socket) {
    if (!acceptor_.is_open()) return;
    if (!error) {
      take(std::move(socket));
      return accept();
    }
    if (paused_) return;
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled && acceptor_.is_open()) accept();
    });
  });
}

void Server::pause() {
  asio::post(io_, [this] {
    paused_ = true;
    boost::system::error_code ignored;
    if (acceptor_.is_open()) acceptor_.cancel(ignored);
  });
}

void Server::resume() {
  asio::post(io_, [this] {
    if (std::exchange(paused_, false) && acceptor_.is_open()) accept();
  });
}

void Server::retire() {
  asio::post(io_, [this] {
    retired_ = true;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    for (const auto& session : sessions_) session->end_after_next();
  });
}

void Server::set_tokens(AccessRule::Tokens tokens) {
  asio::post(io_, [this, tokens = std::move(tokens)]() mutable { handler_->set_tokens(std::move(tokens)); });
}

void Server::set_tls(std::shared_ptr<const net::TlsServerContext> tls) {
  asio::post(io_, [this, tls = std::move(tls)]() mutable { tls_ = std::move(tls); });
}

void Server::take(tcp::socket socket) {
  if (sessions_.size() >= setup_.limits.connections && !make_room()) return;  // the socket closes
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  const auto session = std::make_shared<Session>(std::move(socket), tls_, *handler_, setup_.limits,
                                                 [this](const std::shared_ptr<Session>& gone) {
                                                   sessions_.erase(gone);
                                                   if (!acceptor_.is_open() && sessions_.empty()) pause_.cancel();
                                                 });
  sessions_.insert(session);
  session->start();
}

/// Ends the session that has waited longest for a request, or for a handshake: connections that do nothing must not lock out the operator
/// who comes to revert.
bool Server::make_room() {
  std::shared_ptr<Session> longest;
  for (const auto& session : sessions_) {
    if (!session->idle_since()) continue;
    if (!longest || *session->idle_since() < *longest->idle_since()) longest = session;
  }
  if (longest) longest->end();
  return longest != nullptr;
}

void Server::stop() {
  if (!thread_.joinable()) return;
  asio::post(io_, [this] { end_all(); });
  thread_.join();
  mailbox_->close();
}

void Server::end_all() {
  work_.reset();
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  pause_.cancel();
  const std::vector<std::shared_ptr<Session>> all(sessions_.begin(), sessions_.end());  // end() erases
  for (const auto& session : all) {
    if (!retired_) session->end();
  }
  if (sessions_.empty()) return;
  pause_.expires_after(setup_.limits.farewell);
  pause_.async_wait([this](const boost::system::error_code&) {  // cancelled when the last one is gone
    const std::vector<std::shared_ptr<Session>> rest(sessions_.begin(), sessions_.end());
    for (const auto& session : rest) session->abort();
  });
}

}  // namespace tidegate::admin
