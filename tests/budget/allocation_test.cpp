// A request in the steady state of the HTTP/1.1 path allocates nothing and takes no lock (PRODUCT §6): counted on the
// worker's thread, over kRequests on kept connections after a warm-up in which pools reach their size.
#include <gtest/gtest.h>

#include <cstdlib>
#include <mutex>

#include "counting.h"
#include "proxy_fixture.h"

namespace tidegate::budget {
namespace {

constexpr int kWarmUp = 200;     // both sides, all connections and the free lists are reached
constexpr int kRounds = 3;
#if defined(__SANITIZE_THREAD__)
constexpr int kRequests = 200;   // it is some twenty times slower
#else
constexpr int kRequests = 2000;
#endif
constexpr int kClients = 4;

struct Traffic {
  std::string request;
  std::string answer;
  std::uint16_t status = 200;
  http::Method method = http::Method::Get;
};

const std::string kFields =
    "Host: shop.example.org\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Referer: https://shop.example.org/catalogue?page=2\r\n"
    "Cookie: session=0f8fad5b-d9cb-469f-a165-70867728950e; theme=dark\r\n";

std::string get() { return "GET /catalogue/items?page=3 HTTP/1.1\r\n" + kFields + "\r\n"; }
std::string post(std::size_t bytes) {
  const std::string length = "Content-Length: " + std::to_string(bytes) + "\r\n\r\n";
  return "POST /orders HTTP/1.1\r\n" + kFields + length + std::string(bytes, 'b');
}
std::string post_in_chunks() {
  return "POST /orders HTTP/1.1\r\n" + kFields + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
}
std::string answer(std::size_t bytes, const std::string& status = "200 OK") {
  return "HTTP/1.1 " + status + "\r\nContent-Type: text/html\r\nServer: origin\r\nContent-Length: " + std::to_string(bytes) +
         "\r\n\r\n" + std::string(bytes, 'a');
}
std::string answer_in_chunks(int chunks) {
  std::string all = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < chunks; ++i) all += "10\r\n0123456789abcdef\r\n";
  return all + "0\r\n\r\n";
}

/// One request on one of the connections, to the end of its answer and of its copy.
void exchange(Wire& client, const Traffic& traffic, const Proxy& proxy) {
  ASSERT_TRUE(client.send(traffic.request));
  http::ResponseHeadDecoder decoder;
  decoder.reset(traffic.method);
  const auto head = std::make_unique<http::ResponseHead>();
  std::uint64_t body = 0;
  ASSERT_TRUE(client.read(decoder, *head, body));
  ASSERT_EQ(head->status, traffic.status);
  while (proxy.counters().mirror.in_flight.read() != 0) std::this_thread::yield();
}

/// What kRequests cost the worker, after the warm-up. A pool that had not reached its size (a large answer is copied only when
/// it comes too thin to be spliced, so its first block may be taken late) gets another round for it: what a request allocates
/// is there in every round.
Counts cost(const ProxySetup& setup, const Traffic& traffic) {
  const Origin old_side(traffic.answer), new_side(traffic.answer);
  Proxy proxy(setup, old_side, new_side);
  std::vector<std::unique_ptr<Wire>> clients;
  for (int i = 0; i < kClients; ++i) clients.push_back(proxy.connect());
  const auto run = [&](int requests) {
    for (int i = 0; i < requests && !testing::Test::HasFatalFailure(); ++i) {
      exchange(*clients[static_cast<std::size_t>(i % kClients)], traffic, proxy);
    }
  };
  run(kWarmUp);
  for (int round = 1;; ++round) {
    Counts counts;
    proxy.count(&counts);
    run(kRequests);
    proxy.count(nullptr);
    if (counts.allocations == 0 || round == kRounds) return counts;
  }
}

void expect_nothing(const Counts& counts) {
  EXPECT_EQ(counts.allocations, 0u) << counts.bytes << " bytes over " << kRequests << " requests\n" << counts.where();
  EXPECT_EQ(counts.locks, 0u) << counts.where();
}

/// Where the parts that make it true are as released.
class SteadyState : public testing::Test {
 protected:
  void SetUp() override {
    if (TIDEGATE_CAN_COUNT == 0) GTEST_SKIP() << "AddressSanitizer is the allocator, and the pools are off under it";
  }
};

TEST_F(SteadyState, TheCountingSeesWhatAllocatesAndLocks) {
  Counts counts;
  std::mutex mutex;
  count_this_thread(&counts);
  void* volatile memory = std::malloc(100);  // volatile: what nobody uses would be left out by the compiler
  std::free(memory);
  ::operator delete(::operator new(100));
  { const std::lock_guard lock(mutex); }
  count_this_thread(nullptr);
  EXPECT_EQ(counts.allocations, 2u);
#if !defined(__SANITIZE_THREAD__)
  EXPECT_EQ(counts.locks, 1u);
#endif
}

TEST_F(SteadyState, AGetAllocatesNothing) { expect_nothing(cost({}, {get(), answer(1024)})); }

TEST_F(SteadyState, AnAnswerWithoutABodyAllocatesNothing) {
  expect_nothing(cost({}, {get(), "HTTP/1.1 204 No Content\r\nServer: origin\r\n\r\n", 204}));
}

TEST_F(SteadyState, AnErrorOfASideAllocatesNothing) {
  expect_nothing(cost({}, {get(), answer(16, "500 Internal Server Error"), 500}));
}

TEST_F(SteadyState, AnAnswerInChunksAllocatesNothing) { expect_nothing(cost({}, {get(), answer_in_chunks(40)})); }

TEST_F(SteadyState, AnAnswerOfManyBlocksAllocatesNothing) { expect_nothing(cost({}, {get(), answer(200'000)})); }

TEST_F(SteadyState, APostWithALengthAllocatesNothing) {
  expect_nothing(cost({}, {post(2'000), answer(64), 200, http::Method::Post}));
}

TEST_F(SteadyState, APostOfManyBlocksAllocatesNothing) {
  expect_nothing(cost({}, {post(100'000), answer(64), 200, http::Method::Post}));
}

TEST_F(SteadyState, APostInChunksAllocatesNothing) {
  expect_nothing(cost({}, {post_in_chunks(), answer(64), 200, http::Method::Post}));
}

TEST_F(SteadyState, AnAccessLogAllocatesNothing) {
  ProxySetup setup;
  setup.access_log = true;
  expect_nothing(cost(setup, {get(), answer(1024)}));
}

TEST_F(SteadyState, AMirroredGetAllocatesNothing) {
  ProxySetup setup;
  setup.mirror = true;
  expect_nothing(cost(setup, {get(), answer(1024)}));
}

TEST_F(SteadyState, AMirroredPostAllocatesNothing) {
  ProxySetup setup;
  setup.mirror = true;
  expect_nothing(cost(setup, {post(2'000), answer(64), 200, http::Method::Post}));
}

}  // namespace
}  // namespace tidegate::budget
