#include "net/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace tidegate::net {

namespace {

constexpr std::array<unsigned char, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// Every address as 16 bytes, IPv4 mapped into IPv6, so that ranges and dual-stack sockets compare alike.
bool as_mapped(const Address& address, unsigned char (&out)[16]) noexcept {
  if (address.get()->sa_family == AF_INET) {
    std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), out);
    std::memcpy(out + 12, &reinterpret_cast<const sockaddr_in*>(address.get())->sin_addr, 4);
    return true;
  }
  if (address.get()->sa_family != AF_INET6) return false;
  std::memcpy(out, &reinterpret_cast<const sockaddr_in6*>(address.get())->sin6_addr, 16);
  return true;
}

/// Each new connection needs it; inet_ntop() goes through printf.
std::string dotted(const unsigned char* four) {
  std::array<char, 16> out;
  char* at = out.data();
  for (int i = 0; i < 4; ++i) {
    if (i > 0) *at++ = '.';
    at = std::to_chars(at, out.data() + out.size(), four[i]).ptr;
  }
  return {out.data(), at};
}

}  // namespace

std::optional<Address> make_address(const std::string& host, std::uint16_t port) noexcept {
  Address out;
  auto* four = reinterpret_cast<sockaddr_in*>(out.get());
  if (::inet_pton(AF_INET, host.c_str(), &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    out.length = sizeof(sockaddr_in);
    return out;
  }
  auto* six = reinterpret_cast<sockaddr_in6*>(out.get());
  if (::inet_pton(AF_INET6, host.c_str(), &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    out.length = sizeof(sockaddr_in6);
    return out;
  }
  return std::nullopt;
}

std::uint16_t port_of(const Address& address) noexcept {
  if (address.get()->sa_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(address.get())->sin_port);
  return ntohs(reinterpret_cast<const sockaddr_in6*>(address.get())->sin6_port);
}

std::string host_text(const Address& address) {
  unsigned char mapped[16];
  if (!as_mapped(address, mapped)) return {};
  char out[INET6_ADDRSTRLEN];
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), mapped)) return dotted(mapped + 12);
  return ::inet_ntop(AF_INET6, mapped, out, sizeof out);
}

std::string text(const Address& address) {
  const std::string host = host_text(address);
  const std::string port = std::to_string(port_of(address));
  return host.find(':') == std::string::npos ? host + ":" + port : "[" + host + "]:" + port;
}

std::optional<AddressRange> AddressRange::make(const std::string& text, unsigned prefix_bits) noexcept {
  const std::optional<Address> address = make_address(text, 0);
  if (!address) return std::nullopt;
  const bool four = address->get()->sa_family == AF_INET;
  if (prefix_bits > (four ? 32u : 128u)) return std::nullopt;
  AddressRange range;
  as_mapped(*address, range.bytes_);
  range.bits_ = prefix_bits + (four ? 96 : 0);
  return range;
}

bool AddressRange::contains(const Address& address) const noexcept {
  unsigned char mapped[16];
  if (!as_mapped(address, mapped)) return false;
  const unsigned whole = bits_ / 8;
  if (std::memcmp(mapped, bytes_, whole) != 0) return false;
  const unsigned rest = bits_ % 8;
  if (rest == 0) return true;
  const unsigned mask = (0xffu << (8 - rest)) & 0xffu;
  return (mapped[whole] & mask) == (bytes_[whole] & mask);
}

}  // namespace tidegate::net
