// Connections of a pool: whose they are when they were announced for a client, and whose failure it is when none can be made.
#include "upstream/pool.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

#include "net/loop.h"

namespace tidegate::upstream {
namespace {

using net::test::Loop;

struct Counted final : PoolEvents {
  void on_connections(int active_change, int idle_change) override { active += active_change, idle += idle_change; }
  void on_connect() override { ++connects; }
  int active = 0, idle = 0, connects = 0;
};

/// A listening socket, and what its clients sent.
class Server {
 public:
  Server() {
    net::Address any = *net::make_address("127.0.0.1", 0);
    descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::bind(descriptor_, any.get(), any.length), 0);
    EXPECT_EQ(::listen(descriptor_, 16), 0);
    address_ = net::test::address_of(descriptor_);
  }
  ~Server() { ::close(descriptor_); }
  const net::Address& address() const { return address_; }
  /// Of the next connection; as many bytes.
  std::string accept_and_read(std::size_t bytes) {
    const int accepted = ::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC);
    std::string out(bytes, '\0');
    EXPECT_EQ(::recv(accepted, out.data(), bytes, MSG_WAITALL), static_cast<ssize_t>(bytes));
    accepted_.push_back(accepted);
    return out;
  }
  void close_accepted() {
    for (const int one : accepted_) ::close(one);
    accepted_.clear();
  }

 private:
  int descriptor_ = -1;
  net::Address address_;
  std::vector<int> accepted_;
};

ClusterPolicy policy(std::optional<net::ProxyVersion> announced) {
  ClusterPolicy out;
  out.name = "old";
  out.endpoints.push_back({"127.0.0.1", 1, "127.0.0.1:1"});
  out.timeouts.connect = net::test::kLong;
  out.proxy_protocol = announced;
  return out;
}

struct Bench {
  explicit Bench(std::optional<net::ProxyVersion> announced = {}, PoolShare share = {}) : cluster(policy(announced)), pool(loop.reactor, cluster, share, events) {
    pool.set_addresses(0, {server.address()});
    acquisition.set_events({[](void* self) { ++static_cast<Bench*>(self)->dispatched; }, nullptr, nullptr, this});
  }
  Loop loop;
  Server server;
  Counted events;
  const ClusterPolicy cluster;
  Pool pool;
  Acquisition acquisition;
  int dispatched = 0;
};

Task<> acquire(Bench& bench, Client* client, Acquired& out) {
  out = co_await bench.pool.acquire(bench.acquisition, Reuse::Any, client);
}

// --- what a failure means

TEST(PoolFailure, OfThisMachineIsNobodyElses) {
  for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOSPC, EADDRNOTAVAIL}) EXPECT_EQ(failure_of_connect(error), Failure::Overflow) << error;
  for (const int error : {0, ECONNREFUSED, ECONNRESET, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT, EAGAIN, ENOENT, EACCES, EPERM}) {
    EXPECT_EQ(failure_of_connect(error), Failure::Connect) << error;
  }
}

/// No new descriptors while it lives.
struct NoDescriptors {
  NoDescriptors() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit none{0, before.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before); }
  rlimit before{};
};

Task<> acquire_without_descriptors(Bench& bench, Acquired& failed, Acquired& then) {
  {
    const NoDescriptors none;
    failed = co_await bench.pool.acquire(bench.acquisition, Reuse::Any);
  }
  EXPECT_EQ(bench.dispatched, 0) << "it was never on its way to the side";
  EXPECT_EQ(bench.pool.connections(), 0u);
  then = co_await bench.pool.acquire(bench.acquisition, Reuse::Any);
}

TEST(PoolFailure, ForWantOfADescriptorIsAnOverflowThatNeverCountedAsDispatched) {
  Bench bench;
  Acquired failed, then;
  bench.loop.run(acquire_without_descriptors(bench, failed, then));
  EXPECT_FALSE(failed.lease);
  EXPECT_EQ(failed.failure, Failure::Overflow);
  EXPECT_EQ(failed.error_number, EMFILE);
  EXPECT_TRUE(then.lease) << "it recovers";
  EXPECT_EQ(bench.dispatched, 1);
}

TEST(PoolFailure, OfAPortThatNobodyListensOnIsTheSides) {
  Bench bench;
  bench.pool.set_addresses(0, {[] { return Server().address(); }()});
  Acquired out;
  bench.loop.run(acquire(bench, nullptr, out));
  EXPECT_EQ(out.failure, Failure::Connect);
  EXPECT_EQ(out.error_number, ECONNREFUSED);
  EXPECT_EQ(bench.dispatched, 1);
}

