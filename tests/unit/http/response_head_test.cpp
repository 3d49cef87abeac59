// Heads of responses: what an upstream may say, how its body is framed (RFC 9112 §6.3), and what makes it a 502.
// The answer reads: status 'reason' version connection framing fields.
#include <string>

#include "http/every_way.h"

namespace tidegate::http::test {
namespace {

using namespace std::string_view_literals;

constexpr Vector kStatusLines[] = {
    {"the plainest", "HTTP/1.1 200 OK", "200 'OK' 1.1 close until-close"},
    {"an empty reason", "HTTP/1.1 200 ", "200 '' 1.1 close until-close"},
    {"no reason and no space", "HTTP/1.1 200", "200 '' 1.1 close until-close"},
    {"a reason of words", "HTTP/1.1 404 Not Found At All", "404 'Not Found At All' 1.1 close until-close"},
    {"a reason with blanks", "HTTP/1.1 200  a\tb ", "200 ' a\tb ' 1.1 close until-close"},
    {"a reason in obs-text", "HTTP/1.1 200 \xe4", "200 '\xe4' 1.1 close until-close"},
    {"HTTP/1.0", "HTTP/1.0 200 OK", "200 'OK' 1.0 close until-close"},
    {"the lowest status", "HTTP/1.1 100 Continue", "100 'Continue' 1.1 keep none"},
    {"H10 early hints", "HTTP/1.1 103 Early Hints", "103 'Early Hints' 1.1 keep none"},
    {"H10 switching", "HTTP/1.1 101 x", "101 'x' 1.1 keep none"},
    {"the highest status", "HTTP/1.1 599 x", "599 'x' 1.1 close until-close"},
    {"an unknown status", "HTTP/1.1 299 x", "299 'x' 1.1 close until-close"},
    {"H11 204", "HTTP/1.1 204 No Content", "204 'No Content' 1.1 keep none"},
    {"H11 304", "HTTP/1.1 304 Not Modified", "304 'Not Modified' 1.1 keep none"},
    {"H12 205", "HTTP/1.1 205 Reset Content", "205 'Reset Content' 1.1 keep none"},
    {"O10 099", "HTTP/1.1 099 x", "502 status code out of range"},
    {"O10 000", "HTTP/1.1 000 x", "502 status code out of range"},
    {"O10 600", "HTTP/1.1 600 x", "502 status code out of range"},
    {"O10 999", "HTTP/1.1 999 x", "502 status code out of range"},
    {"O10 1000", "HTTP/1.1 1000 x", "502 malformed status line"},
    {"two digits", "HTTP/1.1 20 OK", "502 malformed status code"},
    {"one digit", "HTTP/1.1 2", "502 malformed status line"},
    {"no status", "HTTP/1.1", "502 malformed status line"},
    {"no status but a space", "HTTP/1.1 ", "502 malformed status line"},
    {"a status of letters", "HTTP/1.1 2x0 OK", "502 malformed status code"},
    {"a negative status", "HTTP/1.1 -20 OK", "502 malformed status code"},
    {"a signed status", "HTTP/1.1 +20 OK", "502 malformed status code"},
    {"two spaces before the status", "HTTP/1.1  200 OK", "502 malformed status code"},
    {"a tab before the status", "HTTP/1.1\t200 OK", "502 malformed status line"},
    {"a tab after the status", "HTTP/1.1 200\tOK", "502 malformed status line"},
    {"no space after the status", "HTTP/1.1 200OK", "502 malformed status line"},
    {"NUL in the reason", "HTTP/1.1 200 O\0K"sv, "502 control character in the reason"},
    {"CR in the reason", "HTTP/1.1 200 O\rK", "502 control character in the reason"},
    {"DEL in the reason", "HTTP/1.1 200 O\x7fK", "502 control character in the reason"},
    {"escape in the reason", "HTTP/1.1 200 \x1b[31m", "502 control character in the reason"},
    {"HTTP/2", "HTTP/2.0 200 OK", "502 unknown HTTP version"},
    {"HTTP/1.2", "HTTP/1.2 200 OK", "502 unknown HTTP version"},
    {"HTTP/0.9", "HTTP/0.9 200 OK", "502 unknown HTTP version"},
    {"HTTP/2 without a minor", "HTTP/2 200 OK", "502 malformed status line"},
    {"lower case", "http/1.1 200 OK", "502 unknown HTTP version"},
    {"a space first", " HTTP/1.1 200 OK", "502 malformed status line"},
    {"an empty line first", "\r\nHTTP/1.1 200 OK", "502 malformed status line"},
    {"not HTTP", "220 smtp.example.org ESMTP ready", "502 malformed status line"},
    {"HTTP/0.9's answer", "<html><body>it works</body></html>", "502 malformed status line"},
    {"shoutcast", "ICY 200 OK but long enough", "502 malformed status line"},
};

TEST(ResponseHeads, StatusLinesAreReadTheSameHoweverTheyArrive) {
  for (const Vector& vector : kStatusLines) {
    SCOPED_TRACE(vector.name);
    const std::string answer = response(std::string(vector.bytes) + "\r\n\r\n");
    EXPECT_TRUE(answer.starts_with(vector.answer)) << answer;
  }
}

struct FramingVector {
  const char* name;
  Method asked;
  int status;
  const char* lines;
  const char* answer;  ///< connection, framing; or 502 and why
};

constexpr const char* kLength = "Content-Length: 5\r\n";
constexpr const char* kChunked = "Transfer-Encoding: chunked\r\n";
constexpr const char* kBoth = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";

constexpr FramingVector kFramings[] = {
    {"a length", Method::Get, 200, kLength, "keep length:5"},
    {"a length of zero", Method::Get, 200, "Content-Length: 0\r\n", "keep none cl:0"},
    {"chunked", Method::Get, 200, kChunked, "keep chunked"},
    {"chunked in odd case", Method::Get, 200, "tRANSFER-eNCODING:\t CHUNKED \r\n", "keep chunked"},
    {"neither", Method::Get, 200, "", "close until-close"},
    {"neither, although it says keep-alive", Method::Get, 200, "Connection: keep-alive\r\n", "close until-close"},
    {"a length and close", Method::Get, 200, "Content-Length: 5\r\nConnection: close\r\n", "close length:5"},
    {"POST", Method::Post, 200, kLength, "keep length:5"},
    {"H11 HEAD keeps the length without a body", Method::Head, 200, kLength, "keep none cl:5"},
    {"H11 HEAD and chunked", Method::Head, 200, kChunked, "keep none"},
    {"H11 HEAD and neither", Method::Head, 200, "", "keep none"},
    {"H11 HEAD and an error", Method::Head, 500, kLength, "keep none cl:5"},
    {"H11 204 and a length", Method::Get, 204, kLength, "keep none cl:5"},
    {"H11 204 and chunked", Method::Get, 204, kChunked, "keep none"},
    {"H11 304 and a length", Method::Get, 304, kLength, "keep none cl:5"},
    {"H11 304 and chunked", Method::Get, 304, kChunked, "keep none"},
    {"H10 100 and a length", Method::Get, 100, kLength, "keep none cl:5"},
    {"H10 103 and chunked", Method::Get, 103, kChunked, "keep none"},
    {"H12 205 and a length is no body", Method::Get, 205, kLength, "keep none cl:5"},
    {"H12 205 and chunked is read to its end", Method::Get, 205, kChunked, "keep chunked"},
    {"F1 both", Method::Get, 200, kBoth, "502 response with both"},
    {"F1 both, for HEAD", Method::Head, 200, kBoth, "502 response with both"},
    {"F1 both, with 204", Method::Get, 204, kBoth, "502 response with both"},
    {"F1 both, with 304", Method::Get, 304, kBoth, "502 response with both"},
    {"F1 both, with 100", Method::Get, 100, kBoth, "502 response with both"},
    {"F2 lengths that differ", Method::Get, 200, "Content-Length: 5\r\nContent-Length: 6\r\n", "502 response with more"},
    {"F3 equal lengths", Method::Get, 200, "Content-Length: 5\r\nContent-Length: 5\r\n", "502 response with more"},
    {"F3 a list", Method::Get, 200, "Content-Length: 5, 5\r\n", "502 response with a malformed"},
    {"F4 plus", Method::Get, 200, "Content-Length: +5\r\n", "502 response with a malformed"},
    {"F4 empty", Method::Get, 200, "Content-Length:\r\n", "502 response with a malformed"},
    {"F4 malformed, for HEAD", Method::Head, 200, "Content-Length: x\r\n", "502 response with a malformed"},
    {"F4 malformed, with 304", Method::Get, 304, "Content-Length: 5 6\r\n", "502 response with a malformed"},
    {"F4 2^64", Method::Get, 200, "Content-Length: 18446744073709551616\r\n", "502 response with a malformed"},
    {"F5 Beast: gzip only", Method::Get, 200, "Transfer-Encoding: gzip\r\n", "502 response with a Transfer-Encoding"},
    {"F5 gzip, chunked", Method::Get, 200, "Transfer-Encoding: gzip, chunked\r\n", "502 response with a Transfer-Encoding"},
    {"F5 chunked, gzip", Method::Get, 200, "Transfer-Encoding: chunked, gzip\r\n", "502 response with a Transfer-Encoding"},
    {"F5 empty", Method::Get, 200, "Transfer-Encoding:\r\n", "502 response with a Transfer-Encoding"},
    {"F6 two lines", Method::Get, 200, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "502 response with a"},
    {"F12 NUL in a value", Method::Get, 200, "X: a\x01\r\n", "502 control character"},
    {"F11 bare LF", Method::Get, 200, "X: a\n", "502 response line that does not end"},
    {"F13 a space before the colon", Method::Get, 200, "Content-Length : 5\r\n", "502 whitespace before"},
    {"F14 Beast: a folded value", Method::Get, 200, "X: a\r\n b\r\n", "502 folded"},
    {"F14 a fold first", Method::Get, 200, " X: a\r\n", "502 folded"},
    {"F15 an empty name", Method::Get, 200, ": a\r\n", "502 empty field name"},
    {"F15 no colon", Method::Get, 200, "nonsense\r\n", "502 field line without a colon"},
};

TEST(ResponseHeads, FramingFollowsRfc9112HoweverTheyArrive) {
  for (const FramingVector& vector : kFramings) {
    SCOPED_TRACE(vector.name);
    const std::string status = std::to_string(vector.status);
    const std::string answer = response("HTTP/1.1 " + status + " x\r\n" + vector.lines + "\r\n", vector.asked);
    const bool refused = std::string_view(vector.answer).starts_with("502");
    const std::string expected = refused ? vector.answer : status + " 'x' 1.1 " + vector.answer;
    EXPECT_TRUE(answer.starts_with(expected)) << answer;
    const char next = answer[std::min(expected.size(), answer.size() - 1)];
    EXPECT_TRUE(refused || next == ' ') << answer;
  }
}

TEST(ResponseHeads, Http10IsKeptAliveOnlyWhenItSaysSoAndHasALength) {
  EXPECT_TRUE(response("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n").starts_with("200 'OK' 1.0 close length:5"));
  EXPECT_TRUE(response("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n\r\n")
                  .starts_with("200 'OK' 1.0 keep length:5"));
  EXPECT_TRUE(response("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n").starts_with("200 'OK' 1.0 close until-close"));
  EXPECT_TRUE(response("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").starts_with("502"));
}

TEST(ResponseHeads, HopByHopFieldsAreMarked) {
  EXPECT_EQ(response("HTTP/1.1 204 x\r\nConnection: a, Upgrade\r\nA: 1\r\nB: 2\r\nUpgrade: h2\r\nKeep-Alive: x\r\n\r\n"),
            "204 'x' 1.1 keep none -[connection=a, Upgrade] -[a=1] [b=2] -[upgrade=h2] -[keep-alive=x] /82");
}

TEST(ResponseHeads, ManyHeadsInOneBufferAreReadOneByOne) {
  const std::string bytes = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
  ResponseHeadDecoder decoder;
  ResponseHead head;
  std::string_view rest = bytes;
  for (const int status : {100, 103, 200}) {
    decoder.reset(Method::Post);
    ASSERT_EQ(decoder.feed(rest, head), HeadState::Done);
    EXPECT_EQ(head.status, status);
    rest.remove_prefix(decoder.consumed());
  }
  EXPECT_EQ(head.framing, Framing::Length);
  EXPECT_EQ(head.fields.size(), 1u);
  EXPECT_EQ(rest, "x");
}

TEST(ResponseHeads, StatusesWithoutABodyAreKnown) {
  for (int status = 100; status < 600; ++status) {
    const auto code = static_cast<std::uint16_t>(status);
    EXPECT_TRUE(has_no_body(Method::Head, code));
    EXPECT_EQ(has_no_body(Method::Get, code), status < 200 || status == 204 || status == 304) << status;
  }
}

}  // namespace
}  // namespace tidegate::http::test
