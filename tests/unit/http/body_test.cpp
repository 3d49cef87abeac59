// Bodies: chunked framing octet by octet (F8-F11 of the checklist), lengths, until-close, trailers and their bounds.
// The answer reads: data|trailers| /bytes taken, "refused: why", or "more: data".
#include <string>

#include "http/every_way.h"

namespace tidegate::http::test {
namespace {

using namespace std::string_view_literals;

constexpr Vector kLegal[] = {
    {"the plainest", "3\r\nabc\r\n0\r\n\r\n", "abc|| /13"},
    {"empty", "0\r\n\r\n", "|| /5"},
    {"two chunks", "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc|| /18"},
    {"bytes behind it stay", "1\r\na\r\n0\r\n\r\nGET /", "a|| /11"},
    {"upper-case digits", "A\r\n0123456789\r\n0\r\n\r\n", "0123456789|| /20"},
    {"lower-case digits", "a\r\n0123456789\r\n0\r\n\r\n", "0123456789|| /20"},
    {"F8 leading zeros within the bound", "000000000000003\r\nabc\r\n0\r\n\r\n", "abc|| /27"},
    {"F8 many zeros as the last chunk", "000000000000000\r\n\r\n", "|| /19"},
    {"data that looks like framing", "7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n\r\n|| /17"},
    {"data of NULs", "2\r\n\0\0\r\n0\r\n\r\n"sv, std::string_view("\0\0|| /12", 8)},
    {"F9 an extension", "1;a=b\r\nx\r\n0\r\n\r\n", "x|| /15"},
    {"F9 an extension without a value", "1;a\r\nx\r\n0\r\n\r\n", "x|| /13"},
    {"F9 a quoted value", "1;a=\"b;c\\\"d\"\r\nx\r\n0\r\n\r\n", "x|| /22"},
    {"F9 an empty quoted value", "1;a=\"\"\r\nx\r\n0\r\n\r\n", "x|| /16"},
    {"F9 several extensions", "1;a;b=c;d=\"e\"\r\nx\r\n0\r\n\r\n", "x|| /23"},
    {"F9 blanks around", "1 ;\ta = b ; c\r\nx\r\n0\r\n\r\n", "x|| /23"},
    {"F9 an extension of the last chunk", "0;a=b\r\n\r\n", "|| /9"},
    {"F9 a tab and obs-text in quotes", "1;a=\"\t\xe4\"\r\nx\r\n0\r\n\r\n", "x|| /18"},
    {"trailers", "0\r\nA: b\r\nc:d\r\n\r\n", "| [a=b] [c=d]| /16"},
    {"H5 trailers stay apart, whatever they are", "0\r\nHost: evil\r\nContent-Length: 5\r\n\r\n",
     "| [host=evil] [content-length=5]| /36"},
    {"trailers and more behind", "1\r\na\r\n0\r\nA: b\r\n\r\nGET", "a| [a=b]| /17"},
    {"a trailer with an empty value", "0\r\nA:\r\n\r\n", "| [a=]| /9"},
};

TEST(ChunkedBodies, WhatIsLegalIsReadTheSameHoweverItArrives) {
  for (const Vector& vector : kLegal) {
    SCOPED_TRACE(vector.name);
    EXPECT_EQ(chunked(vector.bytes), vector.answer);
  }
}

constexpr Vector kIllegal[] = {
    {"F8 0x5", "0x5\r\nhello\r\n0\r\n\r\n", "refused: malformed chunk size"},
    {"F8 plus", "+5\r\nhello\r\n0\r\n\r\n", "refused: malformed chunk size"},
    {"F8 minus", "-5\r\nhello\r\n0\r\n\r\n", "refused: malformed chunk size"},
    {"F8 a space first", " 5\r\nhello\r\n0\r\n\r\n", "refused: malformed chunk size"},
    {"F8 a tab first", "\t5\r\nhello\r\n0\r\n\r\n", "refused: malformed chunk size"},
    {"F8 underscore", "5_0\r\nhello\r\n0\r\n\r\n", "refused: malformed chunk size"},
    {"F8 empty", "\r\nhello\r\n0\r\n\r\n", "refused: malformed chunk size"},
    {"F8 an extension only", ";a=b\r\n", "refused: malformed chunk size"},
    {"F8 a letter", "g\r\n", "refused: malformed chunk size"},
    {"F8 a letter behind", "5g\r\n", "refused: malformed chunk size"},
    {"F8 a point", "5.0\r\n", "refused: malformed chunk size"},
    {"F8 a comma", "5,5\r\n", "refused: malformed chunk size"},
    {"F8 a quote", "\"5\"\r\n", "refused: malformed chunk size"},
    {"F8 NUL", "5\0\r\n"sv, "refused: malformed chunk size"},
    {"F8 a byte over 0x7f", "\xb5\r\n", "refused: malformed chunk size"},
    {"F8 16 digits", "0000000000000005\r\n", "refused: chunk size too long"},
    {"F8 17 digits", "00000000000000005\r\n", "refused: chunk size too long"},
    {"F8 2^64", "10000000000000000\r\n", "refused: chunk size too long"},
    {"F8 2^64-1", "FFFFFFFFFFFFFFFF\r\n", "refused: chunk size too long"},
    {"F8 2^64+5", "10000000000000005\r\nhello\r\n", "refused: chunk size too long"},
    {"F8 2^60", "1000000000000000\r\n", "refused: chunk size too long"},
    {"F8 Beast: forty zeros", "0000000000000000000000000000000000000005\r\nhello\r\n0\r\n\r\n", "refused: chunk size too long"},
    {"F8 endless zeros", "000000000000000000000000000000000000000000000000000000000000", "refused: chunk size too long"},
    {"F8 the second size is malformed", "1\r\na\r\nx\r\n", "refused: malformed chunk size"},
    {"F8 two sizes", "5 5\r\nhello\r\n", "refused: malformed chunk extension"},
    {"F8 a blank behind", "5 \r\nhello\r\n0\r\n\r\n", "refused: malformed chunk extension"},
    {"F9 a bare semicolon", "5;\r\nhello\r\n0\r\n\r\n", "refused: malformed chunk extension"},
    {"F9 two semicolons", "5;;a\r\nhello\r\n", "refused: malformed chunk extension"},
    {"F9 a semicolon at the end", "5;a;\r\nhello\r\n", "refused: malformed chunk extension"},
    {"F9 a blank at the end", "5;a \r\nhello\r\n", "refused: malformed chunk extension"},
    {"F9 an equals sign only", "5;=\r\nhello\r\n", "refused: malformed chunk extension"},
    {"F9 a value only", "5;=a\r\nhello\r\n", "refused: malformed chunk extension"},
    {"F9 no value", "5;a=\r\nhello\r\n", "refused: malformed chunk extension"},
    {"F9 two values", "5;a=b=c\r\nhello\r\n", "refused: malformed chunk extension"},
    {"F9 two words", "5;a b\r\nhello\r\n", "refused: malformed chunk extension"},
    {"F9 text behind quotes", "5;a=\"b\"c\r\nhello\r\n", "refused: malformed chunk extension"},
    {"F9 Beast: LF in quotes", "5;a=\"b\nc\"\r\nhello\r\n0\r\n\r\n", "refused: malformed chunk extension"},
    {"F9 CRLF in quotes", "5;a=\"b\r\nc\"\r\nhello\r\n", "refused: malformed chunk extension"},
    {"F9 CR in quotes", "5;a=\"b\rc\"\r\nhello\r\n", "refused: malformed chunk extension"},
    {"F9 an escaped LF", "5;a=\"\\\n\"\r\nhello\r\n", "refused: malformed chunk extension"},
    {"F9 an escaped CR", "5;a=\"\\\r\"\r\nhello\r\n", "refused: malformed chunk extension"},
    {"F9 quotes that stay open", "5;a=\"b\r\nhello\r\n0\r\n\r\n", "refused: malformed chunk extension"},
    {"F9 LF in a name", "5;a\nb\r\nhello\r\n", "refused: malformed chunk extension"},
    {"F9 CR in a name", "5;a\rb\r\nhello\r\n", "refused: chunk size line"},
    {"F9 NUL in a name", "5;a\0b\r\nhello\r\n"sv, "refused: malformed chunk extension"},
    {"F9 NUL in quotes", "5;a=\"\0\"\r\n"sv, "refused: malformed chunk extension"},
    {"F9 DEL in quotes", "5;a=\"\x7f\"\r\n", "refused: malformed chunk extension"},
    {"F9 an escape in a value", "5;a=\x1b\r\n", "refused: malformed chunk extension"},
    {"F9 LF after a semicolon", "5;\nhello\r\n", "refused: malformed chunk extension"},
    {"F10 data without CRLF", "5\r\nhello0\r\n\r\n", "refused: chunk data not followed"},
    {"F10 data longer than the size", "3\r\nhello\r\n0\r\n\r\n", "refused: chunk data not followed"},
    {"F10 data and two bytes of something", "5\r\nhelloXX0\r\n\r\n", "refused: chunk data not followed"},
    {"F10 CR and something", "5\r\nhello\rX", "refused: chunk data not followed"},
    {"F10 LF only after the data", "5\r\nhello\n0\r\n\r\n", "refused: chunk data not followed"},
    {"F10 LF CR after the data", "5\r\nhello\n\r0\r\n\r\n", "refused: chunk data not followed"},
    {"F10 CR CR LF after the data", "5\r\nhello\r\r\n0\r\n\r\n", "refused: chunk data not followed"},
    {"F10 a second empty line after the data", "5\r\nhello\r\n\r\n0\r\n\r\n", "refused: malformed chunk size"},
    {"F10 the last chunk by LF", "0\n\r\n", "refused: malformed chunk size"},
    {"F10 Beast: the end by LF", "0\n", "refused: malformed chunk size"},
    {"F11 a size line by LF", "5\nhello\r\n0\r\n\r\n", "refused: malformed chunk size"},
    {"F11 a size line by CR", "5\rhello\r\n0\r\n\r\n", "refused: chunk size line"},
    {"F11 a size line by CR CR LF", "5\r\r\nhello\r\n", "refused: chunk size line"},
    {"F11 the end by LF", "0\r\n\n", "refused: trailer line"},
    {"F11 a trailer by LF", "0\r\nA: b\n\r\n", "refused: trailer line"},
    {"F11 the end of the trailers by LF", "0\r\nA: b\r\n\n", "refused: trailer line"},
    {"F12 bare CR in a trailer", "0\r\nA: b\rc\r\n\r\n", "refused: control character"},
    {"F12 NUL in a trailer", "0\r\nA: \0\r\n\r\n"sv, "refused: control character"},
    {"F13 a space before a trailer's colon", "0\r\nA : b\r\n\r\n", "refused: whitespace before"},
    {"F14 a folded trailer", "0\r\nA: b\r\n c\r\n\r\n", "refused: folded"},
    {"F15 an empty name of a trailer", "0\r\n: b\r\n\r\n", "refused: empty field name"},
    {"F15 no colon in a trailer", "0\r\nGET / HTTP/1.1\r\n\r\n", "refused: whitespace before"},
    {"F10 data where the trailers begin", "0\r\nhello\r\n\r\n", "refused: field line without a colon"},
};

TEST(ChunkedBodies, WhatIsIllegalIsRefusedHoweverItArrives) {
  for (const Vector& vector : kIllegal) {
    SCOPED_TRACE(vector.name);
    // The data that came before may be with the receiver already; the refusal must be the same.
    const std::string answer = chunked(vector.bytes);
    EXPECT_TRUE(answer.starts_with(vector.answer)) << answer;
  }
}

TEST(ChunkedBodies, NoPrefixOfALegalBodyIsItsEnd) {
  const std::string_view bytes = "5;a=\"b\"\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n";
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::string answer = body(Framing::Chunked, 0, bytes.substr(0, size), true);
    EXPECT_TRUE(answer.starts_with("more: ")) << size << " " << answer;
  }
}

TEST(ChunkedBodies, TheLargestSizeThatIsTakenDoesNotOverflow) {
  BodyDecoder decoder;
  decoder.start(Framing::Chunked, 0);
  ASSERT_EQ(decoder.next("FFFFFFFFFFFFFFF\r\n").event, BodyEvent::NeedMore);
  const BodyStep step = decoder.next("abc");
  EXPECT_EQ(step.event, BodyEvent::Data);
  EXPECT_EQ(step.data, "abc");
  EXPECT_EQ(decoder.remaining(), 0xFFFFFFFFFFFFFFFull - 3);
}

TEST(ChunkedBodies, ExtensionsOfAChunkEndAtTheirBound) {
  const auto with = [](std::size_t letters) { return "1;" + std::string(letters, 'e') + "\r\nx\r\n0\r\n\r\n"; };
  EXPECT_TRUE(chunked(with(kChunkExtensionBytes - 1)).starts_with("x||"));  // its CR counts as well
  EXPECT_EQ(chunked(with(kChunkExtensionBytes)), "refused: chunk extensions too long");
  EXPECT_EQ(chunked(with(20'000)), "refused: chunk extensions too long");
}

TEST(ChunkedBodies, ExtensionsOfABodyEndAtTheirBound) {
  const std::string chunk = "1;" + std::string(kChunkExtensionBytes - 1, 'e') + "\r\nx\r\n";
  std::string bytes;
  for (std::size_t i = 0; i < kChunkExtensionTotal / kChunkExtensionBytes; ++i) bytes += chunk;
  EXPECT_TRUE(chunked(bytes + "0\r\n\r\n").ends_with("|| /" + std::to_string(bytes.size() + 5)));
  EXPECT_EQ(chunked(bytes + "1;a\r\nx\r\n"), "refused: chunk extensions too long");
}

TEST(ChunkedBodies, TrailersEndAtTheirBoundOfBytes) {
  const auto with = [](std::size_t section) {  // "a: ...CRLF CRLF" of so many bytes
    return "0\r\na: " + std::string(section - 7, 'v') + "\r\n\r\n";
  };
  EXPECT_TRUE(chunked(with(kTrailerBytes)).starts_with("| [a=v"));
  EXPECT_EQ(chunked(with(kTrailerBytes + 1)), "refused: trailer section too long");
  EXPECT_EQ(chunked("0\r\n" + std::string(100'000, 'a')), "refused: trailer section too long");
}

TEST(ChunkedBodies, TrailersEndAtTheirBoundOfFields) {
  std::string fields;
  for (std::uint32_t i = 0; i < kTrailerFields; ++i) fields += "a:b\r\n";
  EXPECT_TRUE(chunked("0\r\n" + fields + "\r\n").starts_with("| [a=b]"));
  EXPECT_EQ(chunked("0\r\n" + fields + "a:b\r\n\r\n"), "refused: too many trailer fields");
}

TEST(LengthBodies, EndExactlyThere) {
  EXPECT_EQ(body(Framing::Length, 5, "hello"), "hello|| /5");
  EXPECT_EQ(body(Framing::Length, 5, "helloGET /"), "hello|| /5");
  EXPECT_EQ(body(Framing::Length, 1, "\r\n"), "\r|| /1");
  EXPECT_EQ(body(Framing::Length, 0, "GET /"), "|| /0");
  EXPECT_EQ(body(Framing::None, 0, "GET /"), "|| /0");
  EXPECT_EQ(body(Framing::Length, 5, "hell", true), "more: hell") << "O5: the end of the stream is not the end of the body";
  EXPECT_EQ(body(Framing::Length, 999'999'999'999'999'999, "x", true), "more: x");
}

TEST(UntilCloseBodies, EndWithTheConnection) {
  EXPECT_EQ(body(Framing::UntilClose, 0, "0\r\n\r\nanything", true), "0\r\n\r\nanything|| /13");
  EXPECT_EQ(body(Framing::UntilClose, 0, "", true), "|| /0");
  EXPECT_EQ(body(Framing::UntilClose, 0, "abc", false), "more: abc");
}

TEST(BodyDecoder, ARefusalStands) {
  BodyDecoder decoder;
  decoder.start(Framing::Chunked, 0);
  ASSERT_EQ(decoder.next("x").event, BodyEvent::Refused);
  EXPECT_EQ(decoder.next("0\r\n\r\n").event, BodyEvent::Refused);
  EXPECT_EQ(decoder.refusal(), "malformed chunk size");
  EXPECT_FALSE(decoder.end_of_stream());
  EXPECT_FALSE(decoder.done());
}

TEST(BodyDecoder, BeginsAnewWithNothingLeftFromBefore) {
  BodyDecoder decoder;
  for (int round = 0; round < 3; ++round) {
    decoder.start(Framing::Chunked, 0);
    EXPECT_EQ(decoder.trailers(), nullptr);
    ASSERT_EQ(decoder.next("0\r\nA: b\r\n\r\n").event, BodyEvent::End);
    ASSERT_NE(decoder.trailers(), nullptr);
    EXPECT_EQ(decoder.trailers()->size(), 1u);
    decoder.start(Framing::Chunked, 0);
    ASSERT_EQ(decoder.next("1;").event, BodyEvent::NeedMore);
    decoder.start(Framing::Length, 2);
    EXPECT_EQ(decoder.next("ab").data, "ab");
    EXPECT_TRUE(decoder.done());
    decoder.start(Framing::Chunked, 0);
    ASSERT_EQ(decoder.next("x").event, BodyEvent::Refused);
  }
}

TEST(BodyDecoder, OfABodyWithALengthDataMayGoByUnseen) {
  BodyDecoder decoder;
  decoder.start(Framing::Length, 10);
  EXPECT_EQ(decoder.next("ab").data, "ab");
  EXPECT_EQ(decoder.plain_left(), 8u);
  decoder.pass(5);
  EXPECT_EQ(decoder.plain_left(), 3u);
  EXPECT_FALSE(decoder.done());
  decoder.pass(3);
  EXPECT_TRUE(decoder.done());
  EXPECT_EQ(decoder.next("GET /").event, BodyEvent::End);
}

TEST(BodyDecoder, NoOtherBodyIsPlain) {
  BodyDecoder decoder;
  for (const Framing framing : {Framing::None, Framing::Chunked, Framing::UntilClose}) {
    decoder.start(framing, 0);
    if (framing == Framing::Chunked) {
      EXPECT_EQ(decoder.next("5\r\nab").event, BodyEvent::Data);
    }
    EXPECT_EQ(decoder.plain_left(), 0u);
  }
}

TEST(BodyDecoder, DataPointsIntoTheBytesThatWereGiven) {
  BodyDecoder decoder;
  decoder.start(Framing::Chunked, 0);
  const std::string_view bytes = "3\r\nabc\r\n";
  const BodyStep step = decoder.next(bytes);
  EXPECT_EQ(step.data.data(), bytes.data() + 3);
}

}  // namespace
}  // namespace tidegate::http::test
