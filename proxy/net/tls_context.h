// What connections of one kind have in common: TlsServerContext for the clients of a listener, TlsClientContext for the
// endpoints of a cluster. TLS 1.2 and 1.3 with forward secrecy and authenticated encryption only; no renegotiation, no
// compression, no early data.
//
// A server's context has the certificates, picked by the name that the client asks for: the exact name, then a wildcard
// for one label, then the first certificate. Two certificates with the same names and keys of different kinds (RSA and
// ECDSA) are offered together. Session tickets are bound to the listener and to whose client certificates it takes, so
// that none opens where the client would have been refused.
//
// Made by the control side, read from every worker: immutable. A connection keeps what it was opened with, so a new context
// is for new connections.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "net/tls_certificate.h"
#include "net/tls_policy.h"
#include "net/tls_tickets.h"

struct ssl_ctx_st;
struct ssl_session_st;
struct ssl_st;
struct x509_store_st;

namespace tidegate::net {

/// Certificates of authorities, from a PEM file.
class TlsAuthorities {
 public:
  /// Reads a file: not for a worker. Empty path: the system's, read once for the process.
  /// @return nullptr with the reason in `problem`.
  static std::shared_ptr<const TlsAuthorities> load(const std::string& path, std::string& problem);
  ~TlsAuthorities();
  TlsAuthorities(const TlsAuthorities&) = delete;
  TlsAuthorities& operator=(const TlsAuthorities&) = delete;
  x509_store_st* store() const noexcept { return store_; }
  const std::string& fingerprint() const noexcept { return fingerprint_; }  ///< equal for equal files

 private:
  explicit TlsAuthorities(x509_store_st* store) noexcept : store_(store) {}
  x509_store_st* store_;
  std::string fingerprint_;
};

class TlsServerContext {
 public:
  using Certificates = std::vector<std::shared_ptr<const TlsCertificate>>;

  /// @param scope      what tickets are bound to: the listener's name
  /// @param tickets    outlives every context
  /// @param clients    nullptr: clients are not asked for a certificate
  /// @return nullptr with the reason in `problem`.
  static std::shared_ptr<const TlsServerContext> make(const TlsServerPolicy& policy, const std::string& scope,
                                                      TicketKeys& tickets, Certificates certificates,
                                                      std::shared_ptr<const TlsAuthorities> clients, std::string& problem);
  ~TlsServerContext();
  TlsServerContext(const TlsServerContext&) = delete;
  TlsServerContext& operator=(const TlsServerContext&) = delete;

  /// For one connection; the caller frees it. nullptr: no memory.
  ssl_st* open() const noexcept;
  const Certificates& certificates() const noexcept { return certificates_; }

 private:
  struct Callbacks;
  /// Certificates that are offered together.
  struct Group {
    ssl_ctx_st* context = nullptr;
    std::vector<const TlsCertificate*> members;
  };

  TlsServerContext() = default;
  bool build(const TlsServerPolicy& policy, const std::string& scope, TicketKeys& tickets, std::string& problem);
  std::string configure(ssl_ctx_st* context, const TlsServerPolicy& policy, const std::string& scope);
  const Group& group_for(std::string_view name) const;

  Certificates certificates_;
  std::shared_ptr<const TlsAuthorities> clients_;
  std::vector<unsigned char> protocols_;  // as ALPN writes them
  TicketKeys* tickets_ = nullptr;
  std::vector<std::unique_ptr<Group>> groups_;
  std::unordered_map<std::string, std::size_t> exact_;
  std::unordered_map<std::string, std::size_t> wildcard_;  // what follows "*."
};

/// The session that the next connection to the same endpoint may resume. A worker's own.
class TlsSessionSlot {
 public:
  TlsSessionSlot() noexcept = default;
  TlsSessionSlot(const TlsSessionSlot&) = delete;
  TlsSessionSlot& operator=(const TlsSessionSlot&) = delete;
  ~TlsSessionSlot() { put(nullptr); }
  /// Takes ownership of it.
  void put(ssl_session_st* session) noexcept;
  ssl_session_st* get() const noexcept { return session_; }
  /// Sessions of another context are not resumed: it may trust others, or be somebody else.
  void bind(std::uint64_t context) noexcept {
    if (std::exchange(context_, context) != context) put(nullptr);
  }

 private:
  ssl_session_st* session_ = nullptr;
  std::uint64_t context_ = 0;
};

class TlsClientContext {
 public:
  /// Reads the policy's files: not for a worker. @return nullptr, with problems that are not warnings.
  static std::shared_ptr<const TlsClientContext> load(const TlsClientPolicy& policy, std::vector<TlsProblem>& problems);
  ~TlsClientContext();
  TlsClientContext(const TlsClientContext&) = delete;
  TlsClientContext& operator=(const TlsClientContext&) = delete;

  /// For one connection to an endpoint; the caller frees it. @param host of the endpoint, a name or an IP address.
  /// nullptr: no memory.
  ssl_st* open(const std::string& host) const noexcept;
  /// The name that an endpoint has to prove.
  const std::string& wanted_name(const std::string& host) const noexcept { return policy_.sni.empty() ? host : policy_.sni; }
  std::uint64_t id() const noexcept { return id_; }  ///< no other context of the process has it
  /// Made from the same files with the same content: nothing is gained by replacing one with the other.
  bool is_like(const TlsClientContext& other) const noexcept;
  /// The client's own certificate; nullptr when there is none.
  const TlsCertificate* certificate() const noexcept { return certificate_.get(); }

 private:
  explicit TlsClientContext(const TlsClientPolicy& policy);

  const TlsClientPolicy policy_;
  const std::uint64_t id_;
  std::shared_ptr<const TlsAuthorities> authorities_;
  std::shared_ptr<const TlsCertificate> certificate_;
  ssl_ctx_st* context_ = nullptr;
};

}  // namespace tidegate::net
