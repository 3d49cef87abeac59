// Names to addresses without waiting: getaddrinfo blocks, and nothing can stop it, so each look-up has a thread of its
// own that is left behind when nobody wants its answer any more. (Asio's resolver has one thread for all names, so a
// name server that is silent would hold up every other name, and the end of the program for as long.) A thread that was left
// behind touches nothing of the client: it finds the mailbox closed. Bounded by kLookups. Literals need no look-up.
//
// Owned by its client; used, and calls back, on the thread of the io_context.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tidegate::outbound {

class Lookup {
 public:
  struct Found {
    std::vector<boost::asio::ip::address> addresses{};
    std::string why{};  ///< there are none
  };
  /// Blocks. Called on threads of its own, perhaps on several at once, perhaps after ~Lookup.
  using Ask = std::function<Found(const std::string& host)>;
  using Done = std::function<void(Found)>;

  explicit Lookup(boost::asio::io_context& io, Ask ask = system_lookup);
  ~Lookup();
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  /// `done` is called once, later; never after ~Lookup.
  void start(const std::string& host, Done done);

  static Found system_lookup(const std::string& host);

 private:
  struct Mailbox;
  const Ask ask_;
  const std::shared_ptr<Mailbox> mailbox_;
};

}  // namespace tidegate::outbound
