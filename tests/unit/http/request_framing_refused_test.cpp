// Requests whose length or fields could be read in two ways: each must be refused, however it arrives. The names begin
// with the line of the checklist (tests/RELIABILITY.md) or with "Beast" for what Boost.Beast 1.81 accepts.
#include <string>

#include "http/every_way.h"

namespace tidegate::http::test {
namespace {

using namespace std::string_view_literals;

/// Field lines that are added to an otherwise good POST.
constexpr Vector kFieldLines[] = {
    {"F1 Content-Length then Transfer-Encoding", "Content-Length: 5\r\nTransfer-Encoding: chunked", "400 both"},
    {"F1 Transfer-Encoding then Content-Length", "Transfer-Encoding: chunked\r\nContent-Length: 5", "400 both"},
    {"F1 with a length of zero", "Content-Length: 0\r\nTransfer-Encoding: chunked", "400 both"},
    {"F1 with an unknown coding", "Content-Length: 5\r\nTransfer-Encoding: gzip", "400 both"},
    {"F1 Beast: gzip, then a length", "Transfer-Encoding: gzip\r\nContent-Length: 5", "400 both"},
    {"F1 with an empty coding", "Content-Length: 5\r\nTransfer-Encoding:", "400 both"},
    {"F1 in odd case", "content-LENGTH: 5\r\ntransfer-ENCODING: Chunked", "400 both"},
    {"F2 two lengths that differ", "Content-Length: 5\r\nContent-Length: 6", "400 more than one"},
    {"F2 a list of lengths that differ", "Content-Length: 5, 6", "400 malformed Content-Length"},
    {"F2 a long list", "Content-Length: 5,5,5,6", "400 malformed Content-Length"},
    {"F3 Beast: two equal lengths", "Content-Length: 5\r\nContent-Length: 5", "400 more than one"},
    {"F3 Beast: a list of equal lengths", "Content-Length: 5, 5", "400 malformed Content-Length"},
    {"F3 a list without a space", "Content-Length: 5,5", "400 malformed Content-Length"},
    {"F3 a list with an empty element", "Content-Length: 5,", "400 malformed Content-Length"},
    {"F3 a list that begins empty", "Content-Length: ,5", "400 malformed Content-Length"},
    {"F4 empty", "Content-Length:", "400 malformed Content-Length"},
    {"F4 blank", "Content-Length:   ", "400 malformed Content-Length"},
    {"F4 plus", "Content-Length: +5", "400 malformed Content-Length"},
    {"F4 minus", "Content-Length: -5", "400 malformed Content-Length"},
    {"F4 minus zero", "Content-Length: -0", "400 malformed Content-Length"},
    {"F4 hexadecimal", "Content-Length: 0x5", "400 malformed Content-Length"},
    {"F4 bare hexadecimal", "Content-Length: a", "400 malformed Content-Length"},
    {"F4 underscore", "Content-Length: 5_0", "400 malformed Content-Length"},
    {"F4 space inside", "Content-Length: 5 6", "400 malformed Content-Length"},
    {"F4 decimal point", "Content-Length: 5.0", "400 malformed Content-Length"},
    {"F4 exponent", "Content-Length: 1e1", "400 malformed Content-Length"},
    {"F4 quoted", "Content-Length: \"5\"", "400 malformed Content-Length"},
    {"F4 a parameter", "Content-Length: 5;a=b", "400 malformed Content-Length"},
    {"F4 2^63", "Content-Length: 9223372036854775808", "400 malformed Content-Length"},
    {"F4 2^64", "Content-Length: 18446744073709551616", "400 malformed Content-Length"},
    {"F4 2^64+5", "Content-Length: 18446744073709551621", "400 malformed Content-Length"},
    {"F4 2^32 squared in leading zeros", "Content-Length: 00000000000000000000000000000005", "400 malformed"},
    {"F4 obs-text digits", "Content-Length: \xd9\xa5", "400 malformed Content-Length"},
    {"F5 Beast: gzip only", "Transfer-Encoding: gzip", "400 Transfer-Encoding"},
    {"F5 Beast: chunked is not last", "Transfer-Encoding: chunked, gzip", "400 Transfer-Encoding"},
    {"F5 Beast: identity", "Transfer-Encoding: identity", "400 Transfer-Encoding"},
    {"F5 identity last", "Transfer-Encoding: chunked, identity", "400 Transfer-Encoding"},
    {"F5 Beast: xchunked", "Transfer-Encoding: xchunked", "400 Transfer-Encoding"},
    {"F5 chunkedx", "Transfer-Encoding: chunkedx", "400 Transfer-Encoding"},
    {"F5 chunke", "Transfer-Encoding: chunke", "400 Transfer-Encoding"},
    {"F5 Beast: quoted", "Transfer-Encoding: \"chunked\"", "400 Transfer-Encoding"},
    {"F5 single quotes", "Transfer-Encoding: 'chunked'", "400 Transfer-Encoding"},
    {"F5 Beast: empty", "Transfer-Encoding:", "400 Transfer-Encoding"},
    {"F5 a vertical tab before", "Transfer-Encoding: \x0b" "chunked", "400 control character"},
    {"F5 a form feed before", "Transfer-Encoding: \x0c" "chunked", "400 control character"},
    {"F5 a no-break space before", "Transfer-Encoding: \xc2\xa0" "chunked", "400 Transfer-Encoding"},
    {"F5 chunked twice by words", "Transfer-Encoding: chunked chunked", "400 Transfer-Encoding"},
    {"F5 an unknown coding under chunked", "Transfer-Encoding: gzip, chunked", "501"},
    {"F5 x-gzip under chunked", "Transfer-Encoding: x-gzip ,\tchunked", "501"},
    {"F6 Beast: two lines, gzip and chunked", "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", "400 Transfer-Enc"},
    {"F6 two lines of chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "400 Transfer-Encoding"},
    {"F6 a line of chunked and one of identity", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "400 Transf"},
    {"F6 a good line and an empty one", "Transfer-Encoding: chunked\r\nTransfer-Encoding:", "400 Transfer-Encoding"},
    {"F6 Beast: chunked twice", "Transfer-Encoding: chunked, chunked", "400 Transfer-Encoding"},
    {"F6 three codings, chunked twice", "Transfer-Encoding: gzip, chunked, chunked", "400 Transfer-Encoding"},
    {"F6 Beast: leading comma", "Transfer-Encoding: ,chunked", "400 Transfer-Encoding"},
    {"F6 trailing comma", "Transfer-Encoding: chunked,", "400 Transfer-Encoding"},
    {"F6 Beast: a parameter", "Transfer-Encoding: chunked;q=1", "400 Transfer-Encoding"},
    {"F6 a bare parameter", "Transfer-Encoding: chunked;", "400 Transfer-Encoding"},
    {"F12 bare CR in a value", "X: a\rb", "400 control character"},
    {"F12 CR before the line end", "X: a\r", "400 control character"},
    {"F12 CR and a field after it", "X: a\rTransfer-Encoding: chunked", "400 control character"},
    {"F12 NUL in a value", "X: a\0b"sv, "400 control character"},
    {"F12 NUL ends a value", "X: a\0"sv, "400 control character"},
    {"F12 NUL begins a value", "X: \0a"sv, "400 control character"},
    {"F12 NUL in Content-Length", "Content-Length: 5\0"sv, "400 control character"},
    {"F12 backspace", "X: a\bb", "400 control character"},
    {"F12 escape", "X: a\x1b[0m", "400 control character"},
    {"F12 DEL", "X: a\x7f", "400 control character"},
    {"F12 vertical tab in the middle", "X: a\vb", "400 control character"},
    {"F11 bare LF after a field", "X: a\nY: b", "400 line that does not end"},
    {"F11 bare LF as the end of the fields", "X: a\r\n\nGET / HTTP/1.1", "400 line that does not end"},
    {"F11 LF CR", "X: a\n\rY: b", "400 line that does not end"},
    {"F13 a space before the colon", "X : a", "400 whitespace before"},
    {"F13 a tab before the colon", "X\t: a", "400 whitespace before"},
    {"F13 at Content-Length", "Content-Length : 5", "400 whitespace before"},
    {"F13 at Transfer-Encoding", "Transfer-Encoding : chunked", "400 whitespace before"},
    {"F13 a vertical tab before the colon", "Transfer-Encoding\v: chunked", "400 invalid character"},
    {"F13 a NUL before the colon", "Transfer-Encoding\0: chunked"sv, "400 invalid character"},
    {"F13 a no-break space before the colon", "Transfer-Encoding\xc2\xa0: chunked", "400 invalid character"},
    {"F14 Beast: a folded value", "X: a\r\n b", "400 folded"},
    {"F14 folded by a tab", "X: a\r\n\tb", "400 folded"},
    {"F14 Beast: a folded Transfer-Encoding", "Transfer-Encoding:\r\n chunked", "400 folded"},
    {"F14 a folded Content-Length", "Content-Length:\r\n 5", "400 folded"},
    {"F14 a fold that looks like a field", "X: a\r\n Transfer-Encoding: chunked", "400 folded"},
    {"F14 a fold of blanks only", "X: a\r\n \r\nY: b", "400 f"},
    {"F15 an empty name", ": a", "400 empty field name"},
    {"F15 an empty name at a length", ":Content-Length: 5", "400 empty field name"},
    {"F15 no colon", "Content-Length", "400 field line without a colon"},
    {"F15 no colon, two words", "Content-Length 5", "400 whitespace before"},
    {"F15 a parenthesis in a name", "X(a): b", "400 invalid character"},
    {"F15 a slash in a name", "X/a: b", "400 invalid character"},
    {"F15 a quote in a name", "\"X\": b", "400 invalid character"},
    {"F15 an at sign in a name", "X@a: b", "400 invalid character"},
    {"F15 a brace in a name", "{X}: b", "400 invalid character"},
    {"F15 a comma in a name", "X,Y: b", "400 invalid character"},
    {"F15 a semicolon in a name", "X;Y: b", "400 invalid character"},
    {"F15 an equals sign in a name", "X=Y: b", "400 invalid character"},
    {"F15 a bracket in a name", "[X]: b", "400 invalid character"},
    {"F15 a backslash in a name", "X\\: b", "400 invalid character"},
    {"F15 a byte over 0x7f in a name", "X\xe4: b", "400 invalid character"},
    {"F15 CR in a name", "X\rY: b", "400 invalid character"},
    {"F15 DEL in a name", "X\x7f: b", "400 invalid character"},
    {"H9 an unknown expectation", "Expect: 200-ok", "417"},
    {"H9 an empty expectation", "Expect:", "417"},
    {"H9 a list of expectations", "Expect: 100-continue, x", "417"},
    {"H9 a good and an unknown expectation", "Expect: 100-continue\r\nExpect: x", "417"},
    {"H9 a parameter", "Expect: 100-continue;q=1", "417"},
    {"H2 framing is refused although Connection names it", "Connection: content-length\r\nContent-Length: +5", "400 malf"},
    {"H2 Connection names the coding beside a length",
     "Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\nContent-Length: 5", "400 both"},
};

TEST(RefusedRequests, AmbiguousFieldLinesAreRefusedHoweverTheyArrive) {
  for (const Vector& vector : kFieldLines) {
    SCOPED_TRACE(vector.name);
    const std::string bytes = "POST / HTTP/1.1\r\nHost: h\r\n" + std::string(vector.bytes) + "\r\n\r\n";
    const std::string answer = request(bytes);
    EXPECT_TRUE(answer.starts_with(vector.answer)) << answer;
  }
}

TEST(RefusedRequests, TheySayTheSameWhenTheFieldComesBeforeHost) {
  for (const Vector& vector : kFieldLines) {
    SCOPED_TRACE(vector.name);
    const std::string bytes = "POST / HTTP/1.1\r\n" + std::string(vector.bytes) + "\r\nHost: h\r\n\r\n";
    const std::string answer = request(bytes);
    EXPECT_TRUE(answer.starts_with(vector.answer)) << answer;
  }
}

TEST(RefusedRequests, ARefusalStandsWhateverComesAfterIt) {
  for (const Vector& vector : kFieldLines) {
    SCOPED_TRACE(vector.name);
    const std::string head = "POST / HTTP/1.1\r\nHost: h\r\n" + std::string(vector.bytes) + "\r\n\r\n";
    EXPECT_EQ(request(head + "GET /admin HTTP/1.1\r\nHost: h\r\n\r\n"), request(head));
  }
}

constexpr Vector kOldVersion[] = {
    {"F7 Beast: chunked", "Transfer-Encoding: chunked", "400 Transfer-Encoding in HTTP/1.0"},
    {"F7 gzip", "Transfer-Encoding: gzip", "400 Transfer-Encoding in HTTP/1.0"},
    {"F7 with a length", "Transfer-Encoding: chunked\r\nContent-Length: 5", "400 both"},
    {"F7 with keep-alive", "Connection: keep-alive\r\nTransfer-Encoding: chunked", "400 Transfer-Encoding in HTTP/1.0"},
    {"F7 named by Connection", "Connection: transfer-encoding\r\nTransfer-Encoding: chunked", "400 Transfer-Encoding in"},
    {"F7 empty", "Transfer-Encoding:", "400 Transfer-Encoding in HTTP/1.0"},
};

TEST(RefusedRequests, TransferEncodingInHttp10IsRefused) {
  for (const Vector& vector : kOldVersion) {
    SCOPED_TRACE(vector.name);
    const std::string answer = request("POST / HTTP/1.0\r\nHost: h\r\n" + std::string(vector.bytes) + "\r\n\r\n");
    EXPECT_TRUE(answer.starts_with(vector.answer)) << answer;
  }
}

}  // namespace
}  // namespace tidegate::http::test
