#include "config/addresses.h"

#include <arpa/inet.h>

#include <array>
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <string>

#include "config/problem.h"
#include "config/text_rules.h"

namespace tidegate::config {
namespace {

/// An address in network byte order.
struct Literal {
  int family = AF_INET;
  std::array<unsigned char, 16> bytes{};

  std::size_t bits() const { return family == AF_INET ? 32 : 128; }

  std::string text() const {
    std::array<char, INET6_ADDRSTRLEN> out{};
    inet_ntop(family, bytes.data(), out.data(), out.size());
    return out.data();
  }
};

std::optional<Literal> parse_literal(std::string_view text) {
  Literal out;
  if (is_ipv4(text)) {
    out.family = AF_INET;
  } else if (is_ipv6(text)) {
    out.family = AF_INET6;
  } else {
    return std::nullopt;
  }
  inet_pton(out.family, std::string(text).c_str(), out.bytes.data());
  return out;
}

std::optional<unsigned> parse_decimal(std::string_view text, unsigned most) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool leading_zero = text.size() > 1 && text[0] == '0';
  if (error != std::errc() || end != text.data() + text.size() || leading_zero || value > most) return std::nullopt;
  return value;
}

struct HostPort {
  std::string_view host;
  std::uint16_t port = 0;
  bool bracketed = false;
};

constexpr std::size_t kMostNameBytes = net::kUnixNameBytes;

/// "unix:/path" with the path in its plain form (no "//", "." and ".."), or "unix:@name".
Parsed<std::string> parse_unix(std::string_view text) {
  using Result = Parsed<std::string>;
  const std::string_view name = text.substr(net::kUnixPrefix.size());
  const bool path = name.starts_with('/');
  if (!path && !name.starts_with('@')) {
    return Result::bad(in_quotes(text) + " is not unix:/PATH (absolute) or unix:@NAME (abstract)");
  }
  const auto is_control = [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; };
  if (std::any_of(name.begin(), name.end(), is_control)) return Result::bad(in_quotes(text) + " has a control character");
  const std::string plain = path ? std::filesystem::path(name).lexically_normal().string() : std::string(name);
  if (plain.size() < 2 || plain.ends_with('/')) return Result::bad(in_quotes(text) + " names no socket");
  if (plain.size() > kMostNameBytes) {
    return Result::bad(in_quotes(text) + " is longer than the " + std::to_string(kMostNameBytes) + " bytes that a socket's name may have");
  }
  return Result::good(std::string(net::kUnixPrefix) + plain);
}

/// "8080" and ":8080", which other programs take for every address.
bool is_port_alone(std::string_view text) {
  return parse_decimal(text.starts_with(':') ? text.substr(1) : text, 65535).has_value();
}

/// IPv6 without brackets may be an address alone or one with a port: "::1:8084" is both, and the port is likelier meant.
std::string without_brackets(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const std::string whole(text), address(text.substr(0, colon)), port(text.substr(colon + 1));
  const bool has_port = is_ipv6(address) && parse_decimal(port, 65535);
  std::string out = in_quotes(text) + " is IPv6 without brackets; write ";
  if (has_port) out += '[' + address + "]:" + port;
  if (has_port && is_ipv6(text)) out += ", or ";
  if (is_ipv6(text)) out += '[' + whole + "]:PORT" + (has_port ? " when all of it is the address" : "");
  return out;
}

/// @param least  port: 0 where one may be had from the system, else 1
Parsed<HostPort> split_host_port(std::string_view text, unsigned least) {
  using Result = Parsed<HostPort>;
  if (text.find("://") != std::string_view::npos) {
    return Result::bad(in_quotes(text) + " is a URL; write only the host and the port");
  }
  HostPort out;
  out.bracketed = text.starts_with('[');
  const std::size_t colon = text.rfind(':');
  if (!out.bracketed && (is_ipv6(text) || is_ipv6(text.substr(0, colon)))) return Result::bad(without_brackets(text));
  const std::size_t close = text.rfind(']');
  if (colon == std::string_view::npos || (out.bracketed && close != std::string_view::npos && close > colon)) {
    return Result::bad(in_quotes(text) + " has no port; write " + in_quotes(std::string(text.substr(0, 64)) + ":PORT"));
  }
  if (out.bracketed && close + 1 != colon) return Result::bad(in_quotes(text) + " is not [IPv6]:port");
  const std::optional<unsigned> port = parse_decimal(text.substr(colon + 1), 65535);
  if (!port || *port < least) {
    return Result::bad(in_quotes(text.substr(colon + 1)) + " is not a port (" + std::to_string(least) + "..65535)");
  }
  out.port = static_cast<std::uint16_t>(*port);
  out.host = out.bracketed ? text.substr(1, close - 1) : text.substr(0, colon);
  return Result::good(out);
}

/// True when the address keeps bits below the prefix; clears them.
bool clear_host_bits(Literal& literal, std::size_t prefix) {
  bool cleared = false;
  for (std::size_t bit = prefix; bit < literal.bits(); ++bit) {
    const auto mask = static_cast<unsigned char>(0x80u >> (bit % 8));
    unsigned char& byte = literal.bytes[bit / 8];
    cleared = cleared || (byte & mask) != 0;
    byte = static_cast<unsigned char>(byte & ~mask);
  }
  return cleared;
}

}  // namespace

