// What a TLS handshake came to, in one vocabulary for metrics and logs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tidegate::net {

enum class TlsResult : std::uint8_t {
  Ok,
  Limited,           ///< over limits.tls_handshakes, and its turn would have come too late
  Timeout,
  Closed,            ///< the peer left before the end
  Plain,             ///< the peer does not speak TLS
  Version,           ///< no version in common
  Parameters,        ///< no cipher suite, group, signature algorithm or application protocol in common
  NoCertificate,     ///< the peer was to show a certificate and has none
  BadCertificate,    ///< the peer's certificate is not trusted, expired, or for another name
  Refused,           ///< the peer sent an alert: it does not like ours
  Protocol,          ///< anything else
  Canceled,
};
inline constexpr std::size_t kTlsResultCount = 12;

/// Of a server's handshake that failed with an error of OpenSSL (ERR_get_error). Neither Closed nor Timeout: that is the socket's.
TlsResult result_of_tls_error(unsigned long error) noexcept;

constexpr std::string_view name(TlsResult result) noexcept {
  constexpr std::array<std::string_view, kTlsResultCount> names{
      "ok",         "limited",        "timeout",         "closed",  "plain",    "version",
      "parameters", "no_certificate", "bad_certificate", "refused", "protocol", "canceled"};
  return names[static_cast<std::size_t>(result)];
}

}  // namespace tidegate::net
