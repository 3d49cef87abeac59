// An HTTP server for tests that says exactly what it is told to, byte by byte, or nothing: on a thread of its own, at any
// free port of this machine, with TLS where it is given an identity.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace tidegate::outbound::test {

namespace asio = boost::asio;
using asio::ip::tcp;

inline constexpr std::chrono::seconds kLong{20};

struct Seen {
  std::string head;
  std::string body;

  std::string first_line() const { return head.substr(0, head.find("\r\n")); }
  bool has(const std::string& line) const { return head.find("\r\n" + line + "\r\n") != std::string::npos; }
};

struct Reply {
  enum class Then { Close, Hang, Reset };
  std::string bytes{};
  Then then = Then::Close;
};

inline Reply hang() { return {{}, Reply::Then::Hang}; }
inline Reply reset() { return {{}, Reply::Then::Reset}; }
inline Reply answer(unsigned status, const std::string& body, const std::string& type = "application/json") {
  return {"HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: " + type +
          "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body};
}
inline Reply redirect(const std::string& to) {
  return {"HTTP/1.1 302 Found\r\nLocation: " + to + "\r\nContent-Length: 0\r\n\r\n"};
}

class Server {
 public:
  /// On the server's thread, once a request.
  using Script = std::function<Reply(const Seen&)>;

  explicit Server(Script script, std::shared_ptr<asio::ssl::context> tls = nullptr)
      : script_(std::move(script)), tls_(std::move(tls)), acceptor_(io_, {asio::ip::address_v4::loopback(), 0}) {
    accept();
    thread_ = std::thread([this] { io_.run(); });
  }
  /// Says one thing after the other; the last one for ever.
  static Script in_turn(std::vector<Reply> replies) {
    auto next = std::make_shared<std::size_t>(0);
    return [replies = std::move(replies), next](const Seen&) {
      return replies[std::min((*next)++, replies.size() - 1)];
    };
  }
  static Script always(Reply reply) { return in_turn({std::move(reply)}); }
  ~Server() {
    io_.stop();
    thread_.join();
  }

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  std::string endpoint() const { return "127.0.0.1:" + std::to_string(port()); }
  std::string url(const std::string& target = "/") const {
    return (tls_ ? "https://" : "http://") + endpoint() + target;
  }

  std::vector<Seen> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kLong, [&] { return seen_.size() >= count; })) << "saw " << seen_.size();
    return seen_;
  }
  std::vector<Seen> seen() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  template <class Stream>
  struct Connection {
    template <class... Arguments>
    explicit Connection(Arguments&&... arguments) : stream(std::forward<Arguments>(arguments)...) {}
    Stream stream;
    std::string bytes;
    Seen seen;
    Reply reply;
  };
  using Plain = Connection<tcp::socket>;
  using Tls = Connection<asio::ssl::stream<tcp::socket>>;
  using IoError = boost::system::error_code;

  void accept() {
    acceptor_.async_accept([this](const IoError& error, tcp::socket socket) {
      if (error) return;
      accept();
      if (!tls_) return read(std::make_shared<Plain>(std::move(socket)));
      auto one = std::make_shared<Tls>(std::move(socket), *tls_);
      one->stream.async_handshake(asio::ssl::stream_base::server, [this, one](const IoError& failed) {
        if (!failed) read(one);
      });
    });
  }
  template <class One>
  void read(const std::shared_ptr<One>& one) {
    asio::async_read_until(one->stream, asio::dynamic_buffer(one->bytes), "\r\n\r\n",
                           [this, one](const IoError& error, std::size_t head) {
                             if (!error) read_body(one, head);
                           });
  }
  template <class One>
  void read_body(const std::shared_ptr<One>& one, std::size_t head) {
    one->seen.head = one->bytes.substr(0, head - 2);
    const auto length = one->seen.head.find("Content-Length: ");
    const std::size_t body = length == std::string::npos ? 0 : std::stoul(one->seen.head.substr(length + 16));
    const std::size_t missing = head + body > one->bytes.size() ? head + body - one->bytes.size() : 0;
    asio::async_read(one->stream, asio::dynamic_buffer(one->bytes), asio::transfer_exactly(missing),
                     [this, one, head](const IoError& error, std::size_t) {
                       if (error) return;
                       one->seen.body = one->bytes.substr(head);
                       reply(one);
                     });
  }
  template <class One>
  void reply(const std::shared_ptr<One>& one) {
    one->reply = script_(one->seen);
    {
      const std::lock_guard lock(mutex_);
      seen_.push_back(one->seen);
    }
    changed_.notify_all();
    asio::async_write(one->stream, asio::buffer(one->reply.bytes),
                      [this, one](const IoError&, std::size_t) { end(one); });
  }
  template <class One>
  void end(const std::shared_ptr<One>& one) {
    auto& socket = one->stream.lowest_layer();
    IoError ignored;
    switch (one->reply.then) {
      case Reply::Then::Hang: hanging_.push_back(one); break;
      case Reply::Then::Reset:
        socket.set_option(asio::socket_base::linger(true, 0), ignored);
        socket.close(ignored);  // a destructor would take the option back
        break;
      case Reply::Then::Close: socket.shutdown(tcp::socket::shutdown_send, ignored); break;
    }
  }

  Script script_;
  std::shared_ptr<asio::ssl::context> tls_;
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  std::vector<std::shared_ptr<void>> hanging_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Seen> seen_;
  std::thread thread_;
};

/// A port of this machine that nobody listens on; held until the end, so that nobody begins to.
class DeadPort {
 public:
  DeadPort() : socket_(io_, tcp::v4()) { socket_.bind({asio::ip::address_v4::loopback(), 0}); }
  std::uint16_t port() const { return socket_.local_endpoint().port(); }
  std::string endpoint() const { return "127.0.0.1:" + std::to_string(port()); }
  std::string url(const std::string& target = "/") const { return "http://" + endpoint() + target; }

 private:
  asio::io_context io_;
  tcp::socket socket_;
};

}  // namespace tidegate::outbound::test
