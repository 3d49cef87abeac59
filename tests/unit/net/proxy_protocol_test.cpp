// The codec of the PROXY protocol: what is a header and what is not, however it arrives, and what is written.
#include "net/proxy_protocol.h"

#include <gtest/gtest.h>

#include <vector>

#include "net/proxy_headers.h"

namespace tidegate::net::test {
namespace {

const std::string kSix = big_endian(0x20010db8, 4) + std::string(11, '\0') + "\x01" + big_endian(0x20010db8, 4) +
                         std::string(11, '\0') + "\x02" + big_endian(4000, 2) + big_endian(80, 2);

std::string path_field(std::string_view path) { return std::string(path) + std::string(108 - path.size(), '\0'); }

/// A header, and what it says.
struct Sample {
  std::string bytes;
  std::string said;
};

std::vector<Sample> good_ones() {
  const std::string unix_block = path_field("/run/client") + path_field("/run/server");
  std::vector<Sample> out{
      {"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n", "1 client 192.0.2.1:56324 198.51.100.7:443"},
      {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "1 client 255.255.255.255:65535 255.255.255.255:65535"},
      {"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "1 client 0.0.0.0:0 0.0.0.0:0"},
      {"PROXY TCP6 2001:db8::1 2001:DB8:0:0::2 4000 80\r\n", "1 client [2001:db8::1]:4000 [2001:db8::2]:80"},
      {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
       "1 client [ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 [ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
      {"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", "1 client 192.0.2.1:1 [::1]:2"},
      {"PROXY UNKNOWN\r\n", "1 unknown"},
      {"PROXY UNKNOWN \r\n", "1 unknown"},
      {"PROXY UNKNOWN anything 1.2.3.4 \x01\xff\r\n", "1 unknown"},
      {"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
       "1 unknown"},
      {v2(0x21, 0x11, kFour), "2 client 192.0.2.1:56324 198.51.100.7:443"},
      {v2(0x21, 0x21, kSix), "2 client [2001:db8::1]:4000 [2001:db8::2]:80"},
      {v2(0x21, 0x31, unix_block), "2 client unix:/run/client unix:/run/server"},
      {v2(0x21, 0x31, path_field("") + path_field(std::string_view("\0name", 5))), "2 client unix: unix:@name"},
      {v2(0x21, 0x31, path_field("/a") + std::string("\0b", 2) + std::string(105, '\0') + "c"), "2 client unix:/a unix:@b"},
      {v2(0x21, 0x31, std::string(216, 'x')), "2 client unix:" + std::string(107, 'x') + " unix:" + std::string(107, 'x')},
      {v2(0x21, 0x11, std::string(kFour) + tlv(0x01, "h2") + tlv(0x04, "") + tlv(0xE0, "ours")),
       "2 client 192.0.2.1:56324 198.51.100.7:443"},
      {v2(0x21, 0x11, std::string(kFour) + tlv(0x04, std::string(kMostProxyV2Block - 12 - 3, 'n'))),
       "2 client 192.0.2.1:56324 198.51.100.7:443"},
      {with_checksum(0x11, std::string(kFour)), "2 client 192.0.2.1:56324 198.51.100.7:443"},
      {with_checksum(0x21, kSix + tlv(0x02, "a.test")), "2 client [2001:db8::1]:4000 [2001:db8::2]:80"},
      {v2(0x20, 0x00, ""), "2 local"},
      {v2(0x20, 0x11, kFour), "2 local"},
      {v2(0x20, 0xff, "whatever"), "2 local"},
      {v2(0x21, 0x00, ""), "2 unknown"},
      {v2(0x21, 0x00, "whatever"), "2 unknown"},
      {v2(0x21, 0x01, ""), "2 unknown"},
      {v2(0x21, 0x12, kFour), "2 unknown"},
      {v2(0x21, 0x10, kFour), "2 unknown"},
      {v2(0x21, 0x22, kSix), "2 unknown"},
      {v2(0x21, 0x32, unix_block), "2 unknown"},
  };
  for (Sample& one : out) one.said += " /" + std::to_string(one.bytes.size());
  return out;
}

/// What is behind a header is not looked at, and not counted.
TEST(ProxyHeader, IsReadWholeAndWithARequestBehindIt) {
  for (const Sample& one : good_ones()) {
    EXPECT_EQ(describe(decode_proxy_header(one.bytes)), one.said);
    for (const std::string_view behind : {"GET / HTTP/1.1\r\n\r\n"sv, "\x16\x03\x01"sv, "\r\n"sv, "\0"sv}) {
      EXPECT_EQ(describe(decode_proxy_header(one.bytes + std::string(behind))), one.said);
    }
  }
}

/// Every byte that it was given while it needs more is the header's: nobody else's may be taken from the socket.
TEST(ProxyHeader, NeedsMoreAtEveryByteBeforeItsLast) {
  for (const Sample& one : good_ones()) {
    for (std::size_t size = 0; size < one.bytes.size(); ++size) {
      ASSERT_EQ(describe(decode_proxy_header(std::string_view(one.bytes).substr(0, size))), "more") << one.said << " at " << size;
    }
  }
}

std::vector<std::string> refused_lines() {
  return {"GET / HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02", "\r\n\r\n\r\n", "proxy TCP4 ",
          "PROXY\r\n", "PROXYTCP4", "PROXY  TCP4 1.2.3.4 1.2.3.4 1 1\r\n", "PROXY \r\n", "PROXY TCP5 1.2.3.4 1.2.3.4 1 1\r\n",
          "PROXY TCP4\r\n", "PROXY TCP4 \r\n", "PROXY TCP4 1.2.3.4\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
          "PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n",
          "PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n", "PROXY TCP4 1.2.3.4  1.2.3.4 1 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1  1\r\n",
          "PROXY TCP4\t1.2.3.4 1.2.3.4 1 1\r\n", "PROXY TCP4 1.2.3 1.2.3.4 1 1\r\n", "PROXY TCP4 1.2.3.4 01.2.3.4 1 1\r\n",
          "PROXY TCP4 256.2.3.4 1.2.3.4 1 1\r\n", "PROXY TCP4 0x1.2.3.4 1.2.3.4 1 1\r\n", "PROXY TCP4 ::1 1.2.3.4 1 1\r\n",
          "PROXY TCP4 1.2.3.4 ::1 1 1\r\n", "PROXY TCP4 unix:/a unix:/b 1 1\r\n", "PROXY TCP6 unix:/a unix:/b 1 1\r\n",
          "PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n", "PROXY TCP6 ::g ::1 1 1\r\n", "PROXY TCP6 [::1] ::1 1 1\r\n",
          "PROXY TCP6 fe80::1%lo ::1 1 1\r\n", "PROXY TCP6 1:2:3:4:5:6:7 ::1 1 1\r\n", "PROXY TCP6 ::1:: ::1 1 1\r\n",
          "PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n",
          "PROXY TCP4 1.2.3.4 1.2.3.4 00 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 +1 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 -1 1\r\n",
          "PROXY TCP4 1.2.3.4 1.2.3.4 1a 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 99999999999999999999 1\r\n",
          "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r \n", "PROXY TCP4 1.2.3.4\r 1.2.3.4 1 1\r\n",
          std::string("PROXY TCP4 1.2.3.4\0 1.2.3.4 1 1\r\n"sv), "PROXY UNKNOWNS\r\n", "PROXY unknown\r\n", "PROXY UNKNOWN\n",
          "PROXY UNKNOWN \r.\r\n", "PROXY UNKNOWN " + std::string(92, 'x') + "\r\n", "PROXY UNKNOWN " + std::string(200, 'x'),
          "PROXY UNKNOWN " + std::string(92, 'x') + "\r"};
}

std::vector<std::string> refused_blocks() {
  std::string broken = with_checksum(0x11, std::string(kFour));
  broken[17] = static_cast<char>(broken[17] ^ 1);
  std::string other = with_checksum(0x11, std::string(kFour) + tlv(0x02, "a.test"));
  other[33] = 'b';
  const std::string four(kFour);
  const std::string sum = tlv(0x03, "\0\0\0\0"sv);
  return {std::string("\r\n\r\n\0\r\nQUIT\r", 12), v2(0x11, 0x11, kFour), v2(0x31, 0x11, kFour), v2(0x01, 0x11, kFour),
          v2(0x22, 0x11, kFour), v2(0x2f, 0x11, kFour), v2(0x21, 0x41, kFour), v2(0x21, 0xf1, kFour), v2(0x21, 0x13, kFour),
          v2(0x21, 0x1f, kFour), v2(0x21, 0x11, ""), v2(0x21, 0x11, kFour.substr(0, 11)), v2(0x21, 0x21, kFour),
          v2(0x21, 0x31, kSix), v2(0x21, 0x31, std::string(215, 'x')), v2(0x21, 0x11, four + "\x04"),
          v2(0x21, 0x11, four + std::string("\x04\0", 2)), v2(0x21, 0x11, four + std::string("\x04\0\x01", 3)),
          v2(0x21, 0x11, four + tlv(0x04, "") + std::string("\x04\xff\xff", 3)), v2(0x21, 0x11, four + tlv(0x03, "")),
          v2(0x21, 0x11, four + tlv(0x03, "abc")), v2(0x21, 0x11, four + tlv(0x03, "abcde")), v2(0x21, 0x11, four + sum), broken, other,
          v2(0x21, 0x12, four + sum), with_checksum(0x11, four + sum),
          v2(0x21, 0x11, four + tlv(0x04, std::string(kMostProxyV2Block - 12 - 2, 'n'))),
          v2(0x20, 0x00, std::string(kMostProxyV2Block + 1, 'n')), v2(0x20, 0x00, std::string(65535, 'n'))};
}

/// However it arrives: a prefix needs more until it is refused, and nothing heals it.
TEST(ProxyHeader, IsRefusedWhenItIsNotExactlyOne) {
  std::vector<std::string> all = refused_lines();
  for (std::string& one : refused_blocks()) all.push_back(std::move(one));
  for (const std::string& one : all) {
    EXPECT_EQ(decode_proxy_header(one).state, ProxyState::Refused) << testing::PrintToString(one);
    EXPECT_FALSE(decode_proxy_header(one).reason.empty());
    bool refused = false;
    for (std::size_t size = 0; size <= one.size(); ++size) {
      const ProxyState state = decode_proxy_header(std::string_view(one).substr(0, size)).state;
      ASSERT_TRUE(state == ProxyState::Refused || (state == ProxyState::NeedMore && !refused)) << testing::PrintToString(one) << size;
      refused = state == ProxyState::Refused;
    }
  }
}

TEST(ProxyHeader, IsRefusedAsEarlyAsItShows) {
  struct { std::string_view bytes; std::string_view reason; } const kTable[] = {
      {"G", "no PROXY header"}, {"PO", "no PROXY header"}, {"\r\nG", "no PROXY header"}, {"\x16", "no PROXY header"},
      {"PROXY TCP4 1.2.3.4\n", "a line that ends without CR"}, {"\r\n\r\n\0\r\nQUIT\n\x11"sv, "a version that is not 2"},
      {"\r\n\r\n\0\r\nQUIT\n\x22"sv, "neither LOCAL nor PROXY"}, {"\r\n\r\n\0\r\nQUIT\n\x21\x41"sv, "a family that there is not"},
      {"\r\n\r\n\0\r\nQUIT\n\x21\x11\x04\x01"sv, "a header that is too long"}};
  for (const auto& row : kTable) EXPECT_EQ(decode_proxy_header(row.bytes).reason, row.reason);
}

TEST(ProxyHeader, NeverAsksForMoreThanItsBound) {
  EXPECT_EQ(decode_proxy_header("PROXY UNKNOWN " + std::string(93, 'x')).state, ProxyState::Refused);
  EXPECT_EQ(decode_proxy_header("PROXY UNKNOWN " + std::string(92, 'x')).state, ProxyState::NeedMore);
  EXPECT_EQ(decode_proxy_header(v2(0x20, 0, std::string(kMostProxyV2Block, 'n'))).consumed, kMostProxyBytes);
}

// --- encoding

ProxyEnds ends(const char* source, std::uint16_t from, const char* destination, std::uint16_t to) {
  return {*make_address(source, from), *make_address(destination, to)};
}

TEST(ProxyHeader, IsWrittenAsTheDocumentShows) {
  const ProxyEnds four = ends("192.0.2.1", 56324, "198.51.100.7", 443);
  EXPECT_EQ(encode_proxy_header(ProxyVersion::V1, &four), "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n");
  EXPECT_EQ(encode_proxy_header(ProxyVersion::V2, &four), v2(0x21, 0x11, kFour));
  const ProxyEnds six = ends("2001:db8::1", 4000, "2001:db8::2", 80);
  EXPECT_EQ(encode_proxy_header(ProxyVersion::V1, &six), "PROXY TCP6 2001:db8::1 2001:db8::2 4000 80\r\n");
  EXPECT_EQ(encode_proxy_header(ProxyVersion::V2, &six), v2(0x21, 0x21, kSix));
  EXPECT_EQ(encode_proxy_header(ProxyVersion::V1, nullptr), "PROXY UNKNOWN\r\n");
  EXPECT_EQ(encode_proxy_header(ProxyVersion::V2, nullptr), v2(0x20, 0x00, ""));
}

TEST(ProxyHeader, OfAnIpv4ClientOfADualStackListenerIsIpv4) {
  const ProxyEnds mapped = ends("::ffff:192.0.2.1", 56324, "::ffff:198.51.100.7", 443);
  EXPECT_EQ(encode_proxy_header(ProxyVersion::V1, &mapped), "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n");
  EXPECT_EQ(encode_proxy_header(ProxyVersion::V2, &mapped), v2(0x21, 0x11, kFour));
}

TEST(ProxyHeader, OfEndsOfDifferentFamiliesIsIpv6OrUnknown) {
  const ProxyEnds mixed = ends("192.0.2.1", 1, "2001:db8::2", 2);
  EXPECT_EQ(encode_proxy_header(ProxyVersion::V1, &mixed), "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1 2\r\n");
  EXPECT_EQ(describe(decode_proxy_header(encode_proxy_header(ProxyVersion::V2, &mixed))),
            "2 client 192.0.2.1:1 [2001:db8::2]:2 /52");
  const ProxyEnds odd = ends("192.0.2.1", 1, "unix:/run/a", 0);
  EXPECT_EQ(encode_proxy_header(ProxyVersion::V1, &odd), "PROXY UNKNOWN\r\n");
  EXPECT_EQ(encode_proxy_header(ProxyVersion::V2, &odd), v2(0x21, 0x00, ""));
}

TEST(ProxyHeader, OfAUnixSocketNamesItsPathsInVersion2Only) {
  const ProxyEnds both = {make_unix_address(""), *make_address("unix:/run/a", 0)};
  EXPECT_EQ(encode_proxy_header(ProxyVersion::V1, &both), "PROXY UNKNOWN\r\n");
  EXPECT_EQ(encode_proxy_header(ProxyVersion::V2, &both), v2(0x21, 0x31, path_field("") + path_field("/run/a")));
}

TEST(ProxyHeader, ThatIsWrittenIsReadBackAsTheSame) {
  const ProxyEnds all[] = {ends("0.0.0.0", 0, "255.255.255.255", 65535), ends("::", 0, "::1", 65535), ends("::ffff:1.2.3.4", 7, "::1", 8),
                           ends("unix:@abstract", 0, "unix:/run/tidegate.sock", 0)};
  for (const ProxyEnds& one : all) {
    for (const ProxyVersion version : {ProxyVersion::V1, ProxyVersion::V2}) {
      const ProxyDecoded read = decode_proxy_header(encode_proxy_header(version, &one));
      ASSERT_EQ(read.state, ProxyState::Done);
      if (read.header.origin == ProxyHeader::Origin::Unknown) continue;
      EXPECT_EQ(text(read.header.ends.source), text(one.source));
      EXPECT_EQ(text(read.header.ends.destination), text(one.destination));
    }
  }
}

TEST(Crc32c, IsTheOneOfTheRfc) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);                  // the catalogue's check value
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);         // RFC 3720 B.4
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c("6789", crc32c("12345")), crc32c("123456789"));
  EXPECT_EQ(crc32c(""), 0u);
}

}  // namespace
}  // namespace tidegate::net::test
