// Text <-> socket address, for literals only: names are the resolver's business (upstream/resolver.h).
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidegate::net {

/// A socket address of any family, by value.
struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
};

/// @param host an IPv4 or IPv6 literal without brackets. Empty for anything else.
std::optional<Address> make_address(const std::string& host, std::uint16_t port) noexcept;
std::uint16_t port_of(const Address& address) noexcept;
/// "10.0.0.1" or "2001:db8::1"; IPv4-mapped IPv6 addresses are shown as IPv4. Empty when the family is unknown.
std::string host_text(const Address& address);
/// "10.0.0.1:80", "[2001:db8::1]:80".
std::string text(const Address& address);

/// A range of addresses: 10.0.0.0/8, 2001:db8::/32.
class AddressRange {
 public:
  static std::optional<AddressRange> make(const std::string& address, unsigned prefix_bits) noexcept;
  bool contains(const Address& address) const noexcept;

 private:
  unsigned char bytes_[16]{};  // IPv4 as mapped IPv6
  unsigned bits_ = 0;
};

}  // namespace tidegate::net
