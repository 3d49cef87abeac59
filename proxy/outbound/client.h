// A small asynchronous HTTP/1.1 client for Tidegate's own questions: checks, webhooks, notifications. One request, one
// connection, one deadline over everything. By Beast, which is not fit for the edge; this is not the edge. It does not
// follow redirects, keep connections, retry or judge: who asks does.
//
// Owned by a thread that runs the io_context; everything here is called on that thread (or while nobody runs it). The
// client must go before the io_context.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <set>

#include "outbound/lookup.h"
#include "outbound/message.h"

namespace tidegate::outbound {

class Conversation;

class Client {
 public:
  /// Must not throw. May ask again, stop the client, or end it.
  using Done = std::function<void(Result)>;

  explicit Client(boost::asio::io_context& io, Lookup::Ask lookup = Lookup::system_lookup);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// `done` is called exactly once, never inside ask(); and not at all if stop() comes first.
  void ask(Request request, Done done);
  /// Closes every connection; nobody is called back any more. What is asked after it is dropped.
  void stop();

  std::size_t in_flight() const noexcept { return conversations_.size(); }

 private:
  boost::asio::io_context& io_;
  std::unique_ptr<Lookup> lookup_;
  std::set<std::shared_ptr<Conversation>> conversations_;
};

}  // namespace tidegate::outbound
