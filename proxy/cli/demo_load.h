// The demo's clients: a steady number of requests a second through a few keep-alive connections, and what came back. It
// reconnects when a connection ends. A thread of its own; the counters may be read from any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "net/address.h"
#include "net/reactor.h"

namespace tidegate::cli {

class DemoLoad {
 public:
  static constexpr unsigned kClients = 20;
  static constexpr unsigned kPerSecond = 200;

  explicit DemoLoad(const net::Address& proxy);
  DemoLoad(const DemoLoad&) = delete;
  DemoLoad& operator=(const DemoLoad&) = delete;
  ~DemoLoad();

  std::uint64_t answers() const noexcept { return answers_.load(); }
  /// Answers of 500 and more, and requests that got none.
  std::uint64_t errors() const noexcept { return errors_.load(); }

 private:
  class Client;
  const net::Address proxy_;
  net::Reactor reactor_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::atomic<std::uint64_t> answers_{0};
  std::atomic<std::uint64_t> errors_{0};
  std::thread thread_;
};

}  // namespace tidegate::cli
