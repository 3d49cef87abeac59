// What the configuration says about TLS: for a listener's clients, and for a cluster's endpoints. Plain values; who reads
// the files that they name is tls_certificate.h and tls_context.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::net {

/// Protocols that can be served to clients, by their ALPN names. Of a listener's `alpn` these are offered.
inline constexpr std::array<std::string_view, 2> kServedProtocols{"h2", "http/1.1"};

enum class TlsVersion : std::uint8_t { V12, V13 };

struct CertificateFiles {
  std::string cert;  ///< PEM: the certificate, then those between it and its authority
  std::string key;   ///< PEM, without a passphrase
  std::string ocsp;  ///< DER: a response to be stapled; empty = none
  bool operator==(const CertificateFiles&) const = default;
};

enum class ClientAuth : std::uint8_t { Require, Optional };

struct TlsServerPolicy {
  std::vector<CertificateFiles> certificates;  ///< picked by SNI; the first is for all other names
  TlsVersion min_version = TlsVersion::V12;
  std::vector<std::string> alpn{"h2", "http/1.1"};  ///< in the order of preference
  std::string client_ca;                            ///< PEM; empty = clients are not asked for a certificate
  ClientAuth client_auth = ClientAuth::Require;     ///< with client_ca
  bool operator==(const TlsServerPolicy&) const = default;
};

struct TlsClientPolicy {
  std::string sni;         ///< sent and verified; empty = the endpoint's own name
  std::string ca;          ///< PEM; empty = the system's
  bool verify = true;      ///< false: any certificate will do
  std::string cert, key;   ///< the client's own; both or none
  std::vector<std::string> alpn{"http/1.1"};  ///< offered, in the order of preference; follows from the cluster's protocol
  bool operator==(const TlsClientPolicy&) const = default;
};

/// What is wrong with a file that a policy names.
struct TlsProblem {
  enum class About : std::uint8_t { Cert, Key, Ocsp, ClientCa, Ca };
  About about = About::Cert;
  std::size_t index = 0;     ///< of certificates
  std::string message;       ///< begins with the file's name
  bool is_warning = false;   ///< it is used nevertheless
};

}  // namespace tidegate::net
