#include "net/address.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace tidegate::net {

namespace {

constexpr std::array<unsigned char, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

constexpr std::size_t kPathAt = offsetof(sockaddr_un, sun_path);

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

// Every address as 16 bytes, so that ranges and dual-stack sockets compare alike.
bool six_of(const Address& address, unsigned char* out) noexcept {
  if (address.get()->sa_family == AF_INET) {
    std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), out);
    std::memcpy(out + 12, &reinterpret_cast<const sockaddr_in*>(address.get())->sin_addr, 4);
    return true;
  }
  if (address.get()->sa_family != AF_INET6) return false;
  std::memcpy(out, &reinterpret_cast<const sockaddr_in6*>(address.get())->sin6_addr, 16);
  return true;
}

bool four_of(const Address& address, unsigned char* out) noexcept {
  unsigned char mapped[16];
  if (!six_of(address, mapped) || !std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), mapped)) return false;
  std::memcpy(out, mapped + 12, 4);
  return true;
}

Address make_unix_address(std::string_view name) noexcept {
  static_assert(sizeof(sockaddr_un) <= sizeof(sockaddr_storage) && sizeof(sockaddr_un::sun_path) > kUnixNameBytes);
  Address out;
  auto* to = reinterpret_cast<sockaddr_un*>(out.get());
  name = name.substr(0, kUnixNameBytes);
  to->sun_family = AF_UNIX;
  if (!name.empty()) std::memcpy(to->sun_path, name.data(), name.size());
  const bool path = !name.empty() && name[0] != '\0';
  out.length = static_cast<socklen_t>(kPathAt + name.size() + (path ? 1 : 0));
  return out;
}

bool is_unix(const Address& address) noexcept { return address.get()->sa_family == AF_UNIX; }

std::string_view unix_name(const Address& address) noexcept {
  if (!is_unix(address) || address.length <= kPathAt) return {};
  const std::string_view name(reinterpret_cast<const sockaddr_un*>(address.get())->sun_path, address.length - kPathAt);
  return name[0] == '\0' ? name : name.substr(0, name.find('\0'));
}

namespace {

std::optional<Address> make_named(std::string_view name) noexcept {
  if (name.size() < 2 || name.size() > kUnixNameBytes) return std::nullopt;
  Address out = make_unix_address(name);
  if (name[0] == '/') return out;
  if (name[0] != '@') return std::nullopt;
  reinterpret_cast<sockaddr_un*>(out.get())->sun_path[0] = '\0';
  --out.length;  // a NUL at its end would be a part of the name
  return out;
}

}  // namespace

std::optional<Address> make_address(const std::string& host, std::uint16_t port) noexcept {
  if (host.find('\0') != std::string::npos) return std::nullopt;  // inet_pton() would read what is before it
  if (host.starts_with(kUnixPrefix)) return make_named(std::string_view(host).substr(kUnixPrefix.size()));
  in_addr four{};
  if (::inet_pton(AF_INET, host.c_str(), &four) == 1) return make_four(&four, port);
  in6_addr six{};
  if (::inet_pton(AF_INET6, host.c_str(), &six) == 1) return make_six(&six, port);
  return std::nullopt;
}

Address make_four(const void* bytes, std::uint16_t port) noexcept {
  Address out;
  auto* to = reinterpret_cast<sockaddr_in*>(out.get());
  to->sin_family = AF_INET;
  std::memcpy(&to->sin_addr, bytes, sizeof to->sin_addr);
  out.length = sizeof *to;
  return with_port(out, port);
}

Address make_six(const void* bytes, std::uint16_t port) noexcept {
  Address out;
  auto* to = reinterpret_cast<sockaddr_in6*>(out.get());
  to->sin6_family = AF_INET6;
  std::memcpy(&to->sin6_addr, bytes, sizeof to->sin6_addr);
  out.length = sizeof *to;
  return with_port(out, port);
}

Address with_port(Address address, std::uint16_t port) noexcept {
  if (address.get()->sa_family == AF_INET) reinterpret_cast<sockaddr_in*>(address.get())->sin_port = htons(port);
  if (address.get()->sa_family == AF_INET6) reinterpret_cast<sockaddr_in6*>(address.get())->sin6_port = htons(port);
  return address;
}

bool operator==(const Address& a, const Address& b) noexcept {
  return a.length == b.length && std::memcmp(&a.storage, &b.storage, a.length) == 0;
}

std::uint16_t port_of(const Address& address) noexcept {
  if (address.get()->sa_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(address.get())->sin_port);
  if (address.get()->sa_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(address.get())->sin6_port);
  return 0;
}

std::string six_text(const Address& address) {
  unsigned char bytes[16];
  char out[INET6_ADDRSTRLEN];
  return six_of(address, bytes) ? ::inet_ntop(AF_INET6, bytes, out, sizeof out) : std::string();
}

std::string host_text(const Address& address) {
  unsigned char four[4];
  if (four_of(address, four)) return dotted(four);
  return is_unix(address) ? std::string(kUnixPrefix) : six_text(address);
}

namespace {

/// A client may give its own end any name, line feeds included.
std::string unix_text(const Address& address) {
  std::string name(unix_name(address));
  if (!name.empty() && name[0] == '\0') name[0] = '@';
  std::replace_if(name.begin(), name.end(), [](char c) { return c < 0x20 || c == 0x7f; }, '?');  // what is above 0x7f is negative
  return std::string(kUnixPrefix) + name;
}

}  // namespace

std::string text(const Address& address) {
  if (is_unix(address)) return unix_text(address);
  const std::string host = host_text(address);
  const std::string port = std::to_string(port_of(address));
  return host.find(':') == std::string::npos ? host + ":" + port : "[" + host + "]:" + port;
}

std::optional<AddressRange> AddressRange::make(const std::string& text, unsigned prefix_bits) noexcept {
  const std::optional<Address> address = make_address(text, 0);
  if (!address || is_unix(*address)) return std::nullopt;
  const bool four = address->get()->sa_family == AF_INET;
  if (prefix_bits > (four ? 32u : 128u)) return std::nullopt;
  AddressRange range;
  six_of(*address, range.bytes_);
  range.bits_ = prefix_bits + (four ? 96 : 0);
  return range;
}

AddressRange AddressRange::unix_sockets() noexcept {
  AddressRange range;
  range.unix_ = true;
  return range;
}

bool AddressRange::contains(const Address& address) const noexcept {
  if (unix_) return is_unix(address);
  unsigned char mapped[16];
  if (!six_of(address, mapped)) return false;
  const unsigned whole = bits_ / 8;
  if (std::memcmp(mapped, bytes_, whole) != 0) return false;
  const unsigned rest = bits_ % 8;
  if (rest == 0) return true;
  const unsigned mask = (0xffu << (8 - rest)) & 0xffu;
  return (mapped[whole] & mask) == (bytes_[whole] & mask);
}

}  // namespace tidegate::net
