// Text <-> socket address, for literals only: names are the resolver's business (upstream/resolver.h). A literal is IPv4,
// IPv6, or a unix-domain socket: "unix:/run/app.sock", or "unix:@name" in the abstract namespace.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
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

inline constexpr std::string_view kUnixPrefix = "unix:";
inline constexpr std::size_t kUnixNameBytes = 107;  ///< of a path without its NUL, or of an abstract name with its first one

/// @param host an IPv4 or IPv6 literal without brackets, or a unix-domain socket (then `port` means nothing). Empty for
/// anything else.
std::optional<Address> make_address(const std::string& host, std::uint16_t port) noexcept;
/// @param name a path, or an abstract name behind a NUL; what is longer than the system takes is cut. Empty: unnamed.
Address make_unix_address(std::string_view name) noexcept;
bool is_unix(const Address& address) noexcept;
/// As make_unix_address() takes it. Empty for other families.
std::string_view unix_name(const Address& address) noexcept;

/// Of the 4 bytes of an IPv4 address, or the 16 of an IPv6 one, in network order.
Address make_four(const void* bytes, std::uint16_t port) noexcept;
Address make_six(const void* bytes, std::uint16_t port) noexcept;

std::uint16_t port_of(const Address& address) noexcept;  ///< 0 where there are none
/// The same host; unchanged where there are no ports.
Address with_port(Address address, std::uint16_t port) noexcept;
bool operator==(const Address& a, const Address& b) noexcept;
/// "10.0.0.1" or "2001:db8::1"; IPv4-mapped IPv6 addresses are shown as IPv4. "unix:" for a unix-domain socket, as NGINX
/// writes it: its path names nobody. Empty when the family is unknown.
std::string host_text(const Address& address);
/// "10.0.0.1:80", "[2001:db8::1]:80", "unix:/run/app.sock"; "unix:" for one without a name. Always printable.
std::string text(const Address& address);

/// The address as IPv4, also when it is mapped into IPv6. @param out 4 bytes
bool four_of(const Address& address, unsigned char* out) noexcept;
/// The address as IPv6, IPv4 mapped into it. @param out 16 bytes
bool six_of(const Address& address, unsigned char* out) noexcept;
/// As host_text(), but IPv4 mapped into IPv6: "::ffff:10.0.0.1".
std::string six_text(const Address& address);

/// A range of addresses: 10.0.0.0/8, 2001:db8::/32; or all unix-domain sockets.
class AddressRange {
 public:
  static std::optional<AddressRange> make(const std::string& address, unsigned prefix_bits) noexcept;
  static AddressRange unix_sockets() noexcept;
  bool contains(const Address& address) const noexcept;

 private:
  unsigned char bytes_[16]{};  // IPv4 as mapped IPv6
  unsigned bits_ = 0;
  bool unix_ = false;
};

}  // namespace tidegate::net
