#include "net/proxy_protocol.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

namespace tidegate::net {

namespace {

using namespace std::string_view_literals;

constexpr std::string_view kText = "PROXY ";
constexpr std::string_view kSignature = "\r\n\r\n\0\r\nQUIT\n"sv;

constexpr std::size_t kFourBlock = 2 * 4 + 2 * 2;
constexpr std::size_t kSixBlock = 2 * 16 + 2 * 2;
constexpr std::size_t kUnixPath = 108;
constexpr std::size_t kUnixBlock = 2 * kUnixPath;

constexpr unsigned char kChecksumType = 0x03;
constexpr std::size_t kChecksumBytes = 4;
constexpr std::size_t kTlvHead = 3;  // type, and length in two bytes

ProxyDecoded refused(std::string_view reason) noexcept { return {ProxyState::Refused, {}, 0, reason}; }

ProxyDecoded done(const ProxyHeader& header, std::size_t consumed) noexcept {
  return {ProxyState::Done, header, consumed, {}};
}

unsigned byte_at(std::string_view bytes, std::size_t at) noexcept { return static_cast<unsigned char>(bytes[at]); }

unsigned two_bytes(std::string_view bytes, std::size_t at) noexcept {
  return byte_at(bytes, at) << 8 | byte_at(bytes, at + 1);
}

/// As far as there are bytes, they are those of `wanted`.
bool begins_as(std::string_view bytes, std::string_view wanted) noexcept {
  const std::size_t both = std::min(bytes.size(), wanted.size());
  return bytes.substr(0, both) == wanted.substr(0, both);
}

// --- version 1

/// The next word of the line; words are divided by single spaces.
std::optional<std::string_view> take_word(std::string_view& line) noexcept {
  const std::size_t space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  if (word.empty()) return std::nullopt;
  line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
  if (space != std::string_view::npos && line.empty()) return std::nullopt;  // a space at the end
  return word;
}

std::optional<std::uint16_t> port_of_word(std::string_view word) noexcept {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  const bool whole = error == std::errc() && end == word.data() + word.size() && value <= 65'535;
  if (!whole || (word.size() > 1 && word[0] == '0')) return std::nullopt;
  return static_cast<std::uint16_t>(value);
}

std::optional<Address> address_of_words(std::string_view host, std::string_view port, int family) {
  const std::optional<std::uint16_t> number = port_of_word(port);
  if (!number) return std::nullopt;
  std::optional<Address> address = make_address(std::string(host), *number);
  if (!address || address->get()->sa_family != family) return std::nullopt;
  return address;
}

ProxyDecoded decode_tcp(std::string_view words, int family, std::size_t consumed) noexcept {
  std::array<std::string_view, 4> word;
  for (std::string_view& one : word) {
    const auto next = take_word(words);
    if (!next) return refused("an address is missing");
    one = *next;
  }
  if (!words.empty()) return refused("something follows the ports");
  const auto source = address_of_words(word[0], word[2], family);
  const auto destination = address_of_words(word[1], word[3], family);
  if (!source || !destination) return refused("an address or port is none");
  return done({ProxyVersion::V1, ProxyHeader::Origin::Client, {*source, *destination}}, consumed);
}

ProxyDecoded decode_line(std::string_view line, std::size_t consumed) noexcept {
  if (line.starts_with("TCP4 ")) return decode_tcp(line.substr(5), AF_INET, consumed);
  if (line.starts_with("TCP6 ")) return decode_tcp(line.substr(5), AF_INET6, consumed);
  // "The receiver must ignore anything presented before the CRLF": senders may give addresses here, or not.
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) {
    return done({ProxyVersion::V1, ProxyHeader::Origin::Unknown, {}}, consumed);
  }
  return refused("neither TCP4, TCP6 nor UNKNOWN");
}

ProxyDecoded decode_v1(std::string_view bytes) noexcept {
  const std::string_view seen = bytes.substr(0, kMostProxyV1Bytes);
  const std::size_t end = seen.find_first_of("\r\n");
  if (end == std::string_view::npos) {
    return seen.size() < kMostProxyV1Bytes ? ProxyDecoded{} : refused("a line of more than 107 bytes");
  }
  if (seen[end] == '\n') return refused("a line that ends without CR");
  if (end + 1 == seen.size()) return seen.size() < kMostProxyV1Bytes ? ProxyDecoded{} : refused("a line of more than 107 bytes");
  if (seen[end + 1] != '\n') return refused("a CR without LF");
  return decode_line(seen.substr(kText.size(), end - kText.size()), end + 2);
}

// --- version 2

Address make_in(const char* address, unsigned port) noexcept {
  Address out;
  auto* in = reinterpret_cast<sockaddr_in*>(out.get());
  in->sin_family = AF_INET;
  in->sin_port = htons(static_cast<std::uint16_t>(port));
  std::memcpy(&in->sin_addr, address, 4);
  out.length = sizeof *in;
  return out;
}

Address make_in6(const char* address, unsigned port) noexcept {
  Address out;
  auto* in = reinterpret_cast<sockaddr_in6*>(out.get());
  in->sin6_family = AF_INET6;
  in->sin6_port = htons(static_cast<std::uint16_t>(port));
  std::memcpy(&in->sin6_addr, address, 16);
  out.length = sizeof *in;
  return out;
}

/// A path ends at its first NUL, an abstract name (it begins with one) before the NULs that fill it up.
Address make_un(std::string_view field) noexcept {
  field = field.substr(0, kUnixNameBytes);
  const bool abstract = field[0] == '\0';
  const std::size_t last = field.find_last_not_of('\0');
  const std::size_t size = !abstract ? std::min(field.find('\0'), field.size())
                           : last == std::string_view::npos ? 0
                                                            : last + 1;
  return make_unix_address(field.substr(0, size));
}

/// @return the bytes that the addresses of the family take; 0: unknown.
std::size_t addresses_size(unsigned family) noexcept {
  constexpr std::array<std::size_t, 4> sizes{0, kFourBlock, kSixBlock, kUnixBlock};
  return sizes[family];
}

ProxyEnds read_ends(unsigned family, std::string_view block) noexcept {
  const char* const at = block.data();
  switch (family) {
    case 1: return {make_in(at, two_bytes(block, 8)), make_in(at + 4, two_bytes(block, 10))};
    case 2: return {make_in6(at, two_bytes(block, 32)), make_in6(at + 16, two_bytes(block, 34))};
    default: return {make_un(block.substr(0, kUnixPath)), make_un(block.substr(kUnixPath, kUnixPath))};
  }
}

/// The checksum of the whole header as if its own four bytes were 0.
bool checksum_holds(std::string_view header, std::size_t at) noexcept {
  const std::uint32_t said = two_bytes(header, at) << 16 | two_bytes(header, at + 2);
  std::uint32_t sum = crc32c(header.substr(0, at));
  sum = crc32c("\0\0\0\0"sv, sum);
  return crc32c(header.substr(at + kChecksumBytes), sum) == said;
}

/// @return what is wrong with the TLVs, which begin at `at`; empty: nothing.
std::string_view check_tlvs(std::string_view header, std::size_t at) noexcept {
  bool summed = false;
  while (at < header.size()) {
    if (header.size() - at < kTlvHead) return "a TLV that is cut off";
    const unsigned type = byte_at(header, at);
    const std::size_t length = two_bytes(header, at + 1);
    at += kTlvHead;
    if (header.size() - at < length) return "a TLV that is longer than the header";
    if (type == kChecksumType) {
      if (summed || length != kChecksumBytes) return "a checksum that is none";
      if (!checksum_holds(header, at)) return "a checksum that does not hold";
      summed = true;
    }
    at += length;
  }
  return {};
}

ProxyDecoded decode_block(std::string_view header) noexcept {
  constexpr unsigned kLocal = 0;
  constexpr unsigned kStream = 1;
  ProxyHeader out{ProxyVersion::V2, ProxyHeader::Origin::Unknown, {}};
  if ((byte_at(header, 12) & 0x0f) == kLocal) {  // the block is to be skipped, whatever it holds
    out.origin = ProxyHeader::Origin::Local;
    return done(out, header.size());
  }
  const unsigned family = byte_at(header, 13) >> 4;
  const std::size_t addresses = addresses_size(family);
  if (addresses == 0) return done(out, header.size());
  const std::string_view block = header.substr(kProxyV2FixedBytes);
  if (block.size() < addresses) return refused("fewer bytes than the addresses take");
  const std::string_view wrong = check_tlvs(header, kProxyV2FixedBytes + addresses);
  if (!wrong.empty()) return refused(wrong);
  if ((byte_at(header, 13) & 0x0f) == kStream) {
    out.origin = ProxyHeader::Origin::Client;
    out.ends = read_ends(family, block);
  }
  return done(out, header.size());
}

ProxyDecoded decode_v2(std::string_view bytes) noexcept {
  if (bytes.size() > 12) {
    if (byte_at(bytes, 12) >> 4 != 2) return refused("a version that is not 2");
    if ((byte_at(bytes, 12) & 0x0f) > 1) return refused("neither LOCAL nor PROXY");
  }
  if (bytes.size() > 13) {
    const bool local = (byte_at(bytes, 12) & 0x0f) == 0;  // then the family is ignored
    if (!local && (byte_at(bytes, 13) >> 4 > 3 || (byte_at(bytes, 13) & 0x0f) > 2)) return refused("a family that there is not");
  }
  if (bytes.size() < kProxyV2FixedBytes) return {};
  const std::size_t block = two_bytes(bytes, 14);
  if (block > kMostProxyV2Block) return refused("a header that is too long");
  if (bytes.size() - kProxyV2FixedBytes < block) return {};
  return decode_block(bytes.substr(0, kProxyV2FixedBytes + block));
}

}  // namespace

