// PROXY headers as tests need them, version 2 put together from its parts.
#pragma once

#include <string>
#include <string_view>

#include "net/proxy_protocol.h"

namespace tidegate::net::test {

using namespace std::string_view_literals;

inline constexpr std::string_view kSignature = "\r\n\r\n\0\r\nQUIT\n"sv;

inline std::string big_endian(std::uint64_t value, int bytes) {
  std::string out;
  while (bytes-- > 0) out += static_cast<char>(value >> (8 * bytes) & 0xff);
  return out;
}

inline std::string tlv(unsigned type, std::string_view value) {
  return big_endian(type, 1) + big_endian(value.size(), 2) + std::string(value);
}

/// @param command version and command; @param family family and transport.
inline std::string v2(unsigned command, unsigned family, std::string_view block) {
  return std::string(kSignature) + big_endian(command, 1) + big_endian(family, 1) + big_endian(block.size(), 2) + std::string(block);
}

/// 192.0.2.1:56324 -> 198.51.100.7:443
inline constexpr std::string_view kFour = "\xC0\x00\x02\x01\xC6\x33\x64\x07\xDC\x04\x01\xBB"sv;

/// With a right checksum at its end.
inline std::string with_checksum(unsigned family, const std::string& block) {
  std::string header = v2(0x21, family, block + tlv(0x03, "\0\0\0\0"sv));
  return header.substr(0, header.size() - 4) + big_endian(crc32c(header), 4);
}

/// "1 client 192.0.2.1:56324 198.51.100.7:443 /45", "refused: why", "more"
inline std::string describe(const ProxyDecoded& decoded) {
  if (decoded.state == ProxyState::NeedMore) return "more";
  if (decoded.state == ProxyState::Refused) return "refused: " + std::string(decoded.reason);
  const ProxyHeader& header = decoded.header;
  std::string out = header.version == ProxyVersion::V1 ? "1 " : "2 ";
  switch (header.origin) {
    case ProxyHeader::Origin::Local: out += "local"; break;
    case ProxyHeader::Origin::Unknown: out += "unknown"; break;
    case ProxyHeader::Origin::Client: out += "client " + text(header.ends.source) + ' ' + text(header.ends.destination); break;
  }
  return out + " /" + std::to_string(decoded.consumed);
}

}  // namespace tidegate::net::test
