// What the sessions of a TLS listener share on their worker: the certificates in force, the bound on handshakes, counters.
// The context is replaced by a message when files change; whoever opened a connection with the old one goes on with it.
#pragma once

#include <memory>

#include "net/handshake_rate.h"
#include "net/tls_context.h"
#include "observe/counters.h"

namespace tidegate::forward {

struct ListenerTls {
  ListenerTls(net::Reactor& reactor, double handshakes_a_second, std::shared_ptr<observe::TlsCounters> to,
              std::shared_ptr<const net::TlsServerContext> first)
      : context(std::move(first)), rate(reactor, handshakes_a_second), counters(std::move(to)) {}

  /// For the handshakes from now on.
  void change(double handshakes_a_second, std::shared_ptr<observe::TlsCounters> to, std::shared_ptr<const net::TlsServerContext> next) {
    context = std::move(next);
    rate.change(handshakes_a_second);
    counters = std::move(to);
  }

  std::shared_ptr<const net::TlsServerContext> context;
  net::HandshakeRate rate;
  std::shared_ptr<observe::TlsCounters> counters;
};

}  // namespace tidegate::forward
