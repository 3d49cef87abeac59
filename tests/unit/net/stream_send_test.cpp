// Sending and connecting: several parts, a full socket, deadlines without progress, peers that are not there.
#include <gtest/gtest.h>

#include <array>
#include <numeric>

#include "net/loop.h"

namespace tidegate::net::test {
namespace {

iovec part_of(std::string& text) { return {text.data(), text.size()}; }

Task<> send_parts(Stream& stream, std::vector<iovec> parts, Duration timeout, IoResult& result) {
  result = co_await stream.send(parts, timeout);
  if (result.status == IoStatus::Ok) stream.shutdown_send();
}

Task<> receive(Stream& stream, std::size_t piece, std::string& to) {
  std::vector<char> space(piece);
  for (;;) {
    const IoResult result = co_await stream.read(space.data(), space.size(), kLong);
    if (result.status != IoStatus::Ok) co_return;
    to.append(space.data(), result.bytes);
  }
}

TEST(StreamSend, SendsAllPartsInOrderAlsoEmptyOnes) {
  Loop loop;
  Wire wire(loop);
  std::string a = "head;", b, c = "body";
  IoResult result;
  loop.run(send_parts(wire.stream, {part_of(a), part_of(b), part_of(c), part_of(b)}, kLong, result));
  EXPECT_EQ(result.status, IoStatus::Ok);
  EXPECT_EQ(result.bytes, 9u);
  char space[32];
  EXPECT_EQ(std::string_view(space, static_cast<std::size_t>(::recv(wire.peer, space, sizeof space, 0))), "head;body");
}

TEST(StreamSend, AFullSocketIsWaitedForAndNothingIsLostOrDoubled) {
  Loop loop;
  const auto [left, right] = tcp_pair();
  const int small = 4'096;  // a small SO_RCVBUF as well would only show TCP's zero-window probes, 200 ms each
  ::setsockopt(left, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  Stream sender(loop.reactor), receiver(loop.reactor);
  ASSERT_TRUE(sender.adopt(left));
  ASSERT_TRUE(receiver.adopt(right));
  std::vector<std::string> texts;
  std::vector<iovec> parts;
  std::string expected;
  for (std::size_t i = 0; i < Stream::kSendParts; ++i) {
    std::string text(i * 7'919 + 1, '\0');
    std::iota(text.begin(), text.end(), static_cast<char>(i));
    expected += text;
    texts.push_back(std::move(text));
  }
  for (std::string& text : texts) parts.push_back(part_of(text));
  IoResult result;
  std::string seen;
  std::vector<Task<>> tasks;
  tasks.push_back(send_parts(sender, parts, kLong, result));
  tasks.push_back(receive(receiver, 1'009, seen));
  loop.run(std::move(tasks));
  EXPECT_EQ(result.status, IoStatus::Ok);
  EXPECT_EQ(result.bytes, expected.size());
  EXPECT_TRUE(seen == expected) << seen.size();
}

TEST(StreamSend, WithoutProgressItTimesOutAndTellsHowMuchWentOut) {
  Loop loop;
  Wire wire(loop);
  std::string text(32 << 20, 'x');
  IoResult result;
  const TimePoint begun = Clock::now();
  loop.run(send_parts(wire.stream, {part_of(text)}, kShort, result));
  EXPECT_EQ(result.status, IoStatus::TimedOut);
  EXPECT_GE(Clock::now() - begun, kShort);
  EXPECT_GT(result.bytes, 0u);
  EXPECT_LT(result.bytes, text.size());
}

Task<> sip(Reactor& reactor, int peer, int times) {
  std::vector<char> space(256 << 10);
  for (int i = 0; i < times; ++i) {
    co_await Pause(reactor, kShort / 2);
    while (::recv(peer, space.data(), space.size(), 0) > 0) {
    }
  }
}

TEST(StreamSend, ProgressPushesTheDeadlineBack) {
  Loop loop;
  Wire wire(loop);
  std::string text(64 << 20, 'x');
  IoResult result;
  std::vector<Task<>> tasks;
  tasks.push_back(send_parts(wire.stream, {part_of(text)}, 4 * kShort, result));
  tasks.push_back(sip(loop.reactor, wire.peer, 12));
  const TimePoint begun = Clock::now();
  loop.run(std::move(tasks));
  if (result.status == IoStatus::TimedOut) {
    EXPECT_GE(Clock::now() - begun, 5 * kShort);  // later than the deadline that it began with
  } else {
    EXPECT_EQ(result.bytes, text.size());
  }
}

TEST(StreamSend, CancelEndsTheSendThatWaits) {
  Loop loop;
  Wire wire(loop);
  std::string text(32 << 20, 'x');
  IoResult result;
  std::vector<Task<>> tasks;
  tasks.push_back(send_parts(wire.stream, {part_of(text)}, kLong, result));
  tasks.push_back([](Loop& on, Wire& w) -> Task<> {
    co_await Pause(on.reactor, kShort);
    w.stream.cancel();
  }(loop, wire));
  loop.run(std::move(tasks));
  EXPECT_EQ(result.status, IoStatus::Canceled);
}

TEST(StreamSend, APeerThatResetsEndsTheSend) {
  Loop loop;
  Wire wire(loop);
  std::string text(32 << 20, 'x');
  IoResult result;
  std::vector<Task<>> tasks;
  tasks.push_back(send_parts(wire.stream, {part_of(text)}, kLong, result));
  tasks.push_back([](Loop& on, Wire& w) -> Task<> {
    co_await Pause(on.reactor, kShort);
    w.reset_peer();
  }(loop, wire));
  loop.run(std::move(tasks));
  EXPECT_EQ(result.status, IoStatus::Reset);
}

Task<> connect_to(Stream& stream, const Address& address, Duration timeout, IoStatus& status) {
  status = co_await stream.connect(address, timeout);
}

int listening(int backlog) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const Address any = *make_address("127.0.0.1", 0);
  EXPECT_EQ(::bind(descriptor, any.get(), any.length), 0);
  if (backlog >= 0) {
    EXPECT_EQ(::listen(descriptor, backlog), 0);
  }
  return descriptor;
}

TEST(StreamConnect, ConnectsAndCarriesBytesBothWays) {
  Loop loop;
  const int listener = listening(4);
  const Address address = address_of(listener);
  Stream stream(loop.reactor);
  std::string seen;
  loop.run([](Stream& s, const Address& to, int from, std::string& text) -> Task<> {
    const IoStatus status = co_await s.connect(to, kLong);
    EXPECT_EQ(status, IoStatus::Ok);
    const int peer = ::accept(from, nullptr, nullptr);
    std::string ping = "ping";
    const std::array<iovec, 1> parts{part_of(ping)};
    const IoResult sent = co_await s.send(parts, kLong);
    EXPECT_EQ(sent.bytes, 4u);
    EXPECT_EQ(::send(peer, "pong", 4, 0), 4);
    char space[16];
    const IoResult got = co_await s.read(space, sizeof space, kLong);
    text.assign(space, got.bytes);
    ::close(peer);
  }(stream, address, listener, seen));
  EXPECT_EQ(seen, "pong");
  ::close(listener);
}

TEST(StreamConnect, ARefusalIsAResetWithItsErrorNumber) {
  Loop loop;
  const int nobody = listening(-1);  // bound, so that the port is ours, but not listening
  const Address address = address_of(nobody);
  Stream stream(loop.reactor);
  IoStatus status{};
  loop.run(connect_to(stream, address, kLong, status));
  EXPECT_EQ(status, IoStatus::Reset);
  EXPECT_EQ(stream.error_number(), ECONNREFUSED);
  ::close(nobody);
}

TEST(StreamConnect, AnUnreachableFamilyIsAReset) {
  Loop loop;
  Stream stream(loop.reactor);
  IoStatus status{};
  loop.run(connect_to(stream, Address{}, kLong, status));
  EXPECT_EQ(status, IoStatus::Reset);
  EXPECT_NE(stream.error_number(), 0);
  EXPECT_FALSE(stream.is_open());
}

TEST(StreamConnect, AFullBacklogTimesOutAndCancelEndsTheWait) {
  const int listener = listening(0);
  const Address address = address_of(listener);
  std::vector<int> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ::connect(fillers.back(), address.get(), address.length);
  }
  {
    Loop loop;
    Stream stream(loop.reactor);
    IoStatus status{};
    const TimePoint begun = Clock::now();
    loop.run(connect_to(stream, address, kShort, status));
    EXPECT_EQ(status, IoStatus::TimedOut);
    EXPECT_GE(Clock::now() - begun, kShort);
  }
  {
    Loop loop;
    Stream stream(loop.reactor);
    IoStatus status{};
    std::vector<Task<>> tasks;
    tasks.push_back(connect_to(stream, address, kLong, status));
    tasks.push_back([](Loop& on, Stream& s) -> Task<> {
      co_await Pause(on.reactor, kShort);
      s.cancel();
    }(loop, stream));
    loop.run(std::move(tasks));
    EXPECT_EQ(status, IoStatus::Canceled);
  }
  for (const int descriptor : fillers) ::close(descriptor);
  ::close(listener);
}

TEST(StreamConnect, AStreamCanConnectAgainAfterItWasCancelled) {
  Loop loop;
  const int listener = listening(4);
  const Address address = address_of(listener);
  Stream stream(loop.reactor);
  stream.cancel();
  IoStatus status{};
  loop.run(connect_to(stream, address, kLong, status));
  EXPECT_EQ(status, IoStatus::Ok);
  EXPECT_FALSE(stream.canceled());
  ::close(listener);
}

}  // namespace
}  // namespace tidegate::net::test