ProxyDecoded decode_proxy_header(std::string_view bytes) noexcept {
  if (bytes.empty()) return {};
  if (begins_as(bytes, kSignature)) return bytes.size() < kSignature.size() ? ProxyDecoded{} : decode_v2(bytes);
  if (begins_as(bytes, kText)) return bytes.size() < kText.size() ? ProxyDecoded{} : decode_v1(bytes);
  return refused("no PROXY header");
}

// --- encoding

namespace {

bool is_ip(const Address& address) noexcept {
  return address.get()->sa_family == AF_INET || address.get()->sa_family == AF_INET6;
}

/// As IPv4 where both are that, also when they are mapped into IPv6 (a client of a dual-stack listener).
bool both_four(const ProxyEnds& ends) noexcept {
  std::array<unsigned char, 16> ignored;
  return four_of(ends.source, ignored.data()) && four_of(ends.destination, ignored.data());
}

void put_port(std::string& out, const Address& address) {
  const std::uint16_t port = port_of(address);
  out += static_cast<char>(port >> 8);
  out += static_cast<char>(port & 0xff);
}

void put_path(std::string& out, const Address& address) {
  const std::string_view name = unix_name(address).substr(0, kUnixPath);
  out += name;
  out.append(kUnixPath - name.size(), '\0');
}

std::string encode_line(const ProxyEnds* client) {
  if (client == nullptr || !is_ip(client->source) || !is_ip(client->destination)) return "PROXY UNKNOWN\r\n";
  const bool four = both_four(*client);
  const auto host = [four](const Address& address) { return four ? host_text(address) : six_text(address); };
  return (four ? "PROXY TCP4 " : "PROXY TCP6 ") + host(client->source) + ' ' + host(client->destination) + ' ' +
         std::to_string(port_of(client->source)) + ' ' + std::to_string(port_of(client->destination)) + "\r\n";
}

std::string with_block(char command, unsigned char family, const std::string& block) {
  std::string out(kSignature);
  out += command;
  out += static_cast<char>(family);
  out += static_cast<char>(block.size() >> 8);
  out += static_cast<char>(block.size() & 0xff);
  return out + block;
}

std::string encode_binary(const ProxyEnds* client) {
  constexpr char kLocal = 0x20, kProxy = 0x21;
  if (client == nullptr) return with_block(kLocal, 0x00, {});
  std::string block;
  if (is_ip(client->source) && is_ip(client->destination)) {
    const bool four = both_four(*client);
    for (const Address* address : {&client->source, &client->destination}) {
      std::array<unsigned char, 16> bytes;
      if (four) {
        four_of(*address, bytes.data());
      } else {
        six_of(*address, bytes.data());
      }
      block.append(reinterpret_cast<const char*>(bytes.data()), four ? 4 : 16);
    }
    put_port(block, client->source);
    put_port(block, client->destination);
    return with_block(kProxy, four ? 0x11 : 0x21, block);
  }
  if (!is_unix(client->source) || !is_unix(client->destination)) return with_block(kProxy, 0x00, {});
  put_path(block, client->source);
  put_path(block, client->destination);
  return with_block(kProxy, 0x31, block);
}

}  // namespace

std::string encode_proxy_header(ProxyVersion version, const ProxyEnds* client) {
  return version == ProxyVersion::V1 ? encode_line(client) : encode_binary(client);
}

std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed) noexcept {
  constexpr std::uint32_t kReversedPolynomial = 0x82f63b78;
  std::uint32_t sum = ~seed;
  for (const char byte : bytes) {  // at most a kilobyte, and only where a sender asks for it: no table
    sum ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ ((sum & 1) != 0 ? kReversedPolynomial : 0);
  }
  return ~sum;
}

}  // namespace tidegate::net
