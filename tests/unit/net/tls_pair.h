// What the tests of TLS share: certificates, contexts, and two streams that speak it with each other over real sockets; on
// demand through a relay that passes a byte at a time, or cuts the connection after so many.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "net/loop.h"
#include "net/tls_context.h"
#include "net/tls_layer.h"
#include "outbound/certificates.h"

namespace tidegate::net::test {

using outbound::test::Authority;
using outbound::test::Identity;

struct Pki {
  Authority authority;
  Identity server = authority.issue("DNS:api.example.com,IP:127.0.0.1");
  TicketKeys tickets;

  std::shared_ptr<const TlsServerContext> server_context(TlsServerPolicy policy = {}, const Identity* identity = nullptr) {
    const Identity& used = identity != nullptr ? *identity : server;
    if (policy.certificates.empty()) policy.certificates.push_back({used.cert, used.key, {}});
    TlsServerContext::Certificates certificates;
    for (const CertificateFiles& files : policy.certificates) certificates.push_back(TlsCertificate::load(files).certificate);
    std::string problem;
    auto authorities = policy.client_ca.empty() ? nullptr : TlsAuthorities::load(policy.client_ca, problem);
    auto made = TlsServerContext::make(policy, "listener", tickets, std::move(certificates), std::move(authorities), problem);
    EXPECT_NE(made, nullptr) << problem;
    return made;
  }
  std::shared_ptr<const TlsClientContext> client_context(TlsClientPolicy policy = {}) {
    if (policy.ca.empty()) policy.ca = authority.ca();
    if (policy.sni.empty()) policy.sni = "api.example.com";
    std::vector<TlsProblem> problems;
    auto made = TlsClientContext::load(policy, problems);
    EXPECT_NE(made, nullptr) << (problems.empty() ? "" : problems.front().message);
    return made;
  }
};

/// One authority for the whole program: keys take time.
inline Pki& pki() {
  static Pki made;
  return made;
}

/// Ends when the task has waited for it and the other for theirs: both handshakes.
struct TlsPair {
  explicit TlsPair(Loop& on) : loop(on), client(on.reactor), server(on.reactor) {
    const auto [left, right] = tcp_pair();
    EXPECT_TRUE(client.adopt(left));
    EXPECT_TRUE(server.adopt(right));
  }
  TlsPair(Loop& on, std::pair<int, int> sockets) : loop(on), client(on.reactor), server(on.reactor) {
    EXPECT_TRUE(client.adopt(sockets.first));
    EXPECT_TRUE(server.adopt(sockets.second));
  }

  void secure(std::shared_ptr<const TlsServerContext> server_context = pki().server_context(),
              std::shared_ptr<const TlsClientContext> client_context = pki().client_context(), TlsSessionSlot* slot = nullptr) {
    server.secure_with(TlsLayer::accept(loop.reactor.blocks(), std::move(server_context)));
    client.secure_with(TlsLayer::connect(loop.reactor.blocks(), std::move(client_context), "127.0.0.1", slot));
  }
  static Task<> handshake(Stream& stream, Duration timeout, IoStatus& status) { status = co_await stream.handshake(timeout); }
  /// Both sides at once.
  void shake_hands() {
    std::vector<Task<>> tasks;
    tasks.push_back(handshake(client, kLong, client_status));
    tasks.push_back(handshake(server, kLong, server_status));
    loop.run(std::move(tasks));
  }
  bool established() const { return client_status == IoStatus::Ok && server_status == IoStatus::Ok; }

  Loop& loop;
  Stream client;
  Stream server;
  IoStatus client_status = IoStatus::Canceled;
  IoStatus server_status = IoStatus::Canceled;
};

inline Task<> send_text(Stream& stream, std::string text, IoStatus& status) {
  const iovec part{text.data(), text.size()};
  const IoResult result = co_await stream.send({&part, 1}, kLong);
  status = result.status;
}

/// Reads until `size` bytes are there, or to the end when it is 0; in pieces of at most `piece`.
inline Task<> read_text(Stream& stream, std::size_t size, std::size_t piece, std::string& to, IoStatus& end) {
  std::vector<char> space(piece);
  end = IoStatus::Ok;
  while (size == 0 || to.size() < size) {
    const IoResult result = co_await stream.read(space.data(), space.size(), kLong);
    end = result.status;
    if (result.status != IoStatus::Ok) co_return;
    to.append(space.data(), result.bytes);
  }
}

}  // namespace tidegate::net::test
