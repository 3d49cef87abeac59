// Request heads of HTTP/2: each is told as exactly this head, or refused in exactly this way, however it arrives. The names begin
// with the line of the checklist (tests/RELIABILITY.md). Behind "| " is what the client is told.
#include "http/h2_ear.h"

namespace tidegate::http::test {
namespace {

struct Case {
  const char* name;
  Fields fields;
  std::string answer;
};

const std::string kMalformed = "| RST(1 PROTOCOL_ERROR)\n";

std::string accepted(const std::string& rest) { return "request 1: " + rest + "\n| \n"; }
std::string refused(const std::string& why) {
  return "refused 1: " + why + "\n| HEADERS(1)+END\nclosed 1: NO_ERROR\n";
}
Fields with(Fields fields, const std::string& name, const std::string& value) {
  for (auto& [has, old] : fields) {
    if (has == name) old = value;
  }
  return fields;
}
Fields without(const Fields& fields, const std::string& name) {
  Fields out;
  for (const auto& field : fields) {
    if (field.first != name) out.push_back(field);
  }
  return out;
}

void check(const std::vector<Case>& cases, const H2Limits& limits = {}) {
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    EXPECT_EQ(to_server(headers(1, one.fields, kEndHeaders | kEnd), limits), one.answer);
  }
}

TEST(H2RequestHeads, BecomeTheModelThatHttp1HeadsBecome) {
  check({
      {"the plainest", get(), accepted("GET / @h https none")},
      {"fields as lines", get({{"a", "b"}, {"c", ""}, {"d-e_f", "x\ty"}}), accepted("GET / @h https none [a=b] [c=] [d-e_f=x\ty]")},
      {"obs-text", get({{"a", "\xe4\xff"}}), accepted("GET / @h https none [a=\xe4\xff]")},
      {"scheme http", with(get(), ":scheme", "http"), accepted("GET / @h http none")},
      {"T4 bytes that browsers send unescaped", with(get(), ":path", "/a|b{c}\"<>^`\\?d=?e[]"),
       accepted("GET /a|b{c}\"<>^`\\?d=?e[] @h https none")},
      {"an unknown method", with(get(), ":method", "BREW"), accepted("BREW / @h https none")},
      {"a method of 32 bytes", with(get(), ":method", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF"),
       accepted("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / @h https none")},
      {"OPTIONS of an asterisk", with(with(get(), ":method", "OPTIONS"), ":path", "*"), accepted("OPTIONS * @h https none")},
      {"an authority with a port", with(get(), ":authority", "[::1]:8443"), accepted("GET / @[::1]:8443 https none")},
      {"T5 Host instead of :authority", without(get({{"host", "x:1"}}), ":authority"), accepted("GET / @x:1 https none [host=x:1]")},
      {"T5 both, equal", get({{"host", "H"}}), accepted("GET / @h https none [host=H]")},
      {"T2 TE: trailers is hop-by-hop", get({{"te", "trailers"}}), accepted("GET / @h https none -[te=trailers]")},
      {"T7 a length of zero", get({{"content-length", "0"}}), accepted("GET / @h https none cl:0 [content-length=0]")},
      {"an expectation without content", get({{"expect", "100-continue"}}), accepted("GET / @h https none [expect=100-continue]")},
      {"T8 one cookie", get({{"cookie", "a=b"}, {"x", "y"}}), accepted("GET / @h https none [x=y] [cookie=a=b]")},
      {"T8 crumbs become one cookie", get({{"cookie", "a=b"}, {"x", "y"}, {"cookie", "c=d"}, {"cookie", "e=f"}}),
       accepted("GET / @h https none [x=y] [cookie=a=b; c=d; e=f]")},
      {"T8 an empty crumb", get({{"cookie", ""}, {"cookie", "c=d"}}), accepted("GET / @h https none [cookie=; c=d]")},
  });
}

TEST(H2RequestHeads, WhichAreMalformedResetTheirStream) {
  check({
      {"T1 upper case in a name", get({{"A", "b"}}), kMalformed},
      {"T1 a space in a name", get({{"a b", "c"}}), kMalformed},
      {"T1 a colon in a name", get({{"a:b", "c"}}), kMalformed},
      {"T1 a control in a name", get({{"a\x01", "c"}}), kMalformed},
      {"T1 an empty name", get({{"", "c"}}), kMalformed},
      {"T1 CR in a value", get({{"a", "b\rc"}}), kMalformed},
      {"T1 LF in a value", get({{"a", "b\nc"}}), kMalformed},
      {"T1 a whole line smuggled in a value", get({{"a", "b\r\nhost: evil"}}), kMalformed},
      {"T1 NUL in a value", get({{"a", std::string("b\0c", 3)}}), kMalformed},
      {"T1 DEL in a value", get({{"a", "b\x7f"}}), kMalformed},
      {"T1 a blank before the value", get({{"a", " b"}}), kMalformed},
      {"T1 a tab behind the value", get({{"a", "b\t"}}), kMalformed},
      {"T2 Connection", get({{"connection", "close"}}), kMalformed},
      {"T2 Connection that names TE", get({{"connection", "te"}}), kMalformed},
      {"T2 Proxy-Connection", get({{"proxy-connection", "close"}}), kMalformed},
      {"T2 Keep-Alive", get({{"keep-alive", "5"}}), kMalformed},
      {"T2 Transfer-Encoding", get({{"transfer-encoding", "chunked"}}), kMalformed},
      {"T2 Upgrade", get({{"upgrade", "h2c"}}), kMalformed},
      {"T2 TE with a coding", get({{"te", "gzip"}}), kMalformed},
      {"T2 TE with a coding besides", get({{"te", "trailers, gzip"}}), kMalformed},
      {"T3 no :method", without(get(), ":method"), kMalformed},
      {"T3 no :scheme", without(get(), ":scheme"), kMalformed},
      {"T3 no :path", without(get(), ":path"), kMalformed},
      {"T3 neither :authority nor Host", without(get(), ":authority"), kMalformed},
      {"T3 :method twice", get({{":method", "GET"}}), kMalformed},
      {"T3 :path twice", get({{":path", "/"}}), kMalformed},
      {"T3 :authority twice", get({{":authority", "h"}}), kMalformed},
      {"T3 an unknown one", get({{":odd", "x"}}), kMalformed},
      {"T3 one of responses", get({{":status", "200"}}), kMalformed},
      {"T3 behind a field", {{":method", "GET"}, {":scheme", "https"}, {":path", "/"}, {"a", "b"}, {":authority", "h"}}, kMalformed},
      {"T3 behind a cookie",
       {{":method", "GET"}, {":scheme", "https"}, {":path", "/"}, {"cookie", "b"}, {":authority", "h"}},
       kMalformed},
      {"T3 an empty :path", with(get(), ":path", ""), kMalformed},
      {"T3 a :path without a slash", with(get(), ":path", "a"), kMalformed},
      {"T3 a :path that is absolute", with(get(), ":path", "http://evil/"), kMalformed},
      {"T3 an asterisk without OPTIONS", with(get(), ":path", "*"), kMalformed},
      {"T4 a space in :method", with(get(), ":method", "GET /admin"), kMalformed},
      {"T4 CRLF in :method", with(get(), ":method", "GET / HTTP/1.1\r\nx: y"), kMalformed},
      {"T4 an empty :method", with(get(), ":method", ""), kMalformed},
      {"T4 a space in :path", with(get(), ":path", "/ HTTP/1.1"), kMalformed},
      {"T4 CRLF in :path", with(get(), ":path", "/\r\nx: y"), kMalformed},
      {"T4 NUL in :path", with(get(), ":path", std::string("/\0", 2)), kMalformed},
      {"T4 a space in :authority", with(get(), ":authority", "h x"), kMalformed},
      {"T4 a slash in :authority", with(get(), ":authority", "h/x"), kMalformed},
      {"T4 an empty Host", without(get({{"host", ""}}), ":authority"), kMalformed},
      {"T5 two Hosts", without(get({{"host", "h"}, {"host", "h"}}), ":authority"), kMalformed},
      {"T6 a length without content", get({{"content-length", "5"}}), kMalformed},
      {"T6 a length twice", get({{"content-length", "0"}, {"content-length", "0"}}), kMalformed},
      {"T6 a length that is none", get({{"content-length", "+0"}}), kMalformed},
      {"T6 an empty length", get({{"content-length", ""}}), kMalformed},
      {"T12 extended CONNECT that was not offered",
       {{":method", "CONNECT"}, {":scheme", "https"}, {":path", "/"}, {":authority", "h"}, {":protocol", "websocket"}},
       kMalformed},
      {"T12 CONNECT with a :path", with(get(), ":method", "CONNECT"), kMalformed},
  });
}

TEST(H2RequestHeads, WhichHttp1WouldRefuseGetTheSameStatus) {
  check({
      {"T3 a :scheme that is neither", with(get(), ":scheme", "ftp"), refused("400 :scheme is neither http nor https")},
      {"T4 a method of 33 bytes", with(get(), ":method", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG"), refused("400 method too long")},
      {"T4 a fragment in :path", with(get(), ":path", "/a#b"), refused("400 malformed request target")},
      {"T4 a byte over 0x7f in :path", with(get(), ":path", "/\xe4"), refused("400 malformed request target")},
      {"T4 a user in :authority", with(get(), ":authority", "u@h"), refused("400 malformed :authority")},
      {"T4 a comma in :authority", with(get(), ":authority", "a,b"), refused("400 malformed :authority")},
      {"T4 a port that is none", with(get(), ":authority", "h:x"), refused("400 malformed :authority")},
      {"T4 a bracket in Host", without(get({{"host", "[h"}}), ":authority"), refused("400 malformed Host")},
      {"T5 Host other than :authority", get({{"host", "evil"}}), refused("400 Host other than :authority")},
      {"T5 Host with another port", get({{"host", "h:1"}}), refused("400 Host other than :authority")},
      {"T12 CONNECT", {{":method", "CONNECT"}, {":authority", "h:443"}}, refused("405 CONNECT is not served")},
      {"TRACE", with(get(), ":method", "TRACE"), refused("405 TRACE is not served")},
      {"an unknown expectation", get({{"expect", "miracles"}}), refused("417 unknown expectation")},
  });
}

TEST(H2RequestHeads, OfAnExtendedConnectAreTakenWhereItIsOffered) {
  H2Limits limits;
  limits.connect_protocol = true;
  const Fields websocket{
      {":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "https"}, {":path", "/chat"}, {":authority", "h"}};
  check({{"CONNECT alone", {{":method", "CONNECT"}, {":authority", "h"}}, refused("405 CONNECT is not served")},
         {"T12 :protocol with GET", get({}), accepted("GET / @h https none")},
         {"an odd protocol", with(websocket, ":protocol", "a b"), refused("400 malformed :protocol")}},
        limits);
  EXPECT_EQ(to_server(headers(1, websocket), limits), accepted("CONNECT /chat @h https protocol=websocket frames"));
}

TEST(H2RequestHeads, WithContentSayThatItComesInFrames) {
  EXPECT_EQ(to_server(headers(1, post())), accepted("POST / @h https frames"));
  EXPECT_EQ(to_server(headers(1, post({{"content-length", "5"}}))), accepted("POST / @h https frames cl:5 [content-length=5]"));
  EXPECT_EQ(to_server(headers(1, post({{"expect", "100-Continue"}}))), accepted("POST / @h https continue frames [expect=100-Continue]"));
}

TEST(H2RequestHeads, ComeInPiecesWithPaddingAndPriority) {
  const std::string fields = section(get({{"a", "b"}}));
  const std::string answer = accepted("GET / @h https none [a=b]");
  EXPECT_EQ(to_server(frame(kHeaders, kEndHeaders | kEnd | kPadded, 1, '\x03' + fields + "xyz")), answer);
  EXPECT_EQ(to_server(frame(kHeaders, kEndHeaders | kEnd | kPriorityFlag, 1, number(0, 4) + '\x0f' + fields)), answer);
  const std::string both = '\x01' + number(0, 4) + '\x0f' + fields + "p";
  EXPECT_EQ(to_server(frame(kHeaders, kEndHeaders | kEnd | kPadded | kPriorityFlag, 1, both)), answer);
  EXPECT_EQ(to_server(frame(kHeaders, kEnd, 1, fields.substr(0, 7)) + frame(kContinuation, 0, 1, fields.substr(7, 1)) +
                      frame(kContinuation, 0, 1) + frame(kContinuation, kEndHeaders, 1, fields.substr(8))),
            answer);
}

TEST(H2RequestHeads, OverTheBytesAreRefusedAndTheRestIsDecodedOnly) {
  H2Limits limits;
  limits.head = {200, 100, 100};
  const std::size_t pseudo = 7 + 3 + 4 + 7 + 5 + 4 + 5 + 1 + 4 + 10 + 1 + 4;
  const std::string fits(200 - pseudo - 5, 'x');
  EXPECT_EQ(to_server(headers(1, get({{"a", fits}}), kEndHeaders | kEnd), limits), accepted("GET / @h https none [a=" + fits + "]"));
  EXPECT_EQ(to_server(headers(1, get({{"a", fits + "x"}}), kEndHeaders | kEnd), limits), refused("431 head too long"));
  const std::string target = "/" + std::string(100, 'a');
  EXPECT_EQ(to_server(headers(1, with(get(), ":path", target), kEndHeaders | kEnd), limits), refused("414 request target too long"));
  // What comes behind is decoded, so that the next section is: it enters the table here, and is taken from there.
  std::string indexed = section(get({{"a", fits + "x"}}));
  indexed += '\x40' + hpack_text("late") + hpack_text("field");
  const std::string from_table = section(get()) + '\xbe';
  EXPECT_EQ(to_server(frame(kHeaders, kEndHeaders | kEnd, 1, indexed) + frame(kHeaders, kEndHeaders | kEnd, 3, from_table), limits),
            "refused 1: 431 head too long\nrequest 3: GET / @h https none [late=field]\n| HEADERS(1)+END\nclosed 1: NO_ERROR\n");
}

TEST(H2RequestHeads, OverTheNumberOfFieldsAreRefusedCrumbsIncluded) {
  H2Limits limits;
  limits.head.fields = 3;
  EXPECT_EQ(to_server(headers(1, get({{"a", "1"}, {"b", "2"}, {"c", "3"}}), kEndHeaders | kEnd), limits),
            accepted("GET / @h https none [a=1] [b=2] [c=3]"));
  EXPECT_EQ(to_server(headers(1, get({{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}}), kEndHeaders | kEnd), limits),
            refused("431 too many fields"));
  EXPECT_EQ(to_server(headers(1, get({{"cookie", "1"}, {"cookie", "2"}, {"cookie", "3"}, {"cookie", "4"}}), kEndHeaders | kEnd), limits),
            refused("431 too many fields"));
}

TEST(H2RequestHeads, ThatRepeatATableEntryAThousandTimesCostNoMemory) {
  // The HPACK bomb: one large entry, then a byte for each copy of it.
  std::string block = section(get());
  block += '\x40' + hpack_text("bomb") + hpack_text(std::string(3000, 'x'));
  block += std::string(12'000, '\xbe');
  auto ear = server();
  ASSERT_TRUE(ear->feed(frame(kHeaders, kEndHeaders | kEnd, 1, block)));
  EXPECT_EQ(ear->heard(), "refused 1: 431 head too long\n");
  EXPECT_EQ(ear->sent(), "HEADERS(1)+END");
}

TEST(H2RequestHeads, AreDecodedWithTheirOwnTables) {
  std::string first = section(get());
  first += '\x40' + hpack_text("a") + hpack_text("b");
  EXPECT_EQ(to_server(frame(kHeaders, kEndHeaders | kEnd, 1, first) +
                      frame(kHeaders, kEndHeaders | kEnd, 3, "\x82\x87\x84" + section({{":authority", "h"}}) + '\xbe')),
            "request 1: GET / @h https none [a=b]\nrequest 3: GET / @h https none [a=b]\n| \n");
}

}  // namespace
}  // namespace tidegate::http::test