TEST(PoolFailure, OfAUnixSocketThatIsNotThereIsTheSides) {
  Bench bench;
  bench.pool.set_addresses(0, {*net::make_address("unix:/nonexistent/a.sock", 0)});
  Acquired out;
  bench.loop.run(acquire(bench, nullptr, out));
  EXPECT_EQ(out.failure, Failure::Connect);
  EXPECT_EQ(out.error_number, ENOENT);
  EXPECT_EQ(bench.dispatched, 1) << "it failed at once, and all the same it was the side's";
}

// --- connections that were announced for a client

net::ProxyEnds ends(std::uint16_t port) { return {*net::make_address("192.0.2.1", port), *net::make_address("198.51.100.7", 443)}; }

Task<> two_clients(Bench& bench, Client& first, Client& second) {
  Pool& pool = bench.pool;
  Acquired a = co_await pool.acquire(bench.acquisition, Reuse::Any, &first);
  const Channel* const of_first = &*a.lease;
  EXPECT_EQ(bench.server.accept_and_read(41), "PROXY TCP4 192.0.2.1 198.51.100.7 1 443\r\n");
  a.lease.give_back();
  EXPECT_FALSE(pool.take_idle(Reuse::Any, &second)) << "it is the other's";
  Acquired b = co_await pool.acquire(bench.acquisition, Reuse::Any, &second);
  EXPECT_EQ(bench.server.accept_and_read(41), "PROXY TCP4 192.0.2.1 198.51.100.7 2 443\r\n");
  EXPECT_NE(&*b.lease, of_first);
  b.lease.give_back();
  Lease again = pool.take_idle(Reuse::Certain, &first);
  EXPECT_TRUE(again && &*again == of_first);
  EXPECT_FALSE(pool.take_idle(Reuse::Any, &first)) << "it has one";
  again.give_back();
  EXPECT_FALSE(pool.take_idle(Reuse::Never, &first));
  EXPECT_EQ(bench.events.idle, 2);
  first.end();
  EXPECT_EQ(bench.events.idle, 1);
  EXPECT_FALSE(pool.take_idle(Reuse::Any, &first));
  EXPECT_TRUE(pool.take_idle(Reuse::Any, &second));
}

TEST(PoolOfClients, LendsAConnectionToTheClientThatItWasAnnouncedForOnly) {
  Bench bench(net::ProxyVersion::V1);
  Client first(ends(1)), second(ends(2));
  bench.loop.run(two_clients(bench, first, second));
  EXPECT_EQ(bench.events.connects, 2);
  EXPECT_EQ(bench.events.active, 0);
  EXPECT_EQ(bench.pool.connections(), 0u) << "a lease that was dropped is closed";
}

Task<> one_place(Bench& bench, Client& first, Client& second) {
  Acquired a = co_await bench.pool.acquire(bench.acquisition, Reuse::Any, &first);
  a.lease.give_back();
  Acquired b = co_await bench.pool.acquire(bench.acquisition, Reuse::Any, &second);
  EXPECT_TRUE(b.lease);
  b.lease.give_back();
  EXPECT_EQ(bench.pool.connections(), 1u);
  EXPECT_FALSE(bench.pool.take_idle(Reuse::Any, &first)) << "it made room";
}

TEST(PoolOfClients, IdleConnectionsOfOthersMakeRoom) {
  Bench bench(net::ProxyVersion::V2, PoolShare{1, 1});
  Client first(ends(1)), second(ends(2));
  bench.loop.run(one_place(bench, first, second));
  first.end();
  second.end();
  EXPECT_EQ(bench.pool.connections(), 0u);
}

Task<> closed_ones(Bench& bench, Client& client) {
  Acquired a = co_await bench.pool.acquire(bench.acquisition, Reuse::Any, &client);
  Acquired b = co_await bench.pool.acquire(bench.acquisition, Reuse::Any, &client);
  bench.server.accept_and_read(28);
  bench.server.accept_and_read(28);
  a.lease.give_back();
  b.lease.give_back();
  bench.server.close_accepted();
  EXPECT_FALSE(bench.pool.take_idle(Reuse::Certain, &client)) << "the kernel knows that both have ended";
  EXPECT_EQ(bench.events.idle, 0);
}

TEST(PoolOfClients, ConnectionsThatTheServerClosedAreNotLentForWhatMustNotBeSentTwice) {
  Bench bench(net::ProxyVersion::V2);
  Client client(ends(1));
  bench.loop.run(closed_ones(bench, client));
}

Task<> own(Bench& bench) {
  Acquired a = co_await bench.pool.acquire(bench.acquisition, Reuse::Any);
  EXPECT_EQ(bench.server.accept_and_read(15), "PROXY UNKNOWN\r\n");
  a.lease.give_back();
  EXPECT_TRUE(bench.pool.take_idle(Reuse::Any));
}

