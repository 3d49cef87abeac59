// The PROXY protocol, versions 1 (a line of text) and 2 (binary): what a proxy says at the start of a connection about the
// client that it speaks for. Bytes <-> addresses, without I/O: who may be believed is decided where connections are accepted
// (forward/session.cpp), how the bytes are read is in proxy_receive.h.
//
// decode() is given all bytes since the connection began and never guesses: what is not exactly a header is refused, as
// early as it shows. Its answer does not depend on how the bytes arrived. While it needs more, every byte that it was given
// is the header's, so a reader that takes them away takes nothing of what comes behind.
//
// Source: HAProxy's doc/proxy-protocol.txt (2020/03/05). Of the TLVs only the checksum means something here; the others
// are checked for their bounds and skipped.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "net/address.h"

namespace tidegate::net {

enum class ProxyVersion : std::uint8_t { V1 = 1, V2 = 2 };

/// The two ends of the connection that a client made.
struct ProxyEnds {
  Address source;
  Address destination;
};

struct ProxyHeader {
  /// On whose behalf the connection is.
  enum class Origin : std::uint8_t {
    Client,   ///< `ends` are the client's
    Unknown,  ///< a client that the sender cannot name (v1 UNKNOWN, v2 UNSPEC or datagrams): the connection's own ends hold
    Local,    ///< the sender's own, such as a health check (v2 LOCAL): the connection's own ends hold
  };
  ProxyVersion version = ProxyVersion::V1;
  Origin origin = Origin::Unknown;
  ProxyEnds ends;
};

enum class ProxyState : std::uint8_t { NeedMore, Done, Refused };

struct ProxyDecoded {
  ProxyState state = ProxyState::NeedMore;
  ProxyHeader header{};
  std::size_t consumed = 0;   ///< Done: the header's bytes
  std::string_view reason{};  ///< Refused: why, for the log
};

inline constexpr std::size_t kMostProxyV1Bytes = 107;       ///< with its CRLF; the document's own bound
inline constexpr std::size_t kProxyV2FixedBytes = 16;
inline constexpr std::size_t kMostProxyV2Block = 1024;      ///< of addresses and TLVs; senders keep the whole below 536
inline constexpr std::size_t kMostProxyBytes = kProxyV2FixedBytes + kMostProxyV2Block;  ///< that decode() ever asks for

/// Why a connection that has to begin with a header was closed.
enum class ProxyRefusal : std::uint8_t {
  None,
  Untrusted,   ///< the peer is nobody whose header would be believed
  Malformed,   ///< what came is no header
  Timeout,     ///< it was not complete in time
  Incomplete,  ///< the connection ended in the middle of it
  Ended,       ///< the connection ended before a byte of it, as a port check does; or it was cancelled
};
inline constexpr std::size_t kProxyRefusalCount = 6;

/// As metrics call it.
constexpr std::string_view name(ProxyRefusal refusal) noexcept {
  constexpr std::array<std::string_view, kProxyRefusalCount> names{"none",    "untrusted",  "malformed",
                                                                   "timeout", "incomplete", "ended"};
  return names[static_cast<std::size_t>(refusal)];
}

ProxyDecoded decode_proxy_header(std::string_view bytes) noexcept;

/// @param client nullptr: the connection is Tidegate's own, which is LOCAL in version 2 and UNKNOWN in version 1.
/// Ends of different families are written as IPv6; what is not IP is UNKNOWN in version 1.
std::string encode_proxy_header(ProxyVersion version, const ProxyEnds* client);

/// CRC32c (RFC 4960 appendix B) of what goes on from `seed`, which is 0 at the beginning.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0) noexcept;

}  // namespace tidegate::net
