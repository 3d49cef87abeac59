// A real forward::Worker on a thread of its own, between scripted origins and a client that both use blocking sockets:
// what the budget tests measure is the path of a request in the program, without its process.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "counting.h"
#include "forward/worker.h"
#include "gate/counters.h"
#include "http/h1_body.h"
#include "http/h1_head.h"
#include "net/listener.h"
#include "observe/access_log.h"
#include "observe/counters.h"
#include "route/snapshot.h"

namespace tidegate::budget {

inline net::Address bound_address(int descriptor) {
  net::Address address;
  address.length = sizeof address.storage;
  ::getsockname(descriptor, address.get(), &address.length);
  return address;
}

/// Blocking reads of whole messages from a socket, in either direction.
class Wire {
 public:
  explicit Wire(int descriptor) : descriptor_(descriptor) {}
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire() { ::close(descriptor_); }

  int descriptor() const noexcept { return descriptor_; }
  bool send(std::string_view bytes) const {
    return ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }

  /// The next message, as its head and the length of its body; false when the connection ended first.
  template <class Decoder, class Head>
  bool read(Decoder& decoder, Head& head, std::uint64_t& body_bytes) {
    while (decoder.feed(received_, head) != http::HeadState::Done) {
      if (!more()) return false;
    }
    received_.erase(0, decoder.consumed());
    http::BodyDecoder body;
    body.start(head.framing, head.content_length);
    body_bytes = 0;
    for (;;) {
      const http::BodyStep step = body.next(received_);
      body_bytes += step.data.size();
      received_.erase(0, step.consumed);
      if (step.event == http::BodyEvent::End) return true;
      if (step.event == http::BodyEvent::Refused) return false;
      if (step.event == http::BodyEvent::NeedMore && !more()) return false;
    }
  }

 private:
  bool more() {
    char part[65536];
    const ssize_t n = ::recv(descriptor_, part, sizeof part, 0);
    if (n <= 0) return false;
    received_.append(part, static_cast<std::size_t>(n));
    return true;
  }
  const int descriptor_;
  std::string received_;
};

/// Answers every request with the same bytes. One thread a connection.
class Origin {
 public:
  explicit Origin(std::string answer) : answer_(std::move(answer)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto any = net::make_address("127.0.0.1", 0);
    EXPECT_EQ(::bind(listener_, any->get(), any->length), 0);
    EXPECT_EQ(::listen(listener_, 64), 0);
    address_ = bound_address(listener_);
    accepting_ = std::thread([this] { accept(); });
  }
  ~Origin() {
    ::shutdown(listener_, SHUT_RDWR);
    accepting_.join();
    for (const auto& wire : wires_) ::shutdown(wire->descriptor(), SHUT_RDWR);
    for (std::thread& thread : serving_) thread.join();
    ::close(listener_);
  }
  const net::Address& address() const noexcept { return address_; }

 private:
  void accept() {
    for (;;) {
      const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (descriptor < 0) return;
      wires_.push_back(std::make_unique<Wire>(descriptor));
      serving_.emplace_back([this, &wire = *wires_.back()] { serve(wire); });
    }
  }
  void serve(Wire& wire) const {
    for (;;) {
      http::RequestHeadDecoder decoder({});
      decoder.reset();
      const auto head = std::make_unique<http::RequestHead>();
      std::uint64_t body = 0;
      if (!wire.read(decoder, *head, body) || !wire.send(answer_)) return;
    }
  }