TEST(PoolOfClients, ConnectionsOfTidegateItselfAreSharedAndSaySo) {
  Bench bench(net::ProxyVersion::V1);
  bench.loop.run(own(bench));
}

Task<> unannounced(Bench& bench, Client& first, Client& second) {
  Acquired a = co_await bench.pool.acquire(bench.acquisition, Reuse::Any, &first);
  a.lease.give_back();
  EXPECT_TRUE(bench.pool.take_idle(Reuse::Any, &second));
}

TEST(PoolOfClients, WithoutTheProtocolConnectionsAreEverybodys) {
  Bench bench;
  Client first(ends(1)), second(ends(2));
  bench.loop.run(unannounced(bench, first, second));
}

// --- several targets

struct Several {
  explicit Several(std::size_t count, Duration slow_start = {}, PoolShare share = {})
      : servers(count), cluster(made(slow_start)), pool(loop.reactor, cluster, share, events) {
    pool.set_addresses(0, first(count));
  }
  static ClusterPolicy made(Duration slow_start) {
    ClusterPolicy out = policy({});
    out.slow_start = slow_start;
    return out;
  }
  std::vector<net::Address> first(std::size_t count) const {
    std::vector<net::Address> out;
    for (std::size_t i = 0; i < count; ++i) out.push_back(servers[i].address());
    return out;
  }
  Loop loop;
  std::vector<Server> servers;
  Counted events;
  const ClusterPolicy cluster;
  Pool pool;
  Acquisition acquisition;
};

/// Acquires one after the other; those that are kept are in flight at the same time.
Task<> ask(Several& bench, int times, bool keep, std::vector<int>& by_target, std::vector<Lease>& kept) {
  for (int i = 0; i < times; ++i) {
    Acquired out = co_await bench.pool.acquire(bench.acquisition, Reuse::Any);
    EXPECT_TRUE(out.lease);
    if (!out.lease) co_return;
    ++by_target[out.lease->target()];
    if (keep) kept.push_back(std::move(out.lease));
    out.lease.give_back();
  }
}

TEST(PoolOfTargets, WhatIsInFlightIsSpreadEvenly) {
  Several bench(2);
  std::vector<int> by_target(2);
  std::vector<Lease> kept;
  bench.loop.run(ask(bench, 14, true, by_target, kept));
  EXPECT_EQ(by_target, (std::vector<int>{7, 7})) << "of two, the one with less is always drawn";
}

TEST(PoolOfTargets, OneAfterTheOtherAllAreUsedOnOneConnectionEach) {
  Several bench(3);
  std::vector<int> by_target(3);
  std::vector<Lease> kept;
  bench.loop.run(ask(bench, 300, false, by_target, kept));
  for (const int one : by_target) EXPECT_NEAR(one, 100, 50);
  EXPECT_EQ(bench.events.connects, 3);
  EXPECT_EQ(bench.events.idle, 3);
}

TEST(PoolOfTargets, WithoutRoomForMoreConnectionsAnyIdleOneIsUsed) {
  Several bench(3, {}, PoolShare{1, 0});
  std::vector<int> by_target(3);
  std::vector<Lease> kept;
  bench.loop.run(ask(bench, 50, false, by_target, kept));
  EXPECT_EQ(bench.events.connects, 1);
}

TEST(PoolOfTargets, AnAddressThatIsGoneGetsNothingNewAndItsExchangesEnd) {
  Several bench(2);
  std::vector<int> by_target(2);
  std::vector<Lease> kept;
  bench.loop.run(ask(bench, 4, true, by_target, kept));
  kept.resize(2);  // two of the four end
  bench.pool.set_addresses(0, {bench.servers[1].address()});
  by_target = {0, 0};
  std::vector<Lease> more;
  bench.loop.run(ask(bench, 20, false, by_target, more));
  EXPECT_EQ(by_target[0], 0);
  for (Lease& one : kept) one.give_back();
  EXPECT_EQ(bench.events.active, 0);
  bench.pool.set_addresses(0, bench.first(2));
  bench.loop.run(ask(bench, 40, false, by_target, more));
  EXPECT_GT(by_target[0], 0) << "it is back";
}

