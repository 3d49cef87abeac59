// Addresses as the file writes them: what to listen on (a literal and a port), where an endpoint is (a literal or a
// name, and a port), whom to trust (a range). Listeners and endpoints may be unix-domain sockets, too: "unix:/run/a.sock",
// "unix:@name". Literals come out in their one canonical spelling. Nothing is resolved here.
#pragma once

#include <string_view>

#include "config/config.h"
#include "config/parsed.h"

namespace tidegate::config {

/// "0.0.0.0:8080", "[::1]:8080"; port 0 = any free one.
Parsed<SocketAddress> parse_socket_address(std::string_view text);

/// The same or a unix-domain socket, which has port 0.
Parsed<SocketAddress> parse_listener_address(std::string_view text);

bool is_unix(std::string_view host) noexcept;

/// The same or "name:443"; the port is 1..65535.
Parsed<upstream::EndpointAddress> parse_endpoint(std::string_view text);

/// "10.0.0.2", "10.0.0.2:5353", "2001:db8::1", "[2001:db8::1]:5353": without a port it is 53.
Parsed<SocketAddress> parse_name_server(std::string_view text);

/// "10.0.0.0/8", "2001:db8::/32"; an address without "/" is a range of one. Bits below the prefix must be 0. Or kUnixSockets.
Parsed<AddressRange> parse_range(std::string_view text);

/// 127.0.0.0/8, ::1, or the former mapped into IPv6.
bool is_loopback(const SocketAddress& address);

/// "127.0.0.1:9900", "[::1]:9900", "unix:/run/tidegate.sock".
std::string to_string(const SocketAddress& address);
std::string to_string(const AddressRange& range);

}  // namespace tidegate::config
