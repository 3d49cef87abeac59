// How long the end of a connection takes: until everything was taken, with the bounds of an answer, whatever the peer sends.
#include "forward/linger.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "net/loop.h"

namespace tidegate::forward::test {
namespace {

using net::test::Loop;
using net::test::Wire;

/// A stream whose end was sent behind as much as its socket holds, to a peer that has read nothing of it.
struct Ending {
  Ending() : wire(loop), scratch(loop.reactor.blocks()) {
    const std::string bytes(64 * 1024, 'x');
    while (::send(wire.stream.descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0) {}
    wire.stream.shutdown_send();
  }
  Task<> end() { taken = co_await await_taken(wire.stream, scratch, policy, pause); }
  /// Also cancels it after `after`.
  void cancel_after(Duration after) {
    std::vector<Task<>> tasks;
    tasks.push_back(end());
    tasks.push_back(cancel(after));
    loop.run(std::move(tasks));
  }
  Task<> cancel(Duration after) {
    net::test::Pause wait(loop.reactor, after);
    co_await wait;
    wire.stream.cancel();
    pause.end();
  }
  /// The peer reads all of it, a bit later.
  Task<> read_all() {
    net::test::Pause wait(loop.reactor, net::test::kShort);
    co_await wait;
    std::string space(1 << 20, '\0');
    for (ssize_t n = 1; n > 0 || (n < 0 && errno == EAGAIN);) {
      n = ::recv(wire.peer, space.data(), space.size(), 0);
      if (n > 0) continue;
      net::test::Pause more(loop.reactor, net::TimerWheel::kTick);
      if (n < 0) co_await more;
    }
  }
  /// As much as its socket takes, `most` at the most.
  void flood(std::size_t most = std::size_t{1} << 30) const {
    const std::string bytes(32 * 1024, 'x');
    for (std::size_t sent = 0; sent < most && ::send(wire.peer, bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0;) sent += bytes.size();
  }

  Loop loop;
  Wire wire;
  Buffer scratch;
  Pause pause;
  SessionPolicy policy;
  Taken taken = Taken::TooSlowly;
};

TEST(Linger, IsOverWhenThePeerHasTakenEverything) {
  Ending ending;
  EXPECT_GT(ending.wire.stream.unsent(), 0);
  std::vector<Task<>> tasks;
  tasks.push_back(ending.end());
  tasks.push_back(ending.read_all());
  ending.loop.run(std::move(tasks));
  EXPECT_EQ(ending.taken, Taken::All);
  EXPECT_EQ(ending.wire.stream.unsent(), 0);
}

TEST(Linger, LetsGoOfAPeerThatTakesNothing) {
  Ending ending;
  ending.policy.body_idle_timeout = net::test::kShort;
  ending.loop.run(ending.end());
  EXPECT_EQ(ending.taken, Taken::Stopped);
}

TEST(Linger, TellsWhoTakesItTooSlowly) {
  Ending ending;
  ending.policy.min_response_rate = 1 << 30;
  ending.policy.rate_grace = net::test::kShort;
  ending.loop.run(ending.end());
  EXPECT_EQ(ending.taken, Taken::TooSlowly);
}

TEST(Linger, IsOverWhenThePeerLeaves) {
  Ending ending;
  ending.wire.end();
  ending.loop.run(ending.end());
  EXPECT_EQ(ending.taken, Taken::Stopped);
}

TEST(Linger, ReadsAFloodToItsEndSoThatWhatIsUnreadResetsNothing) {
  Ending ending;
  ending.flood(288 * 1024);  // more than is read of it at once
  ending.wire.end();
  ending.loop.run(ending.end());
  EXPECT_EQ(ending.taken, Taken::Stopped);
  EXPECT_TRUE(ending.wire.stream.has_read_end());
}

TEST(Linger, EndsWhenItIsCancelledAndHoldsNoMemoryMeanwhile) {
  Ending ending;
  ending.cancel_after(net::test::kShort);
  EXPECT_EQ(ending.taken, Taken::Stopped);
  EXPECT_FALSE(ending.scratch.has_memory());
}

TEST(Linger, ReadsAFloodSlowlyAndEndsWhenItIsCancelled) {
  Ending ending;
  ending.flood();
  ending.cancel_after(net::test::kShort);
  EXPECT_EQ(ending.taken, Taken::Stopped);
  EXPECT_FALSE(ending.scratch.has_memory());
}

}  // namespace
}  // namespace tidegate::forward::test