TEST(PoolOfTargets, PlacesOfAddressesThatAreGoneAreUsedAgain) {
  Several bench(2);
  for (int i = 0; i < 1000; ++i) {
    bench.pool.set_addresses(0, {*net::make_address("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250), 80)});
  }
  EXPECT_LE(bench.pool.places(), 4u);
}

Task<> ask_all(Several& bench, int times, std::vector<Failure>& out) {
  for (int i = 0; i < times; ++i) {
    Acquired got = co_await bench.pool.acquire(bench.acquisition, Reuse::Any);
    out.push_back(got.failure);
    got.lease.give_back();
  }
}

std::vector<net::Address> with_dead(const Several& bench, int dead) {
  std::vector<net::Address> out = bench.first(1);
  for (int i = 0; i < dead; ++i) out.push_back([] { return Server().address(); }());
  return out;
}

TEST(PoolOfTargets, ADeadOneIsTriedOnceAndThenPassedOver) {
  for (const int dead : {1, 3}) {
    Several bench(1);
    bench.pool.set_addresses(0, with_dead(bench, dead));
    std::vector<Failure> came;
    bench.loop.run(ask_all(bench, 200, came));
    EXPECT_EQ(std::count(came.begin(), came.end(), Failure::Connect), dead);
    EXPECT_EQ(std::count(came.begin(), came.end(), Failure::None), 200 - dead);
  }
}

TEST(PoolOfTargets, WithNoneAliveEveryExchangeIsTheSidesFailure) {
  Several bench(1);
  const std::vector<net::Address> all = with_dead(bench, 2);
  bench.pool.set_addresses(0, {all[1], all[2]});
  std::vector<Failure> came;
  bench.loop.run(ask_all(bench, 20, came));
  EXPECT_EQ(std::count(came.begin(), came.end(), Failure::Connect), 20);
}

double share_of_a_new_one(Duration slow_start, bool used_before) {
  Several bench(2, slow_start);
  std::vector<int> by_target(2);
  std::vector<Lease> kept;
  bench.pool.set_addresses(0, {bench.servers[0].address()});
  if (used_before) bench.loop.run(ask(bench, 1, false, by_target, kept));
  bench.pool.set_addresses(0, bench.first(2));
  by_target = {0, 0};
  bench.loop.run(ask(bench, 400, false, by_target, kept));
  return by_target[1] / 400.0;
}

TEST(PoolOfTargets, ANewAddressStartsSlowly) {
  EXPECT_NEAR(share_of_a_new_one(std::chrono::hours(1), true), 0.05, 0.05);
  EXPECT_NEAR(share_of_a_new_one({}, true), 0.5, 0.12);
}

TEST(PoolOfTargets, WhatIsThereBeforeTheFirstExchangeDoesNot) {
  EXPECT_NEAR(share_of_a_new_one(std::chrono::hours(1), false), 0.5, 0.12);
}

// --- who is left out

struct LeftOut {
  LeftOut() : cluster(made()), pool(loop.reactor, cluster, {}, events) { pool.set_addresses(0, {first, second}); }
  static ClusterPolicy made() {
    ClusterPolicy out = policy({});
    out.outlier.emplace().max_ejected = 1.0;
    out.panic_threshold = 0.0;
    return out;
  }
  const net::Address first = *net::make_address("192.0.2.1", 80);
  const net::Address second = *net::make_address("192.0.2.2", 80);
  Loop loop;
  Counted events;
  const ClusterPolicy cluster;
  Pool pool;
};

Task<> until_usable(LeftOut& bench) {
  while (!bench.pool.is_usable()) {
    net::test::Pause pause(bench.loop.reactor, net::TimerWheel::kTick);
    co_await pause;
  }
}

TEST(PoolOfTargets, WhoIsLeftOutForAShorterTimeComesBackBeforeWhoIsLeftOutForLonger) {
  LeftOut bench;
  bench.pool.eject(0, bench.first, std::chrono::hours(1));
  bench.pool.eject(0, bench.second, net::test::kShort);
  EXPECT_FALSE(bench.pool.is_usable());
  bench.loop.run(until_usable(bench));
  EXPECT_TRUE(bench.pool.is_usable());
}

TEST(PoolOfTargets, WhatIsKnownOfAnAddressFromBeforeIsUsedOnce) {
  LeftOut bench;
  LeftOut next;
  bench.pool.eject(0, bench.first, std::chrono::hours(1));
  bench.pool.eject(0, bench.second, std::chrono::hours(1));
  next.pool.set_addresses(0, {});
  next.pool.take_over_health(bench.pool);
  next.pool.set_addresses(0, {next.first});
  EXPECT_FALSE(next.pool.is_usable());
  next.pool.set_addresses(0, {});
  next.pool.set_addresses(0, {next.second});
  EXPECT_TRUE(next.pool.is_usable()) << "every endpoint had its addresses: it is new";
  next.pool.set_addresses(0, {next.first});
  EXPECT_TRUE(next.pool.is_usable()) << "it went, and is new";
}

}  // namespace
}  // namespace tidegate::upstream
