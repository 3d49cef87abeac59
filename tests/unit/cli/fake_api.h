// A server on a free loopback port that answers as a test says: for answers that the real one gives only after minutes.
#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <istream>
#include <string>
#include <thread>

namespace tidegate::cli {

class FakeApi {
 public:
  struct Asked {
    std::string method, target, body, if_match;
  };
  struct Answer {
    unsigned status = 200;
    std::string json;
    std::string etag{};
  };

  /// @param answer is called on the server's thread, one question after the other.
  explicit FakeApi(std::function<Answer(const Asked&)> answer)
      : answer_(std::move(answer)), acceptor_(io_, {boost::asio::ip::make_address("127.0.0.1"), 0}) {
    address_ = "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeApi() {
    ending_ = true;
    boost::asio::ip::tcp::socket wake(io_);
    boost::system::error_code ignored;
    wake.connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
  }

  const std::string& address() const { return address_; }

 private:
  void serve() {
    while (true) {
      boost::system::error_code error;
      boost::asio::ip::tcp::socket socket(io_);
      acceptor_.accept(socket, error);
      if (ending_) return;
      if (!error) talk(socket);
    }
  }

  void talk(boost::asio::ip::tcp::socket& socket) const {
    boost::system::error_code error;
    boost::asio::streambuf received;
    boost::asio::read_until(socket, received, "\r\n\r\n", error);
    if (error) return;
    std::istream in(&received);
    Asked asked;
    in >> asked.method >> asked.target;
    std::size_t length = 0;
    for (std::string line; std::getline(in, line) && line != "\r";) {
      if (line.starts_with("If-Match: ")) asked.if_match = line.substr(10, line.size() - 11);
      if (line.starts_with("Content-Length: ")) length = std::stoul(line.substr(16));
    }
    if (received.size() < length) {
      boost::asio::read(socket, received, boost::asio::transfer_exactly(length - received.size()), error);
    }
    asked.body.resize(length);
    in.read(asked.body.data(), static_cast<std::streamsize>(length));
    const Answer answer = answer_(asked);
    boost::asio::write(socket,
                       boost::asio::buffer("HTTP/1.1 " + std::to_string(answer.status) + " X\r\nContent-Length: " +
                                           std::to_string(answer.json.size()) + (answer.etag.empty() ? "" : "\r\nETag: " + answer.etag) +
                                           "\r\nConnection: close\r\n\r\n" + answer.json),
                       error);
  }

  std::function<Answer(const Asked&)> answer_;
  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::string address_;
  std::atomic<bool> ending_ = false;
  std::thread thread_;
};

}  // namespace tidegate::cli
