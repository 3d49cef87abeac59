// Active health checks of one cluster: every address of its endpoints is asked, over a connection of its own each time, so that
// what a request would meet is met: the connection, TLS with its names, the protocol.
//   http  a GET, judged by its status
//   grpc  grpc.health.v1.Health/Check (https://github.com/grpc/grpc/blob/master/doc/health-checking.md)
//   tcp   the connection alone (with TLS: and its handshake)
// What fails for want of something on this machine (descriptors, ports) says nothing about the address and is not judged.
//
// Owned by a worker; its thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "net/address.h"
#include "net/reactor.h"
#include "upstream/policy.h"
#include "upstream/pool.h"

namespace tidegate::upstream {

class Prober {
 public:
  struct Events {
    /// An address has become healthy, or is no longer. `why`: one line, empty when it is healthy.
    std::function<void(std::size_t endpoint, const net::Address&, bool healthy, const std::string& why)> on_change;
    /// A check has ended.
    std::function<void(bool passed)> on_check;
  };

  /// @param policy with `health`; outlives the prober
  Prober(net::Reactor& reactor, const ClusterPolicy& policy, Events events);
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;
  ~Prober();

  /// Those that are new are asked at once, those that are gone no more.
  void set_addresses(std::size_t endpoint, const std::vector<net::Address>& addresses);
  void set_tls(std::shared_ptr<const net::TlsClientContext> context);
  /// Ends every check.
  void stop();
  /// After stop(): every check has ended. Until then it must not be destroyed while its worker turns.
  bool is_idle() const noexcept { return running_ == 0; }
  /// What is known of addresses from before: those begin unhealthy, once. Before set_addresses().
  void begin_unhealthy(const net::Address& address) { unhealthy_.push_back(address); }

 private:
  class Probe;
  bool asks_every_endpoint() const;

  net::Reactor& reactor_;
  const ClusterPolicy& policy_;
  const Events events_;
  std::shared_ptr<const net::TlsClientContext> tls_;
  std::vector<Probe*> probes_;  // each its own coroutine's; it is retired when that has ended
  std::vector<net::Address> unhealthy_;
  std::size_t running_ = 0;  // of those that are being ended, too
  Random random_;
};

}  // namespace tidegate::upstream
