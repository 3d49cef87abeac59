#include "http/websocket_handshake.h"

#include <gtest/gtest.h>

namespace tidegate::http {
namespace {

TEST(WebSocketHandshake, AnswersTheKeyOfTheRfcsExample) {
  EXPECT_EQ(text(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==")), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");  // RFC 6455 §1.3
}

TEST(WebSocketHandshake, AKeyIs16BytesInBase64) {
  EXPECT_EQ(text(make_websocket_key(0, 0)), "AAAAAAAAAAAAAAAAAAAAAA==");
  EXPECT_NE(text(make_websocket_key(1, 0)), text(make_websocket_key(0, 1)));
}

}  // namespace
}  // namespace tidegate::http
