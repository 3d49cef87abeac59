// Sessions: tickets and their keys, what may be resumed where, and the bound on handshakes.
#include <gtest/gtest.h>

#include "net/handshake_rate.h"
#include "net/tls_pair.h"

namespace tidegate::net::test {
namespace {

using namespace std::chrono_literals;

std::span<const unsigned char, 16> name_of(const TicketKey& key) { return key.name; }

TEST(TicketKeys, AreChangedAndThePreviousOneStillOpens) {
  TicketKeys keys;
  const TimePoint start = Clock::now();
  const TicketKey first = keys.current(start);
  EXPECT_EQ(keys.current(start + TicketKeys::kRotation - 1s).name, first.name);
  EXPECT_TRUE(keys.find(name_of(first), start)->is_current);
  const TimePoint later = start + TicketKeys::kRotation;
  const TicketKey second = keys.current(later);
  EXPECT_NE(second.name, first.name);
  EXPECT_NE(second.cipher, first.cipher);
  EXPECT_NE(second.mac, first.mac);
  const auto found = keys.find(name_of(first), later);
  ASSERT_TRUE(found.has_value());
  EXPECT_FALSE(found->is_current);
  EXPECT_EQ(found->key.cipher, first.cipher);
  EXPECT_FALSE(keys.find(name_of(first), later + TicketKeys::kRotation).has_value());
  EXPECT_TRUE(keys.find(name_of(second), later + TicketKeys::kRotation).has_value());
}

TEST(TicketKeys, ALongSilenceLeavesNoneBehind) {
  TicketKeys keys;
  const TimePoint start = Clock::now();
  const TicketKey first = keys.current(start);
  EXPECT_FALSE(keys.find(name_of(first), start + 2 * TicketKeys::kRotation).has_value());
}

TEST(TicketKeys, AnUnknownNameIsNotFound) {
  TicketKeys keys;
  const std::array<unsigned char, 16> name{};
  EXPECT_FALSE(keys.find(name, Clock::now()).has_value());
}

/// A connection whose client has read the server's tickets. @return whether it was resumed.
bool connect(const std::shared_ptr<const TlsServerContext>& server, const std::shared_ptr<const TlsClientContext>& client,
             TlsSessionSlot& slot) {
  Loop loop;
  TlsPair pair(loop);
  pair.secure(server, client, &slot);
  pair.shake_hands();
  EXPECT_TRUE(pair.established()) << pair.client.tls()->failure() << " / " << pair.server.tls()->failure();
  std::string seen;
  IoStatus sent{}, read{};
  std::vector<Task<>> tasks;
  tasks.push_back(send_text(pair.server, "x", sent));
  tasks.push_back(read_text(pair.client, 1, 1, seen, read));
  loop.run(std::move(tasks));
  EXPECT_EQ(pair.client.tls()->resumed(), pair.server.tls()->resumed());
  const bool resumed = pair.client.tls()->resumed();
  pair.client.abort();  // however it ends, the session stays good
  return resumed;
}

TEST(TlsSession, IsResumedByTheSameContextOnly) {
  const auto server = pki().server_context();
  const auto client = pki().client_context();
  TlsSessionSlot slot;
  EXPECT_FALSE(connect(server, client, slot));
  EXPECT_TRUE(connect(server, client, slot));
  EXPECT_TRUE(connect(server, client, slot));
  EXPECT_FALSE(connect(server, pki().client_context(), slot));  // it may trust others
}

TEST(TlsSession, OutlivesAChangeOfTheCertificate) {
  const auto client = pki().client_context();
  TlsSessionSlot slot;
  EXPECT_FALSE(connect(pki().server_context(), client, slot));
  const Identity renewed = pki().authority.issue("DNS:api.example.com");
  EXPECT_TRUE(connect(pki().server_context({}, &renewed), client, slot));
}

TEST(TlsSession, ASlotWithoutSessionIsAFullHandshake) {
  TlsSessionSlot slot;
  EXPECT_EQ(slot.get(), nullptr);
  EXPECT_FALSE(connect(pki().server_context(), pki().client_context(), slot));
  EXPECT_NE(slot.get(), nullptr);
}

// --- the bound

struct Waiter final : HandshakeWaiter {
  void on_admitted() override { ++admitted; }
  int admitted = 0;
};

TEST(HandshakeRate, WithoutABoundNobodyWaits) {
  Loop loop;
  HandshakeRate rate(loop.reactor, 0);
  Waiter waiter;
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(rate.ask(waiter, 1s), HandshakeRate::Admission::Now);
}

TEST(HandshakeRate, ThoseOverItWaitInOrderAndThoseWithoutPatienceAreToldAtOnce) {
  Loop loop;
  HandshakeRate rate(loop.reactor, 20);  // two at once, one each 50 ms
  std::array<Waiter, 6> waiters;
  EXPECT_EQ(rate.ask(waiters[0], 1s), HandshakeRate::Admission::Now);
  EXPECT_EQ(rate.ask(waiters[1], 1s), HandshakeRate::Admission::Now);
  EXPECT_EQ(rate.ask(waiters[2], 1s), HandshakeRate::Admission::Later);
  EXPECT_EQ(rate.ask(waiters[3], 1s), HandshakeRate::Admission::Later);
  EXPECT_EQ(rate.ask(waiters[4], 100ms), HandshakeRate::Admission::Never);  // two are before it
  EXPECT_EQ(rate.waiting(), 2u);
  loop.run([](Reactor& reactor, std::array<Waiter, 6>& all) -> Task<> {
    while (all[3].admitted == 0) {
      EXPECT_LE(all[3].admitted, all[2].admitted);
      co_await Pause(reactor, 5ms);
    }
  }(loop.reactor, waiters));
  EXPECT_EQ(waiters[2].admitted, 1);
  EXPECT_EQ(waiters[4].admitted, 0);
  EXPECT_EQ(rate.waiting(), 0u);
}

TEST(HandshakeRate, WhoLeavesGivesUpItsPlace) {
  Loop loop;
  HandshakeRate rate(loop.reactor, 10);
  Waiter first, stays;
  EXPECT_EQ(rate.ask(first, 1s), HandshakeRate::Admission::Now);
  {
    Waiter leaves;
    EXPECT_EQ(rate.ask(leaves, 1s), HandshakeRate::Admission::Later);
    EXPECT_EQ(rate.ask(stays, 1s), HandshakeRate::Admission::Later);
    EXPECT_EQ(rate.waiting(), 2u);
  }
  EXPECT_EQ(rate.waiting(), 1u);
  loop.run([](Reactor& reactor, Waiter& who) -> Task<> {
    while (who.admitted == 0) co_await Pause(reactor, 5ms);
  }(loop.reactor, stays));
}

/// Counts the turns of the loop, which it keeps turning.
struct Turns final : TurnEnd {
  explicit Turns(Reactor& on) : reactor(on) { reactor.at_turn_end(*this); }
  void on_turn_end() override {
    ++count;
    reactor.post([this] { reactor.at_turn_end(*this); });
  }
  Reactor& reactor;
  int count = 0;
};

struct Heavy final : HeavyWork {
  Heavy(std::vector<int>& to, int number, const Turns& on) : log(to), turns(on), own(number) {}
  void do_heavy_work() override {
    log.push_back(own);
    turn = turns.count;
  }
  std::vector<int>& log;
  const Turns& turns;
  const int own;
  int turn = 0;
};

TEST(HeavyWork, IsSpreadOverTurnsInOrder) {
  Loop loop;
  Turns turns(loop.reactor);
  std::vector<int> log;
  std::vector<std::unique_ptr<Heavy>> all;
  for (int i = 0; i < 7; ++i) all.push_back(std::make_unique<Heavy>(log, i, turns));
  for (const auto& one : all) loop.reactor.queue(*one);
  loop.reactor.queue(*all.front());  // once is once
  all[1].reset();                    // it left
  loop.run([](Reactor& reactor, std::vector<int>& done) -> Task<> {
    while (done.size() < 6) co_await Pause(reactor, 1ms);
  }(loop.reactor, log));
  EXPECT_EQ(log, (std::vector<int>{0, 2, 3, 4, 5, 6}));
  for (const int i : {3, 5}) EXPECT_GT(all[static_cast<std::size_t>(i)]->turn, all[static_cast<std::size_t>(i) - 1]->turn) << i;
}

}  // namespace
}  // namespace tidegate::net::test
