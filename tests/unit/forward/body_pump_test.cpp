// A large body through the pump, with each of its splice() calls failed once in every way: it arrives whole and exact, or the
// pump says why it did not.
#include <gtest/gtest.h>

#include <algorithm>

#include "forward/body_pump.h"
#include "net/loop.h"
#include "net/splice_faults.h"

namespace tidegate::forward {
namespace {

using net::IoResult;
using net::IoStatus;
using net::Stream;
using net::test::faults;
using net::test::kLong;
using net::test::Loop;
using net::test::tcp_pair;

constexpr std::string_view kHead = "HTTP/1.1 200 OK\r\n\r\n";
constexpr std::size_t kMiB = 1024 * 1024;

std::string body_of(std::size_t bytes) {
  std::string body(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) body[i] = static_cast<char>(i * 7 + i / 251);
  return body;
}

/// A source and a sink with sockets of this machine at their other ends.
struct Transfer {
  Transfer() {
    const auto [a, b] = tcp_pair();
    const auto [c, d] = tcp_pair();
    EXPECT_TRUE(origin.adopt(a) && source.adopt(b) && sink.adopt(c) && client.adopt(d));
  }

  /// @param sent what the origin sends. @param announced the length of the body.
  /// @param keep how much of the body is held.
  void run(std::string sent, std::uint64_t announced, bool chunked = false, std::size_t keep = 0) {
    http::BodyDecoder decoder;
    decoder.start(http::Framing::Length, announced);
    Buffer head(loop.reactor.blocks(), BlockSize::Small);
    head.append(kHead);
    Pump pump(source, received, decoder, sink, head);
    pump.chunked = chunked;
    pump.source_timeout = pump.sink_timeout = kLong;
    pump.keep = keep;
    std::vector<Task<>> tasks;
    tasks.push_back(send(origin, std::move(sent)));
    tasks.push_back(carry(pump, *this));
    tasks.push_back(receive(client, seen));
    loop.run(std::move(tasks));
    bytes = pump.bytes;
    kept = pump.kept;
    consumed = pump.consumed;
  }

  /// The body once more, to another client, of what was kept and what is behind it.
  std::string again(std::uint64_t announced) {
    const auto [a, b] = tcp_pair();
    Stream second{loop.reactor}, other{loop.reactor};
    EXPECT_TRUE(second.adopt(a) && other.adopt(b));
    http::BodyDecoder decoder;
    decoder.start(http::Framing::Length, announced);
    Buffer head(loop.reactor.blocks(), BlockSize::Small);
    Pump pump(source, received, decoder, second, head);
    pump.source_timeout = pump.sink_timeout = kLong;
    pump.keep = received.size();
    std::string to;
    std::vector<Task<>> tasks;
    tasks.push_back(carry_to(pump, second, *this));
    tasks.push_back(receive(other, to));
    loop.run(std::move(tasks));
    pump.forget();
    return to;
  }
  static Task<> carry_to(Pump& pump, Stream& sink, Transfer& to) {
    to.end = co_await forward::run(pump);
    sink.shutdown_send();
  }

