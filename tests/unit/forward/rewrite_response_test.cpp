// Responses as clients see them, Tidegate's own among them.
#include <gtest/gtest.h>

#include "forward/date_line.h"
#include "forward/heads.h"

namespace tidegate::forward::test {
namespace {

TEST(EncodeResponse, WritesAWholeHeadAnew) {
  const Answer answer("HTTP/1.0 404 Gone Fishing\r\nServer:x\r\nConnection: keep-alive, y\r\nY: 1\r\nContent-Length: 005\r\n");
  EXPECT_EQ(encode(answer.head, {}), "HTTP/1.1 404 Gone Fishing\r\nServer: x\r\ncontent-length: 5\r\n\r\n");
}

TEST(EncodeResponse, FramesAChunkedBodyForHttp11AndClosesForHttp10) {
  const Answer answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n");
  const std::string modern = encode(answer.head, {.chunked = true});
  EXPECT_EQ(lines(modern, "transfer-encoding"), "chunked");
  EXPECT_EQ(lines(modern, "trailer"), "x-sum");
  const std::string old = encode(answer.head, {.chunked = false, .close = true, .client_is_http10 = true});
  EXPECT_FALSE(has(old, "transfer-encoding"));
  EXPECT_FALSE(has(old, "trailer")) << "there is no place for trailers";
  EXPECT_FALSE(has(old, "content-length"));
  EXPECT_EQ(lines(old, "connection"), "close");
}

TEST(EncodeResponse, NeverWritesBothFramingFields) {
  const Answer answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n");
  const std::string head = encode(answer.head, {.chunked = true});
  EXPECT_EQ(lines(head, "transfer-encoding"), "chunked");
  EXPECT_FALSE(has(head, "content-length"));
}

TEST(EncodeResponse, KeepsTheLengthOfABodyThatIsNotSent) {
  const Answer to_head("HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n", http::Method::Head);
  EXPECT_EQ(lines(encode(to_head.head, {}), "content-length"), "12345");
  const Answer not_modified("HTTP/1.1 304 x\r\nContent-Length: 12345\r\n");
  EXPECT_EQ(lines(encode(not_modified.head, {}), "content-length"), "12345");
}

TEST(EncodeResponse, WritesNoLengthIntoA204AndZeroIntoA205) {
  const Answer no_content("HTTP/1.1 204 x\r\nContent-Length: 5\r\n");
  EXPECT_FALSE(has(encode(no_content.head, {}), "content-length"));
  const Answer chunked_204("HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n");
  EXPECT_FALSE(has(encode(chunked_204.head, {}), "transfer-encoding"));
  for (const char* text : {"HTTP/1.1 205 x\r\nContent-Length: 5\r\n", "HTTP/1.1 205 x\r\n"}) {
    EXPECT_EQ(lines(encode(Answer(text).head, {}), "content-length"), "0") << text;
  }
}

TEST(EncodeResponse, SaysHowTheConnectionGoesOn) {
  const Answer answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n");
  EXPECT_FALSE(has(encode(answer.head, {}), "connection")) << "the cluster's connection is not the client's";
  EXPECT_EQ(lines(encode(answer.head, {.close = true}), "connection"), "close");
  EXPECT_EQ(lines(encode(answer.head, {.client_is_http10 = true}), "connection"), "keep-alive");
  EXPECT_EQ(lines(encode(answer.head, {.close = true, .client_is_http10 = true}), "connection"), "close");
}

TEST(EncodeResponse, KeepsRepeatedFieldsApartAndInOrder) {
  const Answer answer("HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\n");
  EXPECT_EQ(lines(encode(answer.head, {}), "set-cookie"), "a|b");
}

TEST(EncodeInformational, RelaysFieldsWithoutFraming) {
  const Answer answer("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 5\r\nConnection: x\r\nX: y\r\n");
  BlockPool pool;
  Buffer out(pool);
  encode_informational(out, answer.head);
  EXPECT_EQ(out.view(), "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
}

TEST(EncodeResponse, GetsADateWhereItHasNone) {
  ResponseContext context;
  context.date = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
  EXPECT_EQ(lines(encode(Answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n").head, context), "date"), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(DateLine, IsMadeOnceASecond) {
  DateLine date;
  const TimePoint start{std::chrono::hours(1)};
  date.renew(start, 784111777'250);
  EXPECT_EQ(date.text(start), "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
  EXPECT_EQ(date.text(start + std::chrono::milliseconds(749)), "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
  EXPECT_NE(date.text(start + std::chrono::milliseconds(750)), "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n") << "the next second has begun";
  date.renew(start, 1709251199'999);
  EXPECT_EQ(date.text(start), "date: Thu, 29 Feb 2024 23:59:59 GMT\r\n");
  date.renew(start, 0);
  EXPECT_EQ(date.text(start), "date: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
}

std::string local(std::uint16_t status, std::string_view text, bool close) {
  BlockPool pool;
  Buffer out(pool);
  encode_local_reply(out, status, text, close);
  return std::string(out.view());
}

TEST(LocalReply, IsTheHeadOfAMessage) {
  EXPECT_EQ(local(502, "upstream failure", true),
            "HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n"
            "content-length: 17\r\nconnection: close\r\n\r\n");
}

TEST(LocalReply, HasNoConnectionFieldWhenItStaysOpen) {
  const std::string reply = local(404, "no route", false);
  EXPECT_EQ(lines(reply, "content-length"), "9");
  EXPECT_TRUE(reply.ends_with("\r\n\r\n"));
  EXPECT_FALSE(has(reply, "connection"));
}

TEST(LocalReply, SaysWhenToComeBackAndWhatIsAllowed) {
  EXPECT_EQ(lines(local(503, "overloaded", false), "retry-after"), "1");
  EXPECT_FALSE(has(local(502, "x", false), "retry-after"));
  EXPECT_EQ(lines(local(405, "x", true), "allow"), "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
}

TEST(LocalReply, IsReadBackByTheResponseDecoder) {
  for (const std::uint16_t status : {400, 404, 405, 408, 413, 414, 417, 431, 500, 501, 502, 503, 504, 505}) {
    const std::string reply = local(status, "text", true);
    http::ResponseHeadDecoder decoder;
    http::ResponseHead head;
    decoder.reset(http::Method::Get);
    ASSERT_EQ(decoder.feed(reply, head), http::HeadState::Done);
    EXPECT_EQ(head.status, status);
    EXPECT_FALSE(head.reason.empty());
    EXPECT_EQ(head.content_length, 5u);
    EXPECT_FALSE(head.keep_alive);
  }
}

}  // namespace
}  // namespace tidegate::forward::test
