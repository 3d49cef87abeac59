// Reading from a stream: what is there, what comes later, the end, deadlines, cancelling, and what comes unasked.
#include <gtest/gtest.h>

#include <array>
#include <functional>

#include "net/loop.h"

namespace tidegate::net::test {
namespace {

/// Reads to the end, in pieces of at most `piece` bytes.
Task<> read_all(Stream& stream, std::size_t piece, std::string& to, IoStatus& end) {
  std::vector<char> space(piece);
  for (;;) {
    const IoResult result = co_await stream.read(space.data(), space.size(), kLong);
    end = result.status;
    if (result.status != IoStatus::Ok) co_return;
    to.append(space.data(), result.bytes);
  }
}

Task<> later(Reactor& reactor, std::function<void()> act) {
  co_await Pause(reactor, std::chrono::milliseconds(5));
  act();
}

std::vector<Task<>> both(Task<> a, Task<> b) {
  std::vector<Task<>> tasks;
  tasks.push_back(std::move(a));
  tasks.push_back(std::move(b));
  return tasks;
}

TEST(StreamRead, AnEndThatCameWithTheDataIsNotLostWhateverTheSizeOfTheReads) {
  for (const std::size_t piece : {1u, 2u, 3u, 4u, 100u}) {
    Loop loop;
    Wire wire(loop);
    wire.write("abc");
    wire.end();
    std::string seen;
    IoStatus end{};
    loop.run(read_all(wire.stream, piece, seen, end));
    EXPECT_EQ(seen, "abc") << piece;
    EXPECT_EQ(end, IoStatus::Eof) << piece;
    EXPECT_TRUE(wire.stream.ended());
    EXPECT_TRUE(wire.stream.at_end());
  }
}

TEST(StreamRead, DataAndAnEndThatComeTogetherWhileItWaitsAreBothSeen) {
  for (const std::size_t piece : {1u, 3u, 4u, 100u}) {
    Loop loop;
    Wire wire(loop);
    std::string seen;
    IoStatus end{};
    std::function<void()> act = [&] {
      wire.write("abc");
      wire.end();
    };
    loop.run(both(read_all(wire.stream, piece, seen, end), later(loop.reactor, std::move(act))));
    EXPECT_EQ(seen, "abc") << piece;
    EXPECT_EQ(end, IoStatus::Eof) << piece;
  }
}

Task<> drip(Reactor& reactor, Wire& wire, int pieces) {
  for (int i = 0; i < pieces; ++i) {
    co_await Pause(reactor, std::chrono::milliseconds(1));
    wire.write("xy");
  }
  wire.end();
}

TEST(StreamRead, EverythingThatDripsInArrives) {
  Loop loop;
  Wire wire(loop);
  std::string seen;
  IoStatus end{};
  loop.run(both(read_all(wire.stream, 7, seen, end), drip(loop.reactor, wire, 20)));
  EXPECT_EQ(seen.size(), 40u);
  EXPECT_EQ(end, IoStatus::Eof);
}

Task<> read_once(Stream& stream, Duration timeout, IoResult& result) {
  static std::array<char, 64> space;
  result = co_await stream.read(space.data(), space.size(), timeout);
}

TEST(StreamRead, TimesOutNeverEarlyAndCanBeReadAgain) {
  Loop loop;
  Wire wire(loop);
  IoResult first, second;
  const TimePoint begun = Clock::now();
  loop.run([](Wire& on, IoResult& a, IoResult& b) -> Task<> {
    co_await read_once(on.stream, kShort, a);
    on.write("x");
    co_await read_once(on.stream, kLong, b);
  }(wire, first, second));
  EXPECT_EQ(first.status, IoStatus::TimedOut);
  EXPECT_GE(Clock::now() - begun, kShort);
  EXPECT_EQ(second.status, IoStatus::Ok);
  EXPECT_EQ(second.bytes, 1u);
}

TEST(StreamRead, ADeadlineThatIsSetAnewCountsFromThen) {
  Loop loop;
  Wire wire(loop);
  IoResult result;
  const TimePoint begun = Clock::now();
  std::function<void()> act = [&] { wire.stream.restart_read_timeout(3 * kShort); };
  loop.run(both(read_once(wire.stream, kShort, result), later(loop.reactor, std::move(act))));
  EXPECT_EQ(result.status, IoStatus::TimedOut);
  EXPECT_GE(Clock::now() - begun, 3 * kShort);
}

TEST(StreamRead, CancelEndsTheReadThatWaitsAndEveryLaterOne) {
  Loop loop;
  Wire wire(loop);
  IoResult first, second;
  std::function<void()> act = [&] { wire.stream.cancel(); };
  loop.run(both([](Wire& on, IoResult& a, IoResult& b) -> Task<> {
    co_await read_once(on.stream, kLong, a);
    on.write("x");
    co_await read_once(on.stream, kLong, b);
  }(wire, first, second), later(loop.reactor, std::move(act))));
  EXPECT_EQ(first.status, IoStatus::Canceled);
  EXPECT_EQ(second.status, IoStatus::Canceled);
  EXPECT_TRUE(wire.stream.canceled());
  EXPECT_FALSE(wire.stream.is_quiet());
}

TEST(StreamRead, CancellingTheReadOnlyLeavesTheStreamUsable) {
  Loop loop;
  Wire wire(loop);
  IoResult first, second;
  std::function<void()> act = [&] { wire.stream.cancel_read(); };
  loop.run(both([](Wire& on, IoResult& a, IoResult& b) -> Task<> {
    co_await read_once(on.stream, kLong, a);
    on.write("x");
    co_await read_once(on.stream, kLong, b);
  }(wire, first, second), later(loop.reactor, std::move(act))));
  EXPECT_EQ(first.status, IoStatus::Canceled);
  EXPECT_EQ(second.status, IoStatus::Ok);
}

TEST(StreamRead, AResetIsNotAnEnd) {
  Loop loop;
  Wire wire(loop);
  IoResult result;
  std::function<void()> act = [&] { wire.reset_peer(); };
  loop.run(both(read_once(wire.stream, kLong, result), later(loop.reactor, std::move(act))));
  EXPECT_EQ(result.status, IoStatus::Reset);
  EXPECT_EQ(wire.stream.error_number(), ECONNRESET);
  EXPECT_TRUE(wire.stream.at_end());
}

TEST(StreamRead, AbortIsSeenAsAResetByThePeer) {
  Loop loop;
  Wire wire(loop);
  wire.stream.abort();
  EXPECT_FALSE(wire.stream.is_open());
  char byte;
  EXPECT_EQ(::recv(wire.peer, &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST(StreamRead, AClosedStreamCancelsReads) {
  Loop loop;
  Wire wire(loop);
  wire.stream.close();
  wire.stream.close();
  IoResult result;
  loop.run(read_once(wire.stream, kLong, result));
  EXPECT_EQ(result.status, IoStatus::Canceled);
}

/// Empties the stream, so that it is quiet, and stays for a while.
Task<> stay_quiet(Stream& stream, Reactor& reactor, bool& was_quiet) {
  IoResult result;
  co_await read_once(stream, kShort, result);
  was_quiet = stream.is_quiet();
  co_await Pause(reactor, kShort);
}

struct Told {
  int times = 0;
  static void tell(void* self) { ++static_cast<Told*>(self)->times; }
};

TEST(StreamIdle, BytesThatComeUnaskedAreToldOnce) {
  Loop loop;
  Wire wire(loop);
  Told unexpected, hangup;
  wire.stream.on_unexpected(&Told::tell, &unexpected);
  wire.stream.on_hangup(&Told::tell, &hangup);
  bool quiet = false;
  loop.run([](Loop& on, Wire& w, bool& q) -> Task<> {
    co_await stay_quiet(w.stream, on.reactor, q);
    w.write("HTTP/1.1 408 Request Timeout\r\n");
    co_await Pause(on.reactor, kShort);
    w.write("more");
    co_await Pause(on.reactor, kShort);
  }(loop, wire, quiet));
  EXPECT_TRUE(quiet);
  EXPECT_EQ(unexpected.times, 1);
  EXPECT_EQ(hangup.times, 0);
  EXPECT_FALSE(wire.stream.is_quiet());
}

TEST(StreamIdle, APeerThatLeavesIsToldOnce) {
  Loop loop;
  Wire wire(loop);
  Told hangup;
  wire.stream.on_hangup(&Told::tell, &hangup);
  bool quiet = false;
  loop.run([](Loop& on, Wire& w, bool& q) -> Task<> {
    co_await stay_quiet(w.stream, on.reactor, q);
    w.end();
    co_await Pause(on.reactor, kShort);
    w.close_peer();
    co_await Pause(on.reactor, kShort);
  }(loop, wire, quiet));
  EXPECT_TRUE(quiet);
  EXPECT_EQ(hangup.times, 1);
  EXPECT_TRUE(wire.stream.ended());
  EXPECT_FALSE(wire.stream.is_quiet());
}

TEST(StreamIdle, ReadableWaitsForDataWithoutTakingIt) {
  Loop loop;
  Wire wire(loop);
  IoResult ready, read;
  std::function<void()> act = [&] { wire.write("abc"); };
  loop.run(both([](Wire& w, IoResult& a, IoResult& b) -> Task<> {
    co_await read_once(w.stream, kShort / 10, b);  // the first look; the stream is empty now
    a = co_await w.stream.readable(kLong);
    co_await read_once(w.stream, kLong, b);
  }(wire, ready, read), later(loop.reactor, std::move(act))));
  EXPECT_EQ(ready.status, IoStatus::Ok);
  EXPECT_EQ(read.bytes, 3u);
}

/// Reads into the buffer until `wanted` bytes came, throwing them away as a body that is passed on.
Task<> read_away(Stream& stream, Buffer& buffer, std::size_t wanted, IoStatus& end) {
  end = IoStatus::Ok;
  while (wanted > 0 && end == IoStatus::Ok) {
    const IoResult result = co_await stream.read(buffer, kLong);
    end = result.status;
    EXPECT_EQ(buffer.size(), result.bytes);
    buffer.consume(result.bytes);
    wanted -= result.bytes;
  }
}

TEST(StreamRead, AnEmptyBufferHoldsNoMemoryWhileItWaitsAlsoAfterAReadThatFilledIt) {
  for (const std::size_t before : {std::size_t{0}, std::size_t{1}, bytes_of(BlockSize::Medium)}) {
    Loop loop;
    Wire wire(loop);
    Buffer buffer(loop.reactor.blocks());
    IoStatus end{};
    bool held = true;
    wire.write(std::string(before, 'a'));
    std::function<void()> act = [&] {
      held = buffer.has_memory();
      wire.write("b");
    };
    loop.run(both(read_away(wire.stream, buffer, before + 1, end), later(loop.reactor, std::move(act))));
    EXPECT_EQ(end, IoStatus::Ok);
    EXPECT_FALSE(held) << before;
  }
}

TEST(StreamRead, ABufferThatHoldsSomethingKeepsItWhileItWaitsAndIsAddedTo) {
  Loop loop;
  Wire wire(loop);
  Buffer buffer(loop.reactor.blocks());
  buffer.append("head ");
  IoResult read;
  std::function<void()> act = [&] { wire.write("rest"); };
  loop.run(both([](Wire& w, Buffer& b, IoResult& r) -> Task<> { r = co_await w.stream.read(b, kLong); }(wire, buffer, read),
                later(loop.reactor, std::move(act))));
  EXPECT_EQ(read.bytes, 4u);
  EXPECT_EQ(buffer.view(), "head rest");
}

}  // namespace
}  // namespace tidegate::net::test
