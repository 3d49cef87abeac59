// Request lines, targets and Hosts that must be refused (F11, F16-F22 of tests/RELIABILITY.md).
#include <string>

#include "http/every_way.h"

namespace tidegate::http::test {
namespace {

using namespace std::string_view_literals;

/// Whole first lines; "Host: h" and the end of the head follow.
constexpr Vector kRequestLines[] = {
    {"F17 https where the listener speaks http", "GET https://h/ HTTP/1.1", "400 scheme"},
    {"F17 an unknown scheme", "GET ftp://h/ HTTP/1.1", "400 scheme"},
    {"F17 an empty scheme", "GET ://h/ HTTP/1.1", "400 scheme"},
    {"F17 no authority", "GET http:/// HTTP/1.1", "400 malformed authority"},
    {"F17 no authority and no path", "GET http:// HTTP/1.1", "400 malformed authority"},
    {"F17 a user in the authority", "GET http://u@h/ HTTP/1.1", "400 malformed authority"},
    {"F17 a password in the authority", "GET http://u:p@h/ HTTP/1.1", "400 malformed authority"},
    {"F17 a backslash in the authority", "GET http://h\\evil/ HTTP/1.1", "400 malformed authority"},
    {"F17 a port of letters", "GET http://h:x/ HTTP/1.1", "400 malformed authority"},
    {"F17 a port of six digits", "GET http://h:123456/ HTTP/1.1", "400 malformed authority"},
    {"F17 two ports", "GET http://h:80:80/ HTTP/1.1", "400 malformed authority"},
    {"F17 a list as the authority", "GET http://a,b/ HTTP/1.1", "400 malformed authority"},
    {"F17 an open bracket", "GET http://[::1/ HTTP/1.1", "400 malformed authority"},
    {"F18 an asterisk for GET", "GET * HTTP/1.1", "400 asterisk"},
    {"F18 an asterisk for POST", "POST * HTTP/1.1", "400 asterisk"},
    {"F18 two asterisks", "OPTIONS ** HTTP/1.1", "400 request target without"},
    {"F18 an asterisk and a path", "OPTIONS */a HTTP/1.1", "400 request target without"},
    {"F18 Beast: no leading slash", "GET foo HTTP/1.1", "400 request target without"},
    {"F18 authority-form without CONNECT", "GET h:80 HTTP/1.1", "400 request target without"},
    {"F18 a query only", "GET ?a=b HTTP/1.1", "400 request target without"},
    {"F18 a dot", "GET ./a HTTP/1.1", "400 request target without"},
    {"F18 a backslash", "GET \\a HTTP/1.1", "400 request target without"},
    {"F18 one slash after the scheme", "GET http:/h/ HTTP/1.1", "400 request target without"},
    {"F19 a space in the target", "GET /a b HTTP/1.1", "400 malformed HTTP version"},
    {"F19 two spaces before the target", "GET  / HTTP/1.1", "400 malformed request target"},
    {"F19 two spaces after the target", "GET /  HTTP/1.1", "400 malformed HTTP version"},
    {"F19 a tab between", "GET\t/ HTTP/1.1", "400 malformed request line"},
    {"F19 a tab after the target", "GET /\tHTTP/1.1", "400 malformed request target"},
    {"F19 Beast: a fragment", "GET /a#b HTTP/1.1", "400 malformed request target"},
    {"F19 a fragment only", "GET # HTTP/1.1", "400 malformed request target"},
    {"F19 Beast: a byte over 0x7f", "GET /\xe4 HTTP/1.1", "400 malformed request target"},
    {"F19 UTF-8", "GET /\xc3\xa4 HTTP/1.1", "400 malformed request target"},
    {"F19 DEL", "GET /\x7f HTTP/1.1", "400 malformed request target"},
    {"F19 NUL", "GET /\0 HTTP/1.1"sv, "400 malformed request target"},
    {"F19 CR in the target", "GET /\r HTTP/1.1", "400 malformed request target"},
    {"F19 a vertical tab", "GET /\v HTTP/1.1", "400 malformed request target"},
    {"F19 a space after the version", "GET / HTTP/1.1 ", "400 malformed HTTP version"},
    {"F19 a word after the version", "GET / HTTP/1.1 x", "400 malformed HTTP version"},
    {"F19 CR after the version", "GET / HTTP/1.1\r", "400 malformed HTTP version"},
    {"F19 a space before the method", " GET / HTTP/1.1", "400 malformed request line"},
    {"F20 HTTP/1.2", "GET / HTTP/1.2", "505"},
    {"F20 HTTP/1.9", "GET / HTTP/1.9", "505"},
    {"F20 HTTP/2.0", "GET / HTTP/2.0", "505"},
    {"F20 HTTP/0.9", "GET / HTTP/0.9", "505"},
    {"F20 HTTP/3.0", "GET / HTTP/3.0", "505"},
    {"F20 the preface of HTTP/2", "PRI * HTTP/2.0", "505"},
    {"F20 HTTP/1.10", "GET / HTTP/1.10", "400 malformed HTTP version"},
    {"F20 HTTP/01.1", "GET / HTTP/01.1", "400 malformed HTTP version"},
    {"F20 HTTP/1", "GET / HTTP/1", "400 malformed HTTP version"},
    {"F20 HTTP/2", "GET / HTTP/2", "400 malformed HTTP version"},
    {"F20 HTTP/1,1", "GET / HTTP/1,1", "400 malformed HTTP version"},
    {"F20 HTTP/1.x", "GET / HTTP/1.x", "400 malformed HTTP version"},
    {"F20 HTTP/-1.1", "GET / HTTP/-1.1", "400 malformed HTTP version"},
    {"F20 lower case", "GET / http/1.1", "400 malformed HTTP version"},
    {"F20 mixed case", "GET / HTTp/1.1", "400 malformed HTTP version"},
    {"F20 another protocol", "GET / ICAP/1.0", "400 malformed HTTP version"},
    {"F20 RTSP", "DESCRIBE / RTSP/1.0", "400 malformed HTTP version"},
    {"F20 no version", "GET /", "400 malformed request target"},
    {"F20 no version but a space", "GET / ", "400 malformed HTTP version"},
    {"F20 a method only", "GET", "400 malformed request line"},
    {"F20 a method and a space", "GET ", "400 malformed request target"},
    {"F22 a method with a colon", "GET: / HTTP/1.1", "400 malformed request line"},
    {"F22 a method with a slash", "GET/ / HTTP/1.1", "400 malformed request line"},
    {"F22 a quoted method", "\"GET\" / HTTP/1.1", "400 malformed request line"},
    {"F22 a method with a NUL", "GE\0T / HTTP/1.1"sv, "400 malformed request line"},
    {"F22 a method over 0x7f", "G\xc9T / HTTP/1.1", "400 malformed request line"},
    {"F22 a method of 33 bytes", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1", "400 method too long"},
    {"F22 CONNECT", "CONNECT h:443 HTTP/1.1", "405"},
    {"F22 CONNECT with a path", "CONNECT / HTTP/1.1", "405"},
    {"H12 CONNECT in HTTP/1.0", "CONNECT h:443 HTTP/1.0", "405"},
    {"F22 TRACE", "TRACE / HTTP/1.1", "405"},
    {"F22 TRACE of an asterisk", "TRACE * HTTP/1.1", "405"},
    {"a TLS ClientHello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"sv, "400 malformed request line"},
    {"PROXY protocol, version 1", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2", "400"},
    {"an SSH banner", "SSH-2.0-OpenSSH_9.2", "400"},
    {"a response", "HTTP/1.1 200 OK", "400 malformed request line"},
};

TEST(RefusedRequests, MalformedRequestLinesAreRefusedHoweverTheyArrive) {
  for (const Vector& vector : kRequestLines) {
    SCOPED_TRACE(vector.name);
    const std::string answer = request(std::string(vector.bytes) + "\r\nHost: h\r\n\r\n");
    EXPECT_TRUE(answer.starts_with(vector.answer)) << answer;
  }
}

constexpr Vector kHosts[] = {
    {"F16 Beast: two Hosts", "Host: a\r\nHost: b", "400 more than one Host"},
    {"F16 two equal Hosts", "Host: a\r\nHost: a", "400 more than one Host"},
    {"F16 two Hosts apart, in odd case", "host: a\r\nX: y\r\nHOST: b", "400 more than one Host"},
    {"F16 Beast: no Host", "X: y", "400 no Host"},
    {"F16 a field that looks like Host", "Hosts: a", "400 no Host"},
    {"F16 empty", "Host:", "400 malformed Host"},
    {"F16 blank", "Host: \t ", "400 malformed Host"},
    {"F16 Beast: a space inside", "Host: a b", "400 malformed Host"},
    {"F16 Beast: a list", "Host: a,b", "400 malformed Host"},
    {"F16 a user", "Host: u@a", "400 malformed Host"},
    {"F16 a path", "Host: a/b", "400 malformed Host"},
    {"F16 a slash at the end", "Host: a/", "400 malformed Host"},
    {"F16 a scheme", "Host: http://a", "400 malformed Host"},
    {"F16 a query", "Host: a?b", "400 malformed Host"},
    {"F16 a fragment", "Host: a#b", "400 malformed Host"},
    {"F16 a backslash", "Host: a\\b", "400 malformed Host"},
    {"F16 quotes", "Host: \"a\"", "400 malformed Host"},
    {"F16 angle brackets", "Host: <script>", "400 malformed Host"},
    {"F16 a byte over 0x7f", "Host: \xc3\xa4", "400 malformed Host"},
    {"F16 a port only", "Host: :80", "400 malformed Host"},
    {"F16 a colon only", "Host: :", "400 malformed Host"},
    {"F16 a port of letters", "Host: a:http", "400 malformed Host"},
    {"F16 a negative port", "Host: a:-1", "400 malformed Host"},
    {"F16 a port with a path", "Host: a:80/x", "400 malformed Host"},
    {"F16 a port with a user", "Host: a:80@b", "400 malformed Host"},
    {"F16 two ports", "Host: a:80:80", "400 malformed Host"},
    {"F16 a bare IPv6 address", "Host: ::1", "400 malformed Host"},
    {"F16 an open bracket", "Host: [::1", "400 malformed Host"},
    {"F16 a closed bracket only", "Host: ::1]", "400 malformed Host"},
    {"F16 empty brackets", "Host: []", "400 malformed Host"},
    {"F16 text after the bracket", "Host: [::1]a", "400 malformed Host"},
    {"F16 text after the bracket and a port", "Host: [::1]a:80", "400 malformed Host"},
    {"F16 a name in brackets", "Host: [example.org]", "400 malformed Host"},
    {"F16 a zone in brackets", "Host: [fe80::1%25eth0]", "400 malformed Host"},
    {"F16 a tab inside", "Host: a\tb", "400 malformed Host"},
    {"F16 a NUL", "Host: a\0b"sv, "400 control character"},
    {"H2 Host cannot be hidden behind Connection", "Connection: host\r\nHost: a\r\nHost: b", "400 more than one Host"},
    {"H2 a malformed Host named by Connection", "Connection: host\r\nHost: a b", "400 malformed Host"},
};

TEST(RefusedRequests, MalformedHostsAreRefusedHoweverTheyArrive) {
  for (const Vector& vector : kHosts) {
    SCOPED_TRACE(vector.name);
    const std::string answer = request("GET / HTTP/1.1\r\n" + std::string(vector.bytes) + "\r\n\r\n");
    EXPECT_TRUE(answer.starts_with(vector.answer)) << answer;
  }
}

constexpr Vector kWhole[] = {
    {"F11 bare LF after the request line", "GET / HTTP/1.1\nHost: h\r\n\r\n", "400 line that does not end"},
    {"F11 bare LF everywhere", "GET / HTTP/1.1\nHost: h\n\n", "400 line that does not end"},
    {"F11 bare LF as the last line", "GET / HTTP/1.1\r\nHost: h\r\n\n", "400 line that does not end"},
    {"F11 bare LF before the request", "\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "400 line that does not end"},
    {"F12 bare CR as line ends", "GET / HTTP/1.1\rHost: h\r\r\n\r\n", "400 malformed HTTP version"},
    {"F14 a space before the first field", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", "400 folded"},
    {"F14 a tab before the first field", "GET / HTTP/1.1\r\n\tX: y\r\nHost: h\r\n\r\n", "400 folded"},
    {"F16 the absolute-form does not stand in for Host", "GET http://h/ HTTP/1.1\r\n\r\n", "400 no Host"},
    {"F16 a malformed Host beside the absolute-form", "GET http://h/ HTTP/1.1\r\nHost: a b\r\n\r\n", "400 malformed Host"},
    {"F16 two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", "400 more than one Host"},
    {"F16 a malformed Host in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a b\r\n\r\n", "400 malformed Host"},
    {"F20 the simple request of HTTP/0.9", "GET /\r\n", "400 malformed request target"},
    {"F21 three empty lines", "\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "400 empty lines"},
    {"F21 blanks are not an empty line", " \r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "400 malformed request line"},
    {"F22 the method must begin the line", "\r\n GET / HTTP/1.1\r\nHost: h\r\n\r\n", "400 malformed request line"},
    {"H9 an unknown expectation in HTTP/1.0", "GET / HTTP/1.0\r\nExpect: x\r\n\r\n", "417"},
};

TEST(RefusedRequests, WholeMessagesThatBreakTheGrammarAreRefusedHoweverTheyArrive) {
  for (const Vector& vector : kWhole) {
    SCOPED_TRACE(vector.name);
    const std::string answer = request(vector.bytes);
    EXPECT_TRUE(answer.starts_with(vector.answer)) << answer;
  }
}

TEST(RefusedRequests, EveryControlByteIsRefusedInEveryPartOfAHead) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool control = byte < 0x20 || byte == 0x7f;
    if (!control || c == '\n') continue;
    SCOPED_TRACE(byte);
    const std::string text(1, c);
    EXPECT_TRUE(request("G" + text + "T / HTTP/1.1\r\nHost: h\r\n\r\n").starts_with("400"));
    EXPECT_TRUE(request("GET /" + text + " HTTP/1.1\r\nHost: h\r\n\r\n").starts_with("400"));
    EXPECT_TRUE(request("GET / HTTP/1.1" + text + "\r\nHost: h\r\n\r\n").starts_with("400"));
    EXPECT_TRUE(request("GET / HTTP/1.1\r\nHost: h\r\nX" + text + "Y: z\r\n\r\n").starts_with("400"));
    EXPECT_TRUE(request("GET / HTTP/1.1\r\nHost: h" + text + "i\r\n\r\n").starts_with("400"));
    EXPECT_EQ(request("GET / HTTP/1.1\r\nHost: h\r\nX: y" + text + "z\r\n\r\n").starts_with("400"), c != '\t');
  }
}

}  // namespace
}  // namespace tidegate::http::test
