// What is written: chunk headers, the last chunk with its trailers, heads.
#include "http/h1_encode.h"

#include <string>

#include "http/every_way.h"

namespace tidegate::http::test {
namespace {

TEST(ChunkHeader, IsTheSizeInHexadecimalAndCrlf) {
  EXPECT_EQ(ChunkHeader(0).text(), "0\r\n");
  EXPECT_EQ(ChunkHeader(1).text(), "1\r\n");
  EXPECT_EQ(ChunkHeader(15).text(), "f\r\n");
  EXPECT_EQ(ChunkHeader(16).text(), "10\r\n");
  EXPECT_EQ(ChunkHeader(0x1a2b).text(), "1a2b\r\n");
  EXPECT_EQ(ChunkHeader(16 * 1024).text(), "4000\r\n");
  EXPECT_EQ(ChunkHeader(~0ull).text(), "ffffffffffffffff\r\n");
}

TEST(ChunkHeader, IsReadBackByTheDecoder) {
  for (const std::size_t size : {1u, 9u, 10u, 255u, 256u, 4096u}) {
    const std::string data(size, 'x');
    const std::string bytes = std::string(ChunkHeader(size).text()) + data + "\r\n" + std::string(kLastChunk);
    EXPECT_EQ(chunked(bytes), data + "|| /" + std::to_string(bytes.size()));
  }
}

struct Trailers {
  explicit Trailers(std::string_view text) {
    decoder.start(Framing::Chunked, 0);
    bytes = "0\r\n" + std::string(text) + "\r\n";
    EXPECT_EQ(decoder.next(bytes).event, BodyEvent::End) << decoder.refusal();
  }
  std::string encoded() {
    Buffer out(pool);
    encode_last_chunk(out, decoder.trailers());
    return std::string(out.view());
  }
  std::string bytes;
  BodyDecoder decoder;
  BlockPool pool;
};

TEST(LastChunk, WithoutTrailersIsFiveBytes) {
  EXPECT_EQ(Trailers("").encoded(), "0\r\n\r\n");
  EXPECT_EQ(kLastChunk, "0\r\n\r\n");
}

TEST(LastChunk, CarriesTrailersWrittenAnew) {
  EXPECT_EQ(Trailers("Grpc-Status:0\r\nX-Sum: \t a b \r\n").encoded(), "0\r\nGrpc-Status: 0\r\nX-Sum: a b\r\n\r\n");
}

TEST(LastChunk, DropsWhatMayNotTravelInATrailer) {
  for (const char* name :
       {"Content-Length", "Transfer-Encoding", "Host", "Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer",
        "Upgrade", "Expect", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port",
        "x-forwarded-anything", "X-Request-Id", "X-Tidegate-Mirror", "x-tidegate-side", "Traceparent", "Tracestate",
        "Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate", "Cookie", "Set-Cookie",
        "Content-Type", "Content-Encoding", "Content-Range", "Cache-Control", "Age", "Date", "Expires", "Location",
        "Range", "Vary", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range",
        "Max-Forwards", "Pragma", "Retry-After", "User-Agent"}) {
    EXPECT_EQ(Trailers(std::string(name) + ": 1\r\nkept: 2\r\n").encoded(), "0\r\nkept: 2\r\n\r\n") << name;
  }
}

TEST(LastChunk, KeepsWhatIsMadeForTrailers) {
  for (const char* name : {"grpc-status", "grpc-message", "Server-Timing", "ETag", "Digest", "Content-MD5", "x-amz-checksum",
                           "x-forwarded", "Authentication-Info"}) {
    EXPECT_EQ(Trailers(std::string(name) + ": 1\r\n").encoded(), "0\r\n" + std::string(name) + ": 1\r\n\r\n");
  }
}

TEST(LastChunk, WithNothingLeftIsStillAnEnd) { EXPECT_EQ(Trailers("Host: evil\r\n").encoded(), "0\r\n\r\n"); }

TEST(HeadWriter, WritesWhatItIsGivenBehindWhatIsThere) {
  BlockPool pool;
  Buffer out(pool);
  out.append("before;");
  HeadWriter writer(out, 200);
  writer.put("GET");
  writer.put(' ');
  writer.number(0);
  writer.put(' ');
  writer.number(~0ull);
  writer.put("\r\n");
  writer.field("name", "value");
  writer.field("empty", "");
  writer.content_length(12);
  EXPECT_EQ(out.view(), "before;") << "nothing is visible before finish()";
  writer.finish();
  EXPECT_EQ(out.view(), "before;GET 0 18446744073709551615\r\nname: value\r\nempty: \r\ncontent-length: 12\r\n\r\n");
}

TEST(HeadWriter, HasRoomForHeadsLargerThanABlock) {
  BlockPool pool;
  Buffer out(pool);
  const std::string value(100'000, 'v');
  HeadWriter writer(out, value.size() + 100);
  writer.field("x", value);
  writer.finish();
  EXPECT_EQ(out.size(), value.size() + 7);
}

TEST(EncodedSize, IsEnoughForEveryFieldWrittenAsALine) {
  const std::string bytes = "GET / HTTP/1.1\r\nHost:h\r\nabc:d\r\nx:\r\n\r\n";
  RequestHeadDecoder decoder({});
  RequestHead head;
  decoder.reset();
  ASSERT_EQ(decoder.feed(bytes, head), HeadState::Done);
  EXPECT_EQ(encoded_size(head.fields), std::string_view("Host: h\r\nabc: d\r\nx: \r\n").size());
}

}  // namespace
}  // namespace tidegate::http::test
