#include "config/addresses.h"

#include <gtest/gtest.h>

#include "config/text_rules.h"

namespace tidegate::config {
namespace {

TEST(SocketAddress, IsALiteralAndAPort) {
  EXPECT_EQ(to_string(*parse_socket_address("0.0.0.0:8080").value), "0.0.0.0:8080");
  EXPECT_EQ(to_string(*parse_socket_address("[::1]:0").value), "[::1]:0");
  EXPECT_EQ(to_string(*parse_socket_address("[2001:DB8:0:0::1]:443").value), "[2001:db8::1]:443");
}

TEST(SocketAddress, IsRefusedInEveryOtherForm) {
  for (const char* text : {"", ":", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
      "127.0.0.1:080",
                           "127.0.0.1:http", "localhost:80", "::1:80", "[::1]", "[::1]80", "[::1:80", "::1]:80",
                           "[127.0.0.1]:80", "010.0.0.1:80", "1.2.3:80", "[fe80::1%eth0]:80", "*:80",
                               "http://1.2.3.4:80"}) {
    EXPECT_FALSE(parse_socket_address(text)) << text;
  }
}

TEST(SocketAddress, WithoutAHostSaysWhatToWrite) {
  EXPECT_EQ(parse_socket_address("8080").error,
            "\"8080\" has no host; write 127.0.0.1:8080 for this machine only, or 0.0.0.0:8080 for every IPv4 address");
  EXPECT_EQ(parse_listener_address(":8080").error,
            "\":8080\" has no host; write 127.0.0.1:8080 for this machine only, or 0.0.0.0:8080 for every IPv4 address");
  EXPECT_EQ(parse_endpoint("9001").error, "\"9001\" has no host; write 127.0.0.1:9001 for this machine, or another address or name");
}

TEST(SocketAddress, WithoutBracketsMayHaveAPort) {
  EXPECT_EQ(parse_listener_address("::1:8084").error,
            "\"::1:8084\" is IPv6 without brackets; write [::1]:8084, or [::1:8084]:PORT when all of it is the address");
  EXPECT_EQ(parse_listener_address("::1:65000").error, "\"::1:65000\" is IPv6 without brackets; write [::1]:65000");
  EXPECT_EQ(parse_listener_address("::1").error, "\"::1\" is IPv6 without brackets; write [::1]:PORT");
  EXPECT_EQ(parse_endpoint("2001:db8::1:443").error,
            "\"2001:db8::1:443\" is IPv6 without brackets; write [2001:db8::1]:443, or [2001:db8::1:443]:PORT when all of it is the address");
}

TEST(Port, RangeIsThatOfThePlace) {
  EXPECT_EQ(parse_listener_address("127.0.0.1:65536").error, "\"65536\" is not a port (0..65535)");
  EXPECT_TRUE(parse_listener_address("127.0.0.1:0"));
  EXPECT_EQ(parse_endpoint("lb:65536").error, "\"65536\" is not a port (1..65535)");
  EXPECT_EQ(parse_endpoint("lb:0").error, "\"0\" is not a port (1..65535)");
  EXPECT_EQ(parse_name_server("10.0.0.2:0").error, "\"0\" is not a port (1..65535)");
}

TEST(Endpoint, MayBeAName) {
  const auto endpoint = parse_endpoint("Old-LB.example.com:443");
  ASSERT_TRUE(endpoint);
  EXPECT_EQ(endpoint.value->host, "old-lb.example.com");
  EXPECT_EQ(endpoint.value->port, 443);
  EXPECT_EQ(endpoint.value->text, "Old-LB.example.com:443");
  EXPECT_EQ(parse_endpoint("[2001:db8::5]:80").value->host, "2001:db8::5");
  EXPECT_TRUE(parse_endpoint("svc_a.ns.svc.cluster.local.:80"));
}

TEST(Endpoint, IsRefusedWithAReason) {
  for (const char* text : {"", "lb", "lb:", "lb:0", "-lb:80", "lb-:80", "l b:80", "a..b:80", "10.0.0.256:80",
      "1.2.3:80",
                           "2001:db8::5:80", "lb:80/x", "lb\n:80", "[lb]:80"}) {
    EXPECT_FALSE(parse_endpoint(text)) << text;
  }
  EXPECT_EQ(parse_endpoint("lb").error, "\"lb\" has no port; write \"lb:PORT\"");
  EXPECT_EQ(parse_endpoint("https://lb:443").error, "\"https://lb:443\" is a URL; write only the host and the port");
  EXPECT_EQ(parse_endpoint("2001:db8::5").error,
            "\"2001:db8::5\" is IPv6 without brackets; write [2001:db8::5]:PORT");
}

TEST(UnixAddress, IsAPlainAbsolutePathOrAnAbstractName) {
  EXPECT_EQ(to_string(*parse_listener_address("unix:/run/a.sock").value), "unix:/run/a.sock");
  EXPECT_EQ(to_string(*parse_listener_address("unix:/run//./b/../a.sock").value), "unix:/run/a.sock");
  EXPECT_EQ(to_string(*parse_listener_address("unix:@a b/c").value), "unix:@a b/c");
  EXPECT_EQ(to_string(*parse_listener_address("127.0.0.1:80").value), "127.0.0.1:80");
  EXPECT_EQ(parse_endpoint("unix:/run/../a").value->host, "unix:/a");
  EXPECT_EQ(parse_endpoint("unix:/run/../a").value->text, "unix:/run/../a");
  const std::string most(107, 'a');
  EXPECT_TRUE(parse_endpoint("unix:@" + most.substr(1)));
  EXPECT_FALSE(parse_endpoint("unix:@" + most));
  for (const std::string text : {"unix:", "unix:/", "unix://", "unix:/..", "unix:@", "unix:a.sock", "unix:./a", "unix:/a/", "unix:/a\n", "unix:/a/.",
                                 "UNIX:/a", "unix"}) {
    EXPECT_FALSE(parse_listener_address(text)) << text;
    EXPECT_FALSE(parse_endpoint(text)) << text;
  }
  EXPECT_FALSE(parse_socket_address("unix:/run/a.sock"));
}

TEST(AddressRange, MayBeEveryUnixSocket) {
  EXPECT_EQ(to_string(*parse_range("unix").value), "unix");
  EXPECT_EQ(to_string(*parse_range("10.0.0.0/8").value), "10.0.0.0/8");
  EXPECT_FALSE(parse_range("unix:"));
  EXPECT_FALSE(parse_range("unix/0"));
}

TEST(AddressRange, IsAnAddressAndAPrefix) {
  const auto range = parse_range("10.0.0.0/8");
  ASSERT_TRUE(range);
  EXPECT_EQ(range.value->address, "10.0.0.0");
  EXPECT_EQ(range.value->prefix, 8);
  EXPECT_EQ(parse_range("192.0.2.7").value->prefix, 32);
  EXPECT_EQ(parse_range("2001:db8::/32").value->prefix, 32);
  EXPECT_EQ(parse_range("::1").value->prefix, 128);
  EXPECT_EQ(parse_range("0.0.0.0/0").value->prefix, 0);
  for (const char* text : {"", "10", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "::/129", "10.0.0.0/-1", "a/8",
      "[::1]/128"}) {
    EXPECT_FALSE(parse_range(text)) << text;
  }
}

TEST(AddressRange, WithBitsBelowItsPrefixIsASlip) {
  EXPECT_EQ(parse_range("10.1.2.3/8").error, "\"10.1.2.3/8\" has bits set below its prefix; did you mean 10.0.0.0/8?");
}

TEST(Loopback, IsWhatOtherMachinesCannotReach) {
  EXPECT_TRUE(is_loopback({"127.0.0.1", 1}));
  EXPECT_TRUE(is_loopback({"127.9.9.9", 1}));
  EXPECT_TRUE(is_loopback({"::1", 1}));
  EXPECT_TRUE(is_loopback({"::ffff:127.0.0.1", 1}));
  EXPECT_FALSE(is_loopback({"0.0.0.0", 1}));
  EXPECT_FALSE(is_loopback({"::", 1}));
  EXPECT_FALSE(is_loopback({"128.0.0.1", 1}));
  EXPECT_FALSE(is_loopback({"::ffff:10.0.0.1", 1}));
}

TEST(Utf8, StopsAtTheFirstByteThatIsNone) {
  EXPECT_EQ(valid_utf8_prefix("gr\xC3\xBC\xC3\x9F"), 6u);
  EXPECT_EQ(valid_utf8_prefix("\xF0\x9F\x8C\x8A"), 4u);
  for (const char* text : {"\x80", "\xC0\xAF", "\xC3", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
      "\xF4\x90\x80\x80",
                           "\xF5\x80\x80\x80", "\xFF\xFE"}) {
    EXPECT_EQ(valid_utf8_prefix(text), 0u) << text;
  }
}

}  // namespace
}  // namespace tidegate::config