  static Task<> send(Stream& to, std::string text) {
    const iovec part{text.data(), text.size()};
    co_await to.send({&part, 1}, kLong);
    to.shutdown_send();
  }
  static Task<> carry(Pump& pump, Transfer& to) {
    to.end = co_await forward::run(pump);
    to.sink.shutdown_send();
    if (to.end != PumpEnd::Complete) to.origin.cancel();
  }
  static Task<> receive(Stream& from, std::string& to) {
    std::vector<char> space(100'000);
    for (;;) {
      const IoResult read = co_await from.read(space.data(), space.size(), kLong);
      if (read.status != IoStatus::Ok) co_return;
      to.append(space.data(), read.bytes);
    }
  }
  std::string_view body() const { return std::string_view(seen).substr(std::min(seen.size(), kHead.size())); }

  Loop loop;
  Stream origin{loop.reactor}, source{loop.reactor}, sink{loop.reactor}, client{loop.reactor};
  Buffer received{loop.reactor.blocks()};
  std::string seen;
  PumpEnd end{};
  std::uint64_t bytes = 0;
  std::size_t kept = 0;
  bool consumed = false;
};

class BodyPump : public ::testing::Test {
 protected:
  void SetUp() override { faults = {}; }
  void TearDown() override { faults = {}; }
};

TEST_F(BodyPump, ALargeBodyIsSplicedAndWhatFollowsItIsNotTaken) {
  Transfer transfer;
  const std::string body = body_of(4 * kMiB);
  transfer.run(body + "next", body.size());
  EXPECT_EQ(transfer.end, PumpEnd::Complete);
  EXPECT_TRUE(transfer.body() == body) << transfer.body().size();
  EXPECT_EQ(transfer.bytes, body.size());
  EXPECT_GT(faults.calls, 0);
  std::string rest(transfer.received.view());
  char space[8];
  const ssize_t n = ::recv(transfer.source.descriptor(), space, sizeof space, 0);
  if (n > 0) rest.append(space, static_cast<std::size_t>(n));
  EXPECT_EQ(rest, "next");
}

TEST_F(BodyPump, ASmallBodyAndAChunkedOneAreCopied) {
  for (const bool chunked : {false, true}) {
    Transfer transfer;
    const std::string body = body_of(chunked ? kMiB : 48 * 1024);
    transfer.run(body, body.size(), chunked);
    EXPECT_EQ(transfer.end, PumpEnd::Complete);
    EXPECT_EQ(transfer.bytes, body.size());
    EXPECT_EQ(faults.calls, 0);
  }
}

TEST_F(BodyPump, WhicheverCallIsRefusedTheBodyArrivesWholeByCopying) {
  const std::string body = body_of(kMiB);
  for (const int error : {EINVAL, ENOSYS, EPERM, EINTR}) {
    for (int call = 0;; ++call) {
      faults = {};
      faults.fails_at = call;
      faults.error = error;
      Transfer transfer;
      transfer.run(body, body.size());
      ASSERT_EQ(transfer.end, PumpEnd::Complete) << call << " " << error;
      ASSERT_TRUE(transfer.body() == body) << call << " " << error << " " << transfer.body().size();
      ASSERT_EQ(transfer.bytes, body.size());
      if (faults.calls <= call) break;
    }
  }
}

TEST_F(BodyPump, WhicheverCallFailsWithTheConnectionNothingWrongArrives) {
  const std::string body = body_of(kMiB);
  for (int call = 0;; ++call) {
    faults = {};
    faults.fails_at = call;
    faults.error = ECONNRESET;
    Transfer transfer;
    transfer.run(body, body.size());
    if (faults.calls <= call) {
      EXPECT_EQ(transfer.end, PumpEnd::Complete);
      break;
    }
    ASSERT_TRUE(transfer.end == PumpEnd::SourceEnded || transfer.end == PumpEnd::SinkEnded) << call;
    ASSERT_TRUE(body.starts_with(transfer.body())) << call;
    ASSERT_LT(transfer.bytes, body.size());
    ASSERT_EQ(transfer.loop.reactor.pipes().lent(), 0u);
  }
}

TEST_F(BodyPump, WithoutPipesItCopies) {
  faults.no_pipes = true;
  Transfer transfer;
  const std::string body = body_of(kMiB);
  transfer.run(body, body.size());
  EXPECT_EQ(transfer.end, PumpEnd::Complete);
  EXPECT_TRUE(transfer.body() == body);
  EXPECT_EQ(faults.calls, 0);
}

TEST_F(BodyPump, ASourceThatEndsEarlyIsSeenAndWhatItSentWasPassedOn) {
  for (const std::size_t sent : {kMiB - 1, kMiB / 2, std::size_t{70'000}}) {
    Transfer transfer;
    const std::string body = body_of(sent);
    transfer.run(body, kMiB);
    EXPECT_EQ(transfer.end, PumpEnd::SourceEnded);
    EXPECT_TRUE(transfer.body() == body) << transfer.body().size();
    EXPECT_EQ(transfer.bytes, sent);
  }
}

TEST_F(BodyPump, WhatIsKeptIsSentAgainAndWhatFollowsItIsNot) {
  for (const std::size_t size : {1u, 100u, 3'000u, 40'000u, 65'536u}) {
    Transfer transfer;
    const std::string body = body_of(size);
    transfer.run(body + "NEXT", body.size(), false, 65'536);
    EXPECT_EQ(transfer.end, PumpEnd::Complete);
    EXPECT_TRUE(transfer.body() == body);
    EXPECT_EQ(transfer.kept, size);
    EXPECT_FALSE(transfer.consumed);
    EXPECT_TRUE(transfer.again(size) == body) << size;
    EXPECT_EQ(transfer.end, PumpEnd::Complete);
    EXPECT_EQ(std::string_view("NEXT").substr(0, transfer.received.size()), transfer.received.view());
  }
}

TEST_F(BodyPump, OfABodyThatIsLongerThanWhatMayBeKeptNothingIs) {
  Transfer transfer;
  const std::string body = body_of(65'537);
  transfer.run(body, body.size(), false, 65'536);
  EXPECT_EQ(transfer.end, PumpEnd::Complete);
  EXPECT_TRUE(transfer.body() == body);
  EXPECT_EQ(transfer.kept, 0u);
  EXPECT_TRUE(transfer.consumed);
  EXPECT_TRUE(transfer.received.empty());
}

}  // namespace
}  // namespace tidegate::forward
