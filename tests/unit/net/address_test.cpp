#include "net/address.h"

#include <gtest/gtest.h>

namespace tidegate::net {
namespace {

TEST(Address, ReadsLiteralsAndWritesThemBack) {
  struct { const char* host; const char* shown; const char* with_port; } const kTable[] = {
      {"127.0.0.1", "127.0.0.1", "127.0.0.1:80"},   {"0.0.0.0", "0.0.0.0", "0.0.0.0:80"},
      {"::1", "::1", "[::1]:80"},                   {"2001:DB8:0:0::1", "2001:db8::1", "[2001:db8::1]:80"},
      {"::ffff:10.0.0.1", "10.0.0.1", "10.0.0.1:80"}, {"::", "::", "[::]:80"}};
  for (const auto& row : kTable) {
    const auto address = make_address(row.host, 80);
    ASSERT_TRUE(address) << row.host;
    EXPECT_EQ(host_text(*address), row.shown);
    EXPECT_EQ(text(*address), row.with_port);
    EXPECT_EQ(port_of(*address), 80);
  }
}

TEST(Address, RefusesWhatIsNoLiteral) {
  for (const char* host : {"", "localhost", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "0x7f.0.0.1", "[::1]", "::1%lo",
                           "1.2.3.4:80", "::g", " 127.0.0.1", "2130706433"}) {
    EXPECT_FALSE(make_address(host, 80)) << host;
  }
  EXPECT_FALSE(make_address(std::string("1.2.3.4\0", 8), 80));
  EXPECT_FALSE(make_address(std::string("::1\0x", 5), 80));
}

TEST(Address, KeepsEveryPort) {
  for (const int port : {0, 1, 80, 65'535}) {
    EXPECT_EQ(port_of(*make_address("::1", static_cast<std::uint16_t>(port))), port);
  }
}

TEST(Address, IsMadeOfItsBytesAndGetsAnotherPort) {
  const unsigned char bytes[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  EXPECT_EQ(make_six(bytes, 80), *make_address("2001:db8::1", 80));
  EXPECT_EQ(make_four(bytes, 80), *make_address("32.1.13.184", 80));
  EXPECT_EQ(with_port(make_four(bytes, 0), 443), make_four(bytes, 443));
  EXPECT_EQ(with_port(*make_address("::1", 1), 2), *make_address("::1", 2));
  EXPECT_NE(make_four(bytes, 80), make_four(bytes, 81));
  EXPECT_NE(*make_address("127.0.0.1", 80), *make_address("::ffff:127.0.0.1", 80));
  const Address socket = *make_address("unix:/run/app.sock", 0);
  EXPECT_EQ(with_port(socket, 80), socket);
}

TEST(Address, AnUnknownFamilyHasNoText) { EXPECT_EQ(host_text(Address{}), ""); }

TEST(Address, MayBeAUnixSocketWithAPathOrAnAbstractName) {
  for (const std::string name : {"unix:/run/app.sock", "unix:@app", "unix:/a", "unix:/with space"}) {
    const auto address = make_address(name, 80);
    ASSERT_TRUE(address) << name;
    EXPECT_TRUE(is_unix(*address));
    EXPECT_EQ(text(*address), name);
    EXPECT_EQ(host_text(*address), "unix:");
    EXPECT_EQ(port_of(*address), 0);
  }
  EXPECT_EQ(unix_name(*make_address("unix:/run/a", 0)), "/run/a");
  EXPECT_EQ(unix_name(*make_address("unix:@a", 0)), std::string_view("\0a", 2));
  EXPECT_EQ(make_address("unix:/a", 0)->length, make_address("unix:@ab", 0)->length) << "an abstract name has no NUL at its end";
  EXPECT_FALSE(is_unix(*make_address("127.0.0.1", 0)));
}

TEST(Address, RefusesUnixSocketsThatCannotBe) {
  for (const std::string name : {"unix:", "unix:/", "unix:@", "unix:app.sock", "unix:./app.sock", "UNIX:/a"}) {
    EXPECT_FALSE(make_address(name, 0)) << name;
  }
  EXPECT_TRUE(make_address("unix:/" + std::string(kUnixNameBytes - 1, 'a'), 0));
  EXPECT_FALSE(make_address("unix:/" + std::string(kUnixNameBytes, 'a'), 0));
  EXPECT_FALSE(make_address(std::string("unix:/a\0b", 9), 0));
}

TEST(Address, OfAUnixClientIsAlwaysPrintable) {
  EXPECT_EQ(text(make_unix_address("")), "unix:");
  EXPECT_EQ(text(make_unix_address(std::string_view("\0\n\0\x7f\xc3", 5))), "unix:@????");
  EXPECT_EQ(text(make_unix_address("/a\nb")), "unix:/a?b");
}

TEST(AddressRange, OfUnixSocketsContainsThemAndNothingElse) {
  const AddressRange range = AddressRange::unix_sockets();
  EXPECT_TRUE(range.contains(make_unix_address("")));
  EXPECT_TRUE(range.contains(*make_address("unix:/run/a", 0)));
  EXPECT_FALSE(range.contains(*make_address("127.0.0.1", 0)));
  EXPECT_FALSE(range.contains(*make_address("::", 0)));
  EXPECT_FALSE(AddressRange::make("::", 0)->contains(make_unix_address("")));
  EXPECT_FALSE(AddressRange::make("unix:/a", 0));
}

TEST(AddressRange, ContainsWhatItsPrefixSays) {
  struct { const char* range; unsigned bits; const char* address; bool expected; } const kTable[] = {
      {"10.0.0.0", 8, "10.0.0.0", true},      {"10.0.0.0", 8, "10.255.255.255", true},
      {"10.0.0.0", 8, "11.0.0.0", false},     {"10.0.0.0", 8, "9.255.255.255", false},
      {"10.1.2.3", 8, "10.9.9.9", true},      {"192.168.1.0", 25, "192.168.1.127", true},
      {"192.168.1.0", 25, "192.168.1.128", false}, {"192.168.1.4", 30, "192.168.1.7", true},
      {"192.168.1.4", 30, "192.168.1.8", false}, {"1.2.3.4", 32, "1.2.3.4", true},
      {"1.2.3.4", 32, "1.2.3.5", false},      {"0.0.0.0", 0, "255.1.2.3", true},
      {"0.0.0.0", 0, "2001:db8::1", false},   {"10.0.0.0", 8, "::ffff:10.1.2.3", true},
      {"10.0.0.0", 8, "::10.1.2.3", false},   {"2001:db8::", 32, "2001:db8:ffff::1", true},
      {"2001:db8::", 32, "2001:db9::", false}, {"::1", 128, "::1", true},
      {"::1", 128, "::2", false},             {"fe80::", 10, "febf::1", true},
      {"fe80::", 10, "fec0::1", false},       {"::", 0, "2001:db8::1", true},
      {"::", 0, "1.2.3.4", true},             {"::ffff:0:0", 96, "1.2.3.4", true},
  };
  for (const auto& row : kTable) {
    const auto range = AddressRange::make(row.range, row.bits);
    ASSERT_TRUE(range) << row.range;
    EXPECT_EQ(range->contains(*make_address(row.address, 1)), row.expected) << row.range << "/" << row.bits << " " << row.address;
  }
}

TEST(AddressRange, RefusesPrefixesThatAreTooLong) {
  EXPECT_FALSE(AddressRange::make("10.0.0.0", 33));
  EXPECT_FALSE(AddressRange::make("::", 129));
  EXPECT_FALSE(AddressRange::make("example.org", 8));
  EXPECT_FALSE(AddressRange::make("", 0));
  EXPECT_FALSE(AddressRange::make("::", 0)->contains(Address{}));
}

}  // namespace
}  // namespace tidegate::net
