// A small cluster for the demo: an HTTP/1.1 server on a free loopback port, with a knob for its faults. Built from the
// proxy's own reactor and codec. A thread of its own; the knobs and counters may be used from any.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "base/intrusive_list.h"
#include "net/listener.h"
#include "net/reactor.h"

namespace tidegate::cli {

class DemoOrigin {
 public:
  /// @param answer the body of every answer. @throws std::system_error when no port is free.
  explicit DemoOrigin(std::string answer);
  DemoOrigin(const DemoOrigin&) = delete;
  DemoOrigin& operator=(const DemoOrigin&) = delete;
  ~DemoOrigin();

  const std::string& address() const noexcept { return address_; }
  /// From now on this share of the requests is answered with 503, evenly spread.
  void fail_percent(unsigned percent) noexcept { fail_percent_.store(percent); }
  std::uint64_t requests() const noexcept { return requests_.load(); }
  std::uint64_t failures() const noexcept { return failures_.load(); }

 private:
  class Visitor;
  bool next_fails() noexcept;

  const std::string answer_;
  std::string address_;
  net::Reactor reactor_;
  net::Listener listener_;
  List<Visitor> visitors_;
  std::atomic<unsigned> fail_percent_{0};
  std::atomic<std::uint64_t> requests_{0};
  std::atomic<std::uint64_t> failures_{0};
  std::thread thread_;
};

}  // namespace tidegate::cli
