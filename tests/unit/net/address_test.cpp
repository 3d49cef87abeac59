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
}

TEST(Address, KeepsEveryPort) {
  for (const int port : {0, 1, 80, 65'535}) {
    EXPECT_EQ(port_of(*make_address("::1", static_cast<std::uint16_t>(port))), port);
  }
}

TEST(Address, AnUnknownFamilyHasNoText) { EXPECT_EQ(host_text(Address{}), ""); }

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
