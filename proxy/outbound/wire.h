// The bytes of one connection beside the requests' way, plain or over TLS, as one stream for Beast and Asio: a client's of the
// admin API, or a call's of Tidegate itself. What reads and writes HTTP does not know which of them it is, and is compiled once;
// what is below it is compiled here, once for all of them, which is why what is to be done in the end is a std::function.
//
// A connection that was to be TLS and is not can go on plain (give_up_tls), to be told so. Deadlines are the socket's and hold
// below TLS, for as many reads and writes as an operation takes. Owned by a session or a conversation; used on its thread only.
#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "base/clock.h"

namespace tidegate::outbound {

class Wire {
 public:
  using executor_type = boost::beast::tcp_stream::executor_type;
  using IoError = boost::system::error_code;
  using Done = std::function<void(const IoError&)>;
  using Moved = std::function<void(const IoError&, std::size_t)>;
  using Role = boost::asio::ssl::stream_base::handshake_type;

  explicit Wire(boost::asio::ip::tcp::socket socket);
  explicit Wire(boost::asio::io_context& io);
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire();

  executor_type get_executor() noexcept { return tcp_.get_executor(); }
  void expires_after(Duration most) { tcp_.expires_after(most); }
  void expires_never() { tcp_.expires_never(); }
  void async_connect(const boost::asio::ip::tcp::endpoint& to, Done done);

  /// What comes and goes from now on is TLS's. @param tls of a context that outlives the wire; freed by it
  void secure(ssl_st* tls);
  bool is_tls() const noexcept { return secured_; }
  ssl_st* tls() noexcept { return tls_->native_handle(); }
  /// What comes and goes from now on is as it is on the socket.
  void give_up_tls() noexcept { secured_ = false; }
  void async_handshake(Role role, Done done);
  /// Says goodbye, and waits for the other's.
  void async_goodbye(Done done);

  /// As Asio's AsyncReadStream and AsyncWriteStream want them.
  template <class Buffers, class Handler>
  void async_read_some(const Buffers& buffers, Handler handler) {
    boost::asio::mutable_buffer first;
    for (auto one = boost::asio::buffer_sequence_begin(buffers); one != boost::asio::buffer_sequence_end(buffers); ++one) {
      first = *one;
      if (first.size() > 0) break;
    }
    read_some(first, erased(std::move(handler)));
  }
  template <class Buffers, class Handler>
  void async_write_some(const Buffers& buffers, Handler handler) {
    Parts parts;
    for (auto one = boost::asio::buffer_sequence_begin(buffers); one != boost::asio::buffer_sequence_end(buffers); ++one) {
      if (!parts.add(*one)) break;
    }
    write_some(parts, erased(std::move(handler)));
  }

  void shutdown_send();
  void close() { tcp_.close(); }

 private:
  /// Buffers of any sequence: the first of them, which is enough for one send.
  class Parts {
   public:
    bool add(boost::asio::const_buffer one) noexcept {
      if (count_ == parts_.size()) return false;
      if (one.size() > 0) parts_[count_++] = one;
      return true;
    }
    const boost::asio::const_buffer* begin() const noexcept { return parts_.data(); }
    const boost::asio::const_buffer* end() const noexcept { return parts_.data() + count_; }

   private:
    std::array<boost::asio::const_buffer, 32> parts_;
    std::size_t count_ = 0;
  };

  /// Handlers can be moved only, functions want to be copied.
  template <class Handler>
  static Moved erased(Handler handler) {
    return [kept = std::make_shared<Handler>(std::move(handler))](const IoError& error, std::size_t bytes) {
      Handler last = std::move(*kept);  // what it holds is free for the next operation
      last(error, bytes);
    };
  }
  void read_some(boost::asio::mutable_buffer to, Moved moved);
  void write_some(const Parts& parts, Moved moved);

  boost::beast::tcp_stream tcp_;
  std::optional<boost::asio::ssl::stream<boost::beast::tcp_stream&>> tls_;
  bool secured_ = false;
};

}  // namespace tidegate::outbound