  const std::string answer_;
  int listener_ = -1;
  net::Address address_;
  std::vector<std::unique_ptr<Wire>> wires_;
  std::vector<std::thread> serving_;
  std::thread accepting_;
};

struct ProxySetup {
  int weight = 10;            ///< percent to new
  bool mirror = false;        ///< a copy of every request of any method to new
  bool access_log = false;    ///< to /dev/null
};

/// One worker with one route; the parts are made as the composition root makes them (app.cpp).
class Proxy {
 public:
  Proxy(const ProxySetup& setup, const Origin& old_side, const Origin& new_side) {
    policies_.resize(2);
    for (std::size_t i = 0; i < policies_.size(); ++i) {
      const net::Address& address = (i == 0 ? old_side : new_side).address();
      policies_[i].name = i == 0 ? "old" : "new";
      policies_[i].endpoints.push_back({net::host_text(address), net::port_of(address), net::text(address)});
    }
    std::vector<route::Route> routes(1);
    routes[0].policy.name = "all";
    routes[0].policy.timeout = std::chrono::seconds(60);
    routes[0].clusters = {{0, 1}};
    if (setup.mirror) {
      routes[0].policy.mirror.emplace();
      routes[0].policy.mirror->methods = {"GET", "HEAD", "POST"};
    }
    snapshot_ = std::make_unique<route::Snapshot>(std::move(routes));
    route::LiveRoute& live = *snapshot_->routes()[0].live;
    live.publish({*Weight::from_percent(setup.weight), 1, 1});
    live.publish_mirror(Weight::whole());
    counters_ = std::make_unique<observe::WorkerCounters>();
    configured_.routes.add(std::make_shared<observe::RouteCounters>());
    for (std::size_t i = 0; i < policies_.size(); ++i) configured_.clusters.add(std::make_shared<observe::ClusterCounters>());
    ledger_ = std::make_unique<gate::Ledger>();
    if (setup.access_log) {
      observe::AccessLog::Setup log;
      log.path = "/dev/null";
      log.dropped = {&counters_->access_log_dropped};
      log_ = std::make_unique<observe::AccessLog>(std::move(log));
    }
    start(old_side, new_side);
  }

  ~Proxy() {
    worker_->stop();
    worker_->join();
  }

  /// A new connection to the proxy.
  std::unique_ptr<Wire> connect() const {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(descriptor, address_.get(), address_.length), 0);
    return std::make_unique<Wire>(descriptor);
  }

  /// From now on, and until the next call, the worker's thread counts into `counts`; nullptr: it does not. Told by a timer
  /// that looks: a message would take locks, which would be counted.
  void count(Counts* counts) {
    wanted_.store(counts);
    while (counting_.load() != counts) std::this_thread::yield();
  }

  const observe::RouteCounters& counters() const noexcept { return configured_.routes[0]; }

 private:
  static void look(void* self) {
    auto* proxy = static_cast<Proxy*>(self);
    Counts* const wanted = proxy->wanted_.load();
    if (wanted != proxy->counting_.load()) count_this_thread(wanted);
    proxy->counting_.store(wanted);
    proxy->worker_->reactor.arm(proxy->look_, net::TimerWheel::kTick);
  }

  void start(const Origin& old_side, const Origin& new_side) {
    const int listener = net::Listener::open(*net::make_address("127.0.0.1", 0));
    address_ = bound_address(listener);
    forward::WorkerSetup setup;
    setup.counters = counters_.get();
    setup.serving.snapshot = snapshot_.get();
    setup.serving.clusters = &policies_;
    setup.serving.clusters_since.assign(policies_.size(), 1);
    setup.serving.counters = &configured_;
    setup.serving.errors.resize(1);
    setup.serving.slow_over.resize(1);
    setup.serving.ledgers = {ledger_.get()};
    if (log_) setup.access_log = log_->sink(0);
    setup.listeners.push_back({{}, 64, {listener}});
    worker_ = std::make_unique<forward::Worker>(std::move(setup));
    worker_->post([this, from = old_side.address(), to = new_side.address()](forward::Worker& worker) {
      worker.set_addresses(0, 0, {from});
      worker.set_addresses(1, 0, {to});
      look(this);
    });
    worker_->start();
  }

  std::vector<upstream::ClusterPolicy> policies_;
  std::unique_ptr<route::Snapshot> snapshot_;
  std::unique_ptr<observe::WorkerCounters> counters_;
  observe::ConfiguredCounters configured_;
  std::unique_ptr<gate::Ledger> ledger_;
  std::unique_ptr<observe::AccessLog> log_;
  std::unique_ptr<forward::Worker> worker_;
  net::Address address_;
  std::atomic<Counts*> wanted_{nullptr};
  std::atomic<Counts*> counting_{nullptr};
  net::Timer look_{&Proxy::look, this};
};

}  // namespace tidegate::budget
