// Requests that look odd but are legal: each must be accepted, with exactly this model, however it arrives.
// The answer reads: method target @authority version connection framing fields, '-' before a hop-by-hop field.
#include <string>

#include "http/every_way.h"

namespace tidegate::http::test {
namespace {

using namespace std::string_view_literals;

constexpr Vector kFirstLines[] = {
    {"the plainest", "GET / HTTP/1.1", "GET / @h 1.1 keep none [host=h]"},
    {"F18 OPTIONS of an asterisk", "OPTIONS * HTTP/1.1", "OPTIONS * @h 1.1 keep none [host=h]"},
    {"F18 OPTIONS of a path", "OPTIONS /a HTTP/1.1", "OPTIONS /a @h 1.1 keep none [host=h]"},
    {"F17 the absolute-form's authority wins", "GET http://o:81/a?b HTTP/1.1", "GET /a?b @o:81 1.1 keep none [host=h]"},
    {"F17 the absolute-form without a path", "GET http://o HTTP/1.1", "GET / @o 1.1 keep none [host=h]"},
    {"F17 the scheme in odd case", "GET HtTp://o/a HTTP/1.1", "GET /a @o 1.1 keep none [host=h]"},
    {"F17 the absolute-form of IPv6", "GET http://[::1]:80/ HTTP/1.1", "GET / @[::1]:80 1.1 keep none [host=h]"},
    {"F17 an at sign in the path is no user", "GET http://o/u@p HTTP/1.1", "GET /u@p @o 1.1 keep none [host=h]"},
    {"F17 OPTIONS of a whole server (RFC 9112 3.2.4)", "OPTIONS http://o HTTP/1.1", "OPTIONS * @o 1.1 keep none [host=h]"},
    {"F17 OPTIONS of a server's root", "OPTIONS http://o/ HTTP/1.1", "OPTIONS / @o 1.1 keep none [host=h]"},
    {"F22 an unknown method", "BREW / HTTP/1.1", "BREW / @h 1.1 keep none [host=h]"},
    {"F22 a lower-case method is another method", "get / HTTP/1.1", "get / @h 1.1 keep none [host=h]"},
    {"F22 a method of odd tokens", "M!#$%&'*+-.^_`|~9 / HTTP/1.1", "M!#$%&'*+-.^_`|~9 / @h 1.1 keep none [host=h]"},
    {"F22 a method of 32 bytes", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1",
     "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / @h 1.1 keep none [host=h]"},
    {"F22 a method of one byte", "X / HTTP/1.1", "X / @h 1.1 keep none [host=h]"},
    {"F22 a method that begins like CONNECT", "CONNECTED / HTTP/1.1", "CONNECTED / @h 1.1 keep none [host=h]"},
    {"two slashes", "GET //a//b HTTP/1.1", "GET //a//b @h 1.1 keep none [host=h]"},
    {"a colon in the path", "GET /a:b/http://c HTTP/1.1", "GET /a:b/http://c @h 1.1 keep none [host=h]"},
    {"percent codes stay as they are", "GET /%7Ea%2F%00%zz HTTP/1.1", "GET /%7Ea%2F%00%zz @h 1.1 keep none [host=h]"},
    {"dots stay as they are", "GET /a/../b/./c HTTP/1.1", "GET /a/../b/./c @h 1.1 keep none [host=h]"},
    {"bytes that browsers send unescaped", "GET /a|b{c}\"<>^`\\ HTTP/1.1", "GET /a|b{c}\"<>^`\\ @h 1.1 keep none [host=h]"},
    {"several question marks", "GET /?a=?&b HTTP/1.1", "GET /?a=?&b @h 1.1 keep none [host=h]"},
    {"brackets in a query", "GET /?a[]=1 HTTP/1.1", "GET /?a[]=1 @h 1.1 keep none [host=h]"},
    {"HTTP/1.0 closes", "GET / HTTP/1.0", "GET / @h 1.0 close none [host=h]"},
    {"F21 one empty line before", "\r\nGET / HTTP/1.1", "GET / @h 1.1 keep none [host=h]"},
    {"F21 two empty lines before", "\r\n\r\nGET / HTTP/1.1", "GET / @h 1.1 keep none [host=h]"},
    {"F21 an empty line and the absolute-form", "\r\nGET http://o/a HTTP/1.1", "GET /a @o 1.1 keep none [host=h]"},
};

void expect(const Vector& vector, const std::string& bytes) {
  SCOPED_TRACE(vector.name);
  const std::string length = " /" + std::to_string(bytes.size());
  EXPECT_EQ(request(bytes), std::string(vector.answer) + length);
  EXPECT_EQ(request(bytes + "GET /next HTTP/1.1\r\n"), std::string(vector.answer) + length) << "with more behind it";
}

TEST(AcceptedRequests, OddFirstLinesGiveTheRightModelHoweverTheyArrive) {
  for (const Vector& vector : kFirstLines) expect(vector, std::string(vector.bytes) + "\r\nHost: h\r\n\r\n");
}

/// Field lines of a POST with "Host: h" before them. The answer follows "POST / @h 1.1 ".
constexpr Vector kFieldLines[] = {
    {"F4 a length", "Content-Length: 5", "keep length:5 [host=h] [content-length=5]"},
    {"F4 a length of zero", "Content-Length: 0", "keep none cl:0 [host=h] [content-length=0]"},
    {"F4 leading zeros", "Content-Length: 005", "keep length:5 [host=h] [content-length=005]"},
    {"F4 eighteen digits", "Content-Length: 999999999999999999",
     "keep length:999999999999999999 [host=h] [content-length=999999999999999999]"},
    {"F4 blanks around", "Content-Length: \t 5 \t ", "keep length:5 [host=h] [content-length=5]"},
    {"F4 no blank", "content-length:5", "keep length:5 [host=h] [content-length=5]"},
    {"F5 chunked", "Transfer-Encoding: chunked", "keep chunked [host=h] -[transfer-encoding=chunked]"},
    {"F5 chunked in odd case", "TRANSFER-ENCODING: cHuNkEd", "keep chunked [host=h] -[transfer-encoding=cHuNkEd]"},
    {"F5 chunked between blanks", "Transfer-Encoding:\t chunked\t ", "keep chunked [host=h] -[transfer-encoding=chunked]"},
    {"F1 fields that only look like framing", "Content-Lengths: 5\r\nX-Transfer-Encoding: chunked\r\nContent_Length: 6",
     "keep none [host=h] [content-lengths=5] [x-transfer-encoding=chunked] [content_length=6]"},
    {"F4 a colon in the name's place of the value", "Content-Length: 5\r\nX: Content-Length: 6",
     "keep length:5 [host=h] [content-length=5] [x=Content-Length: 6]"},
    {"F12 an empty value", "X:", "keep none [host=h] [x=]"},
    {"F12 a blank value", "X: \t ", "keep none [host=h] [x=]"},
    {"F12 a tab inside", "X: a\tb", "keep none [host=h] [x=a\tb]"},
    {"F12 obs-text", "X: \xe4\xff\x80", "keep none [host=h] [x=\xe4\xff\x80]"},
    {"F12 a colon first", "X: :a", "keep none [host=h] [x=:a]"},
    {"F12 no blank and two colons", "X::a", "keep none [host=h] [x=:a]"},
    {"F15 a name of odd tokens", "!#$%&'*+-.^_`|~9a: b", "keep none [host=h] [!#$%&'*+-.^_`|~9a=b]"},
    {"F15 a name with an underscore", "x_y: b", "keep none [host=h] [x_y=b]"},
    {"F15 the same name many times", "a: 1\r\nA: 2\r\na: 1", "keep none [host=h] [a=1] [a=2] [a=1]"},
    {"F23 nothing says a body", "X: y", "keep none [host=h] [x=y]"},
    {"H2 Connection names fields", "Connection: X, y\r\nx: 1\r\nY: 2\r\nz: 3",
     "keep none [host=h] -[connection=X, y] -[x=1] -[y=2] [z=3]"},
    {"H2 Connection names a field that came before", "x: 1\r\nConnection: x", "keep none [host=h] -[x=1] -[connection=x]"},
    {"H2 two Connection lines", "Connection: x\r\nConnection: close\r\nx: 1",
     "close none [host=h] -[connection=x] -[connection=close] -[x=1]"},
    {"H2 Connection with empty elements", "Connection: ,, x ,\r\nx: 1", "keep none [host=h] -[connection=,, x ,] -[x=1]"},
    {"H2 Connection empty", "Connection:", "keep none [host=h] -[connection=]"},
    {"H2 Connection names what is absent", "Connection: nothing", "keep none [host=h] -[connection=nothing]"},
    {"H2 Connection names itself", "Connection: connection", "keep none [host=h] -[connection=connection]"},
    {"H2 Host cannot be named away", "Connection: host, Host", "keep none [host=h] -[connection=host, Host]"},
    {"H2 Content-Length cannot be named away", "Connection: content-length\r\nContent-Length: 5",
     "keep length:5 [host=h] -[connection=content-length] [content-length=5]"},
    {"H2 Transfer-Encoding frames although it is named", "Connection: transfer-encoding\r\nTransfer-Encoding: chunked",
     "keep chunked [host=h] -[connection=transfer-encoding] -[transfer-encoding=chunked]"},
    {"H2 hop-by-hop by nature", "Keep-Alive: timeout=5\r\nProxy-Connection: close\r\nTE: gzip\r\nUpgrade: h2c",
     "keep none [host=h] -[keep-alive=timeout=5] -[proxy-connection=close] -[te=gzip] -[upgrade=h2c]"},
    {"H2 the keep-alive option is not a name", "Connection: keep-alive\r\nkeep-alive: a",
     "keep none [host=h] -[connection=keep-alive] -[keep-alive=a]"},
    {"H2 a field called close is not nominated by the option", "Connection: close\r\nclose: a",
     "close none [host=h] -[connection=close] [close=a]"},
    {"H4 TE: trailers", "TE: trailers\r\nConnection: TE", "keep none [host=h] -[te=trailers] -[connection=TE]"},
    {"H8 an upgrade to WebSocket", "Upgrade: websocket\r\nConnection: Upgrade",
     "keep none [host=h] -[upgrade=websocket] -[connection=Upgrade]"},
    {"H9 Expect", "Expect: 100-continue\r\nContent-Length: 5",
     "keep length:5 continue [host=h] [expect=100-continue] [content-length=5]"},
    {"H9 Expect in odd case", "EXPECT: 100-Continue\r\nContent-Length: 5",
     "keep length:5 continue [host=h] [expect=100-Continue] [content-length=5]"},
    {"H9 Expect twice", "Expect: 100-continue\r\nExpect: 100-continue",
     "keep none continue [host=h] [expect=100-continue] [expect=100-continue]"},
    {"close", "Connection: close", "close none [host=h] -[connection=close]"},
    {"close in odd case", "CONNECTION: CLOSE", "close none [host=h] -[connection=CLOSE]"},
    {"close among others wins", "Connection: keep-alive, close", "close none [host=h] -[connection=keep-alive, close]"},
    {"closed is not close", "Connection: closed", "keep none [host=h] -[connection=closed]"},
    {"Proxy-Connection does not close", "Proxy-Connection: close", "keep none [host=h] -[proxy-connection=close]"},
};

TEST(AcceptedRequests, OddFieldLinesGiveTheRightModelHoweverTheyArrive) {
  for (const Vector& vector : kFieldLines) {
    const std::string answer = "POST / @h 1.1 " + std::string(vector.answer);
    expect({vector.name, {}, answer}, "POST / HTTP/1.1\r\nHost: h\r\n" + std::string(vector.bytes) + "\r\n\r\n");
  }
}

constexpr Vector kWhole[] = {
    {"F16 HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", "GET / @ 1.0 close none"},
    {"F16 HTTP/1.0 with the absolute-form only", "GET http://o/a HTTP/1.0\r\n\r\n", "GET /a @o 1.0 close none"},
    {"HTTP/1.0 kept alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
     "GET / @ 1.0 keep none -[connection=Keep-Alive]"},
    {"HTTP/1.0 kept alive and closed", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
     "GET / @ 1.0 close none -[connection=keep-alive, close]"},
    {"HTTP/1.0 with Proxy-Connection only", "GET / HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n",
     "GET / @ 1.0 close none -[proxy-connection=keep-alive]"},
    {"H9 Expect in HTTP/1.0 is ignored", "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
     "POST / @ 1.0 close length:1 [expect=100-continue] [content-length=1]"},
    {"F23 GET with a body", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n",
     "GET / @h 1.1 keep length:3 [host=h] [content-length=3]"},
    {"F23 HEAD with a body", "HEAD / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
     "HEAD / @h 1.1 keep chunked [host=h] -[transfer-encoding=chunked]"},
    {"F23 DELETE with a body", "DELETE / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n",
     "DELETE / @h 1.1 keep length:1 [host=h] [content-length=1]"},
    {"F23 OPTIONS of an asterisk with a body", "OPTIONS * HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n",
     "OPTIONS * @h 1.1 keep length:2 [host=h] [content-length=2]"},
    {"Host last", "GET / HTTP/1.1\r\na: b\r\nHost: h\r\n\r\n", "GET / @h 1.1 keep none [a=b] [host=h]"},
    {"F16 a malformed Connection names nothing", "GET / HTTP/1.1\r\nHost: h\r\nConnection: a b;c=\"d\"\r\n\r\n",
     "GET / @h 1.1 keep none [host=h] -[connection=a b;c=\"d\"]"},
};

TEST(AcceptedRequests, WholeMessagesGiveTheRightModelHoweverTheyArrive) {
  for (const Vector& vector : kWhole) expect(vector, std::string(vector.bytes));
}

TEST(AcceptedRequests, EveryLegalHostIsAccepted) {
  for (const char* host : {"example.org", "EXAMPLE.org", "example.org.", "example.org:80", "example.org:", "localhost",
                           "a_b", "xn--bcher-kva.example", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:80", "[::]",
                           "[2001:DB8::a]:443", "[::ffff:1.2.3.4]", "a%20b", "-", "a!$&'()*+;=b", "1"}) {
    SCOPED_TRACE(host);
    const std::string text = host;
    EXPECT_TRUE(request("GET / HTTP/1.1\r\nHost: " + text + "\r\n\r\n").starts_with("GET / @" + text + " 1.1 keep none"));
    EXPECT_TRUE(request("GET http://" + text + "/ HTTP/1.1\r\nHost: h\r\n\r\n").starts_with("GET / @" + text + " 1.1"));
  }
}

TEST(AcceptedRequests, ADecoderReadsOneRequestAfterAnother) {
  const std::string bytes =
      "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
      "\r\nGET /b HTTP/1.0\r\n\r\n"
      "GET /c HTTP/1.1\r\nHost: i\r\nConnection: x\r\nx: y\r\n\r\n";
  RequestHeadDecoder decoder({});
  RequestHead head;
  std::string_view rest = bytes;
  std::string seen;
  while (!rest.empty()) {
    decoder.reset();
    ASSERT_EQ(decoder.feed(rest, head), HeadState::Done) << decoder.refusal().reason;
    seen += describe(head) + "\n";
    rest.remove_prefix(decoder.consumed());
  }
  EXPECT_EQ(seen,
            "POST /a @h 1.1 keep chunked continue [host=h] [expect=100-continue] -[transfer-encoding=chunked]\n"
            "GET /b @ 1.0 close none\n"
            "GET /c @i 1.1 keep none [host=i] -[connection=x] -[x=y]\n");
}

TEST(AcceptedRequests, ThePathIsTheTargetWithoutItsQuery) {
  RequestHead head;
  for (const auto& [target, path] : {std::pair{"/a?b", "/a"}, {"/a", "/a"}, {"/?", "/"}, {"/a?b?c/d", "/a"}, {"*", "*"}}) {
    head.target = target;
    EXPECT_EQ(head.path(), path);
  }
}

TEST(Incomplete, AHeadWithoutItsEndIsWaitedForAndThenTimedOut) {
  for (const std::string_view part : {""sv, "\r"sv, "\r\n\r\n"sv, "G"sv, "GET / HTTP/1.1\r\n"sv, "GET / HTTP/1.1\r\nHost: h\r\n\r"sv}) {
    EXPECT_EQ(request(part), "more");
  }
  RequestHeadDecoder decoder({});
  RequestHead head;
  decoder.reset();
  ASSERT_EQ(decoder.feed("GET / HTTP/1.1\r\n", head), HeadState::NeedMore);
  decoder.time_out();
  EXPECT_EQ(decoder.refusal().status, 408);
  EXPECT_EQ(decoder.feed("GET / HTTP/1.1\r\nHost: h\r\n\r\n", head), HeadState::Refused);
}

}  // namespace
}  // namespace tidegate::http::test