bool is_unix(std::string_view host) noexcept { return host.starts_with(net::kUnixPrefix); }

Parsed<SocketAddress> parse_listener_address(std::string_view text) {
  using Result = Parsed<SocketAddress>;
  if (!is_unix(text)) return parse_socket_address(text);
  Parsed<std::string> name = parse_unix(text);
  return name ? Result::good({std::move(*name.value), 0}) : Result::bad(name.error);
}

Parsed<SocketAddress> parse_socket_address(std::string_view text) {
  using Result = Parsed<SocketAddress>;
  if (is_unix(text)) return Result::bad(in_quotes(text) + ": only listeners and endpoints may be unix-domain sockets");
  if (is_port_alone(text)) {
    const std::string port(text.substr(text.rfind(':') + 1));
    return Result::bad(in_quotes(text) + " has no host; write 127.0.0.1:" + port + " for this machine only, or 0.0.0.0:" + port +
                       " for every IPv4 address");
  }
  const Parsed<HostPort> parts = split_host_port(text, 0);
  if (!parts) return Result::bad(parts.error);
  const std::optional<Literal> literal = parse_literal(parts.value->host);
  if (!literal || parts.value->bracketed != (literal->family == AF_INET6)) {
    return Result::bad(in_quotes(text) + " is not IPv4:port or [IPv6]:port; "
                       "names are not taken here (0.0.0.0 is every IPv4 address)");
  }
  return Result::good({literal->text(), parts.value->port});
}

Parsed<SocketAddress> parse_name_server(std::string_view text) {
  using Result = Parsed<SocketAddress>;
  constexpr std::uint16_t kDnsPort = 53;
  if (const std::optional<Literal> alone = parse_literal(text)) return Result::good({alone->text(), kDnsPort});
  const Parsed<HostPort> parts = split_host_port(text, 1);
  if (!parts && text.find(':') != std::string_view::npos) return Result::bad(parts.error);
  const std::optional<Literal> literal = parts ? parse_literal(parts.value->host) : std::nullopt;
  if (!literal || parts.value->bracketed != (literal->family == AF_INET6)) {
    return Result::bad(in_quotes(text) + " is not the address of a name server, such as 10.0.0.2, 10.0.0.2:53 or [2001:db8::1]:53");
  }
  return Result::good({literal->text(), parts.value->port});
}

Parsed<upstream::EndpointAddress> parse_endpoint(std::string_view text) {
  using Result = Parsed<upstream::EndpointAddress>;
  if (is_unix(text)) {
    Parsed<std::string> name = parse_unix(text);
    return name ? Result::good({std::move(*name.value), 0, std::string(text)}) : Result::bad(name.error);
  }
  if (is_port_alone(text)) {
    return Result::bad(in_quotes(text) + " has no host; write 127.0.0.1:" + std::string(text.substr(text.rfind(':') + 1)) +
                       " for this machine, or another address or name");
  }
  const Parsed<HostPort> parts = split_host_port(text, 1);
  if (!parts) return Result::bad(parts.error);
  const std::optional<Literal> literal = parse_literal(parts.value->host);
  const bool good_literal = literal && parts.value->bracketed == (literal->family == AF_INET6);
  const bool good_name = !literal && !parts.value->bracketed && is_host_name(parts.value->host);
  if (!good_literal && !good_name) return Result::bad(in_quotes(text) + " is not IPv4:port, [IPv6]:port or name:port");
  return Result::good({literal ? literal->text() : lower(parts.value->host), parts.value->port, std::string(text)});
}

Parsed<AddressRange> parse_range(std::string_view text) {
  using Result = Parsed<AddressRange>;
  if (text == kUnixSockets) return Result::good({std::string(text), 0});
  const std::size_t slash = text.find('/');
  std::optional<Literal> literal = parse_literal(text.substr(0, slash));
  if (!literal) return Result::bad(in_quotes(text) + " is not an address range such as 10.0.0.0/8 or 2001:db8::/32, nor \"unix\"");
  std::size_t prefix = literal->bits();
  if (slash != std::string_view::npos) {
    const std::optional<unsigned> bits = parse_decimal(text.substr(slash + 1), static_cast<unsigned>(prefix));
    if (!bits) return Result::bad(in_quotes(text) + ": the prefix is not 0.." + std::to_string(prefix));
    prefix = *bits;
  }
  if (clear_host_bits(*literal, prefix)) {
    return Result::bad(in_quotes(text) + " has bits set below its prefix; did you mean " + literal->text() + "/" +
                       std::to_string(prefix) + "?");
  }
  return Result::good({literal->text(), static_cast<std::uint8_t>(prefix)});
}

bool is_loopback(const SocketAddress& address) {
  const std::optional<Literal> literal = parse_literal(address.host);
  if (!literal) return false;
  if (literal->family == AF_INET) return literal->bytes[0] == 127;
  const std::string text = literal->text();
  return text == "::1" || text.starts_with("::ffff:127.");
}

std::string to_string(const AddressRange& range) {
  return range.address == kUnixSockets ? range.address : range.address + '/' + std::to_string(range.prefix);
}

std::string to_string(const SocketAddress& address) {
  if (is_unix(address.host)) return address.host;
  const bool is_v6 = address.host.find(':') != std::string::npos;
  return (is_v6 ? '[' + address.host + ']' : address.host) + ':' + std::to_string(address.port);
}

}  // namespace tidegate::config
