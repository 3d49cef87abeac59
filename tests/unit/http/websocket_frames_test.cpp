#include "http/websocket_frames.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidegate::http {
namespace {

std::string frame(std::size_t payload, bool masked) {
  std::string out = "\x82";
  const char mask = masked ? '\x80' : '\0';
  if (payload < 126) {
    out += static_cast<char>(mask | static_cast<char>(payload));
  } else if (payload < 65536) {
    out += static_cast<char>(mask | 126);
    out += {static_cast<char>(payload >> 8), static_cast<char>(payload)};
  } else {
    out += static_cast<char>(mask | 127);
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(static_cast<std::uint64_t>(payload) >> shift);
  }
  if (masked) out += "abcd";
  return out + std::string(payload, 'x');
}

TEST(WebSocketFrames, AreFoundWhateverTheirLengthAndMask) {
  for (const std::size_t payload : {0u, 1u, 125u, 126u, 127u, 65535u, 65536u, 100000u}) {
    for (const bool masked : {false, true}) {
      WebSocketFrames frames;
      const std::string bytes = frame(payload, masked);
      EXPECT_EQ(frames.feed(bytes), bytes.size()) << payload;
      EXPECT_TRUE(frames.between());
    }
  }
}

TEST(WebSocketFrames, TheLastPlaceBetweenTwoIsTold) {
  WebSocketFrames frames;
  const std::string whole = frame(10, false) + frame(200, false);
  EXPECT_EQ(frames.feed(whole + frame(300, false).substr(0, 50)), whole.size());
  EXPECT_FALSE(frames.between());
  EXPECT_EQ(frames.feed("yyy"), 0u);
  EXPECT_FALSE(frames.between());
}

TEST(WebSocketFrames, DoNotDependOnHowTheBytesAreCut) {
  const std::string bytes = frame(3, true) + frame(0, false) + frame(130, true) + frame(70000, false);
  WebSocketFrames frames;
  std::size_t places = 0;
  for (const char c : bytes) places += frames.feed(std::string_view(&c, 1));
  EXPECT_EQ(places, 4u);
  EXPECT_TRUE(frames.between());
}

TEST(WebSocketFrames, TheFarewellsAreFramesThemselves) {
  for (const std::string_view farewell : {kCloseToClient}) {
    WebSocketFrames frames;
    EXPECT_EQ(frames.feed(farewell), farewell.size());
  }
}

}  // namespace
}  // namespace tidegate::http
