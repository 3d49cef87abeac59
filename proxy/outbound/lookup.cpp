#include "outbound/lookup.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <cctype>
#include <cstdint>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "outbound/limits.h"

namespace tidegate::outbound {

namespace asio = boost::asio;

namespace {

/// Signals belong to the threads that wait for them.
void begin_thread() {
  ::sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  ::pthread_setname_np(::pthread_self(), "lookup");
}

}  // namespace

/// Shared with the threads. What is to be called stays on this side: it may own sockets of the io_context.
struct Lookup::Mailbox : std::enable_shared_from_this<Mailbox> {
  explicit Mailbox(asio::io_context& context) : io(&context) {}

  /// On the io_context's thread.
  void deliver(std::uint64_t number, Found found) {
    const auto at = waiting.find(number);
    if (at == waiting.end()) return;
    const Done done = std::move(at->second);
    waiting.erase(at);
    done(std::move(found));
  }
  /// Any thread.
  void post(std::uint64_t number, Found found) {
    const std::lock_guard lock(mutex);
    if (io == nullptr) return;
    asio::post(*io, [self = shared_from_this(), number, found = std::move(found)]() mutable {
      self->deliver(number, std::move(found));
    });
  }
  bool begin() {
    const std::lock_guard lock(mutex);
    if (running >= kLookups) return false;
    ++running;
    return true;
  }
  void end() {
    const std::lock_guard lock(mutex);
    --running;
  }

  std::map<std::uint64_t, Done> waiting;  // the io_context's thread
  std::uint64_t last = 0;                 // the io_context's thread

  std::mutex mutex;  // guards what follows
  asio::io_context* io;
  std::size_t running = 0;
};

Lookup::Lookup(asio::io_context& io, Ask ask) : ask_(std::move(ask)), mailbox_(std::make_shared<Mailbox>(io)) {}

Lookup::~Lookup() {
  mailbox_->waiting.clear();
  const std::lock_guard lock(mailbox_->mutex);
  mailbox_->io = nullptr;
}

void Lookup::start(const std::string& host, Done done) {
  const std::uint64_t number = ++mailbox_->last;
  mailbox_->waiting.emplace(number, std::move(done));
  boost::system::error_code not_a_literal;
  const auto literal = asio::ip::make_address(host, not_a_literal);
  if (!not_a_literal) return mailbox_->post(number, Found{{literal}, {}});
  if (!mailbox_->begin()) return mailbox_->post(number, Found{{}, "too many names are being looked up"});
  try {
    std::thread([ask = ask_, mailbox = mailbox_, number, host] {
      begin_thread();
      mailbox->post(number, ask(host));
      mailbox->end();
    }).detach();
  } catch (const std::system_error& error) {
    mailbox_->end();
    mailbox_->post(number, Found{{}, error.code().message()});
  }
}

Lookup::Found Lookup::system_lookup(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  Found found;
  if (failed != 0) {
    found.why = ::gai_strerror(failed);
    return found;
  }
  for (const addrinfo* one = list; one != nullptr && found.addresses.size() < kAddresses; one = one->ai_next) {
    asio::ip::tcp::endpoint endpoint;
    if (one->ai_addrlen > endpoint.capacity()) continue;
    std::copy_n(reinterpret_cast<const char*>(one->ai_addr), one->ai_addrlen, reinterpret_cast<char*>(endpoint.data()));
    endpoint.resize(one->ai_addrlen);
    found.addresses.push_back(endpoint.address());
  }
  ::freeaddrinfo(list);
  if (found.addresses.empty()) found.why = "no address";
  return found;
}

}  // namespace tidegate::outbound
