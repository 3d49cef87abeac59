// Streams that speak TLS: every operation means what it means without, whatever the pieces that the bytes come in, and
// whatever is cut off where.
#include <gtest/gtest.h>

#include <numeric>

#include "net/tls_pair.h"

namespace tidegate::net::test {
namespace {

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  std::iota(text.begin(), text.end(), '\0');
  return text;
}

std::vector<Task<>> both(Task<> a, Task<> b) {
  std::vector<Task<>> tasks;
  tasks.push_back(std::move(a));
  tasks.push_back(std::move(b));
  return tasks;
}

TEST(TlsStream, ShakesHandsAndTellsWhatWasAgreedOn) {
  Loop loop;
  TlsPair pair(loop);
  pair.secure();
  pair.shake_hands();
  ASSERT_TRUE(pair.established()) << pair.client.tls()->failure() << pair.server.tls()->failure();
  EXPECT_EQ(pair.server.tls()->version(), "TLSv1.3");
  EXPECT_EQ(pair.server.tls()->cipher(), "TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(pair.server.tls()->server_name(), "api.example.com");
  EXPECT_EQ(pair.server.tls()->protocol(), "http/1.1");
  EXPECT_EQ(pair.client.tls()->protocol(), "http/1.1");
  EXPECT_EQ(pair.client.tls()->peer_subject(), "CN=test");
  EXPECT_EQ(pair.client.tls()->peer_fingerprint().size(), 64u);
  EXPECT_EQ(pair.server.tls()->peer_fingerprint(), "");
  EXPECT_FALSE(pair.client.tls()->resumed());
  EXPECT_FALSE(pair.client.splices());
}

TEST(TlsStream, CarriesBytesBothWaysWhateverTheirSize) {
  for (const std::size_t size : {1u, 100u, 16'383u, 16'384u, 16'385u, 65'536u, 1'000'003u}) {
    for (const std::size_t piece : {7u, 4'096u, 65'536u}) {
      if (size > 100'000 && piece < 100) continue;
      Loop loop;
      TlsPair pair(loop);
      pair.secure();
      pair.shake_hands();
      const std::string text = pattern(size);
      for (const bool up : {true, false}) {
        Stream& from = up ? pair.client : pair.server;
        Stream& to = up ? pair.server : pair.client;
        std::string seen;
        IoStatus sent{}, read{};
        loop.run(both(send_text(from, text, sent), read_text(to, size, piece, seen, read)));
        EXPECT_EQ(sent, IoStatus::Ok);
        EXPECT_TRUE(seen == text) << size << ' ' << piece << ' ' << seen.size();
      }
    }
  }
}

TEST(TlsStream, SendsManyPartsThroughASmallSocketInOrder) {
  Loop loop;
  auto sockets = tcp_pair();
  const int small = 4'096;
  ::setsockopt(sockets.first, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  TlsPair pair(loop, sockets);
  pair.secure();
  pair.shake_hands();
  std::vector<std::string> texts;
  std::string expected;
  for (std::size_t i = 0; i < Stream::kSendParts; ++i) texts.push_back(i == 3 ? std::string() : pattern(i * 7'919 + 1));
  std::vector<iovec> parts;
  for (std::string& text : texts) {
    expected += text;
    parts.push_back({text.data(), text.size()});
  }
  IoResult sent;
  std::string seen;
  IoStatus read{};
  loop.run(both([](Stream& on, std::span<const iovec> what, IoResult& result) -> Task<> {
    result = co_await on.send(what, kLong);
  }(pair.client, parts, sent), read_text(pair.server, expected.size(), 1'009, seen, read)));
  EXPECT_EQ(sent.status, IoStatus::Ok);
  EXPECT_EQ(sent.bytes, expected.size());
  EXPECT_TRUE(seen == expected) << seen.size();
}

TEST(TlsStream, AReadNeverWaitsForTheSocketWhileBytesAreHeldInside) {
  Loop loop;
  TlsPair pair(loop);
  pair.secure();
  pair.shake_hands();
  for (const char* text : {"one", "two", "three"}) {
    IoStatus sent{};
    loop.run(send_text(pair.server, text, sent));
  }
  std::string seen;
  IoStatus read{};
  loop.run(read_text(pair.client, 1, 1, seen, read));
  pair.server.abort();  // nothing comes any more, not even an event in order
  std::vector<char> space(1);
  IoResult result;
  loop.run([](Stream& from, std::string& to, IoResult& last) -> Task<> {
    char byte;
    while (to.size() < 11) {
      last = co_await from.read(&byte, 1, kLong);
      if (last.status != IoStatus::Ok) co_return;
      to += byte;
    }
  }(pair.client, seen, result));
  EXPECT_EQ(seen, "onetwothree");
}

TEST(TlsStream, WaitingForSomethingToReadHoldsWhatIsFoundForTheRead) {
  Loop loop;
  TlsPair pair(loop);
  pair.secure();
  pair.shake_hands();
  std::string seen;
  IoResult ready;
  IoStatus sent{}, read{};
  loop.run(both([](Stream& on, IoResult& result, std::string& to, IoStatus& end) -> Task<> {
    result = co_await on.readable(kLong);
    co_await read_text(on, 5, 100, to, end);
  }(pair.server, ready, seen, read), send_text(pair.client, "hello", sent)));
  EXPECT_EQ(ready.status, IoStatus::Ok);
  EXPECT_EQ(seen, "hello");
}

// --- ends

TEST(TlsStream, AnOrderlyEndIsAnEnd) {
  Loop loop;
  TlsPair pair(loop);
  pair.secure();
  pair.shake_hands();
  IoStatus sent{}, read{};
  std::string seen;
  loop.run(send_text(pair.server, "bye", sent));
  pair.server.close();
  loop.run(read_text(pair.client, 0, 100, seen, read));
  EXPECT_EQ(seen, "bye");
  EXPECT_EQ(read, IoStatus::Eof);
  EXPECT_TRUE(pair.client.ended());
  EXPECT_TRUE(pair.client.at_end());
}

TEST(TlsStream, AnEndOfTheSocketAloneIsAReset) {
  Loop loop;
  TlsPair pair(loop);
  pair.secure();
  pair.shake_hands();
  IoStatus sent{}, read{};
  std::string seen;
  loop.run(send_text(pair.server, "half", sent));
  ::shutdown(pair.server.descriptor(), SHUT_WR);
  loop.run(read_text(pair.client, 0, 100, seen, read));
  EXPECT_EQ(seen, "half");
  EXPECT_EQ(read, IoStatus::Reset);
}

TEST(TlsStream, AnAbortSaysNoGoodbye) {
  Loop loop;
  TlsPair pair(loop);
  pair.secure();
  pair.shake_hands();
  pair.server.abort();
  std::string seen;
  IoStatus read{};
  loop.run(read_text(pair.client, 0, 100, seen, read));
  EXPECT_EQ(read, IoStatus::Reset);
}

TEST(TlsStream, OneDirectionCanEndWhileTheOtherGoesOn) {
  Loop loop;
  TlsPair pair(loop);
  pair.secure();
  pair.shake_hands();
  pair.client.shutdown_send();
  std::string at_server, at_client;
  IoStatus end{}, sent{}, read{};
  loop.run(read_text(pair.server, 0, 100, at_server, end));
  EXPECT_EQ(end, IoStatus::Eof);
  loop.run(both(send_text(pair.server, "still here", sent), read_text(pair.client, 10, 100, at_client, read)));
  EXPECT_EQ(at_client, "still here");
}

struct Told {
  int times = 0;
  static void tell(void* self) { ++static_cast<Told*>(self)->times; }
};

Task<> pause(Reactor& reactor) { co_await Pause(reactor, kShort); }

TEST(TlsStream, AGoodbyeInsideTlsIsAHangup) {
  Loop loop;
  TlsPair pair(loop);
  pair.secure();
  pair.shake_hands();
  Told hangup;
  pair.server.on_hangup(&Told::tell, &hangup);
  loop.run(pause(loop.reactor));
  EXPECT_EQ(hangup.times, 0);
  const int kept = ::dup(pair.client.descriptor());
  pair.client.close();  // the socket stays open: there is no FIN
  loop.run(pause(loop.reactor));
  EXPECT_EQ(hangup.times, 1);
  EXPECT_TRUE(pair.server.ended());
  EXPECT_TRUE(pair.server.at_end());
  ::close(kept);
}

TEST(TlsStream, ARequestThatWaitsIsNoHangupAndIsNotLost) {
  Loop loop;
  TlsPair pair(loop);
  pair.secure();
  pair.shake_hands();
  Told hangup;
  pair.server.on_hangup(&Told::tell, &hangup);
  IoStatus sent{}, read{};
  loop.run(send_text(pair.client, "pipelined", sent));
  pair.client.close();
  loop.run(pause(loop.reactor));
  EXPECT_EQ(hangup.times, 1);  // FIN says so, too
  EXPECT_FALSE(pair.server.at_end());
  std::string seen;
  loop.run(read_text(pair.server, 0, 100, seen, read));
  EXPECT_EQ(seen, "pipelined");
  EXPECT_EQ(read, IoStatus::Eof);
}

// --- idle connections

TEST(TlsStream, TicketsOnAnIdleConnectionAreNothingUnexpectedAndDataIs) {
  Loop loop;
  TlsPair pair(loop);
  pair.secure();
  pair.shake_hands();  // the server's tickets have not been sent yet
  Told unexpected;
  EXPECT_TRUE(pair.client.is_quiet());
  pair.client.on_unexpected(&Told::tell, &unexpected);
  loop.run([](Stream& server, Reactor& reactor) -> Task<> {
    IoResult nothing = co_await server.readable(kShort);  // sends them
    EXPECT_EQ(nothing.status, IoStatus::TimedOut);
    co_await Pause(reactor, kShort);
  }(pair.server, loop.reactor));
  EXPECT_EQ(unexpected.times, 0);
  EXPECT_TRUE(pair.client.is_quiet());
  EXPECT_TRUE(pair.client.is_silent());
  IoStatus sent{};
  loop.run(send_text(pair.server, "unasked", sent));
  loop.run(pause(loop.reactor));
  EXPECT_EQ(unexpected.times, 1);
  EXPECT_FALSE(pair.client.is_quiet());
  EXPECT_FALSE(pair.client.is_silent());
}

TEST(TlsStream, AnIdleConnectionWhosePeerLeavesIsNotSilent) {
  Loop loop;
  TlsPair pair(loop);
  pair.secure();
  pair.shake_hands();
  EXPECT_TRUE(pair.client.is_silent());
  pair.server.close();
  EXPECT_FALSE(pair.client.is_silent());
}

// --- time and cancelling

TEST(TlsStream, ASendWithoutProgressTimesOutAndIsNotFollowedByAGoodbye) {
  Loop loop;
  TlsPair pair(loop);
  pair.secure();
  pair.shake_hands();
  std::string text(32 << 20, 'x');
  IoResult result;
  const TimePoint begun = loop.reactor.now();
  loop.run([](Stream& on, std::string& what, IoResult& out) -> Task<> {
    const iovec part{what.data(), what.size()};
    out = co_await on.send({&part, 1}, kShort);
  }(pair.server, text, result));
  EXPECT_EQ(result.status, IoStatus::TimedOut);
  EXPECT_GE(Clock::now() - begun, kShort);
  EXPECT_LT(result.bytes, text.size());
  pair.server.close();
  std::string seen;
  IoStatus read{};
  loop.run(read_text(pair.client, 0, 65'536, seen, read));
  EXPECT_EQ(read, IoStatus::Reset);
}

TEST(TlsStream, CancelEndsWhateverIsInProgress) {
  for (const bool before_handshake : {true, false}) {
    Loop loop;
    TlsPair pair(loop);
    pair.secure();
    if (!before_handshake) pair.shake_hands();
    IoStatus status = IoStatus::Ok;
    std::string seen;
    loop.run(both(before_handshake ? TlsPair::handshake(pair.server, kLong, status) : read_text(pair.server, 0, 10, seen, status),
                  [](Reactor& reactor, Stream& stream) -> Task<> {
                    co_await Pause(reactor, kShort);
                    stream.cancel();
                  }(loop.reactor, pair.server)));
    EXPECT_EQ(status, IoStatus::Canceled);
  }
}

TEST(TlsStream, AHandshakeThatIsNotContinuedTimesOut) {
  Loop loop;
  TlsPair pair(loop);
  pair.secure();
  IoStatus status = IoStatus::Ok;
  loop.run(TlsPair::handshake(pair.server, kShort, status));
  EXPECT_EQ(status, IoStatus::TimedOut);
  EXPECT_EQ(pair.server.tls()->result(), TlsResult::Timeout);
}

// --- failures of the handshake

TEST(TlsHandshake, NamesThatDoNotMatchAreTold) {
  Loop loop;
  TlsPair pair(loop);
  TlsClientPolicy policy;
  policy.sni = "other.example.com";
  pair.secure(pki().server_context(), pki().client_context(policy));
  pair.shake_hands();
  EXPECT_EQ(pair.client_status, IoStatus::Reset);
  EXPECT_EQ(pair.client.tls()->result(), TlsResult::BadCertificate);
  EXPECT_EQ(pair.client.tls()->failure(),
            "certificate verify failed: hostname mismatch (wanted other.example.com; the certificate is for DNS:api.example.com, "
            "IP Address:127.0.0.1)");
  EXPECT_EQ(pair.server.tls()->result(), TlsResult::Refused);
}

TEST(TlsHandshake, AnAddressIsVerifiedAsOne) {
  for (const auto& [address, status] : std::vector<std::pair<const char*, IoStatus>>{{"127.0.0.1", IoStatus::Ok}, {"127.0.0.2", IoStatus::Reset}}) {
    Loop loop;
    TlsPair pair(loop);
    TlsClientPolicy policy;
    policy.sni = address;
    pair.secure(pki().server_context(), pki().client_context(policy));
    pair.shake_hands();
    EXPECT_EQ(pair.client_status, status) << address;
    EXPECT_EQ(pair.server.tls()->server_name(), "");
  }
}

TEST(TlsHandshake, PlainBytesAreToldFromTls) {
  for (const char* text : {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n"}) {
    Loop loop;
    Wire wire(loop);
    wire.stream.secure_with(TlsLayer::accept(loop.reactor.blocks(), pki().server_context()));
    wire.write(text);
    IoStatus status{};
    loop.run(TlsPair::handshake(wire.stream, kLong, status));
    EXPECT_EQ(status, IoStatus::Reset);
    EXPECT_EQ(wire.stream.tls()->result(), TlsResult::Plain) << wire.stream.tls()->failure();
    wire.stream.leave_tls();
    EXPECT_FALSE(wire.stream.is_secure());
  }
}

TEST(TlsHandshake, NothingIsReadOfAPeerThatSpeaksBeforeIt) {
  Loop loop;
  Wire wire(loop);
  wire.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  wire.stream.secure_with(TlsLayer::connect(loop.reactor.blocks(), pki().client_context(), "127.0.0.1", nullptr));
  IoStatus status{};
  loop.run(TlsPair::handshake(wire.stream, kLong, status));
  EXPECT_EQ(status, IoStatus::Reset);
  std::string seen;
  loop.run(read_text(wire.stream, 0, 100, seen, status));
  EXPECT_EQ(seen, "");
  EXPECT_EQ(status, IoStatus::Reset);
}

TEST(TlsHandshake, BytesThatWereReadBeforeBelongToIt) {
  Loop loop;
  TlsPair pair(loop);
  pair.client.secure_with(TlsLayer::connect(loop.reactor.blocks(), pki().client_context(), "127.0.0.1", nullptr));
  IoStatus client{}, server{};
  loop.run(both(TlsPair::handshake(pair.client, kLong, client), [](Stream& on, IoStatus& status) -> Task<> {
    std::string head;
    co_await read_text(on, 10, 10, head, status);
    on.secure_with(TlsLayer::accept(on.reactor().blocks(), pki().server_context(), head));
    status = co_await on.handshake(kLong);
  }(pair.server, server)));
  EXPECT_EQ(client, IoStatus::Ok);
  EXPECT_EQ(server, IoStatus::Ok);
}

// --- every way to be cut

/// Passes bytes between two sockets, some at a time; after `most` of them ends both connections.
class Relay {
 public:
  Relay(Loop& loop, std::size_t piece, std::size_t most, bool hard) : left(loop.reactor), right(loop.reactor), piece_(piece), most_(most), hard_(hard) {
    const auto [client, from_client] = tcp_pair();
    const auto [to_server, server] = tcp_pair();
    sockets = {client, server};
    EXPECT_TRUE(left.adopt(from_client));
    EXPECT_TRUE(right.adopt(to_server));
  }
  Task<> carry(Stream& from, Stream& to) {
    std::vector<char> space(piece_);
    for (;;) {
      const IoResult read = co_await from.read(space.data(), std::min(piece_, most_ - passed_), kLong);
      if (read.status != IoStatus::Ok) break;
      passed_ += read.bytes;
      const iovec part{space.data(), read.bytes};
      const IoResult sent = co_await to.send({&part, 1}, kLong);
      if (sent.status != IoStatus::Ok) break;
      if (passed_ >= most_) {
        cut_ = true;
        end(left);
        end(right);
        co_return;
      }
    }
    to.shutdown_send();
  }
  void end(Stream& stream) const {
    if (!stream.is_open()) return;
    if (hard_) return reset(stream);
    stream.cancel();
    stream.shutdown_send();
  }
  static void reset(Stream& stream) {
    stream.cancel();
    stream.abort();
  }
  bool cut() const { return cut_; }
  std::size_t passed() const { return passed_; }

  Stream left, right;
  std::pair<int, int> sockets;

 private:
  const std::size_t piece_, most_;
  const bool hard_;
  std::size_t passed_ = 0;
  bool cut_ = false;
};

constexpr std::size_t kEverything = 1u << 30;

/// A request and an answer, then goodbyes on both sides. What was seen, and how it ended.
struct Talk {
  std::string at_server, at_client;
  IoStatus client_end = IoStatus::Canceled, server_end = IoStatus::Canceled;
};

Task<> speak(Stream& stream, bool first, std::string& seen, IoStatus& end) {
  end = co_await stream.handshake(kLong);
  if (end == IoStatus::Ok && first) co_await send_text(stream, "request", end);
  if (end == IoStatus::Ok) co_await read_text(stream, first ? 6 : 7, 3, seen, end);
  if (end == IoStatus::Ok && !first) co_await send_text(stream, "answer", end);
  if (end == IoStatus::Ok) {
    stream.shutdown_send();
    std::string nothing;
    co_await read_text(stream, 0, 3, nothing, end);
    EXPECT_EQ(nothing, "");
  }
  stream.close();
}

Talk talk(Loop& loop, Relay& relay) {
  TlsPair pair(loop, relay.sockets);
  pair.secure();
  Talk out;
  std::vector<Task<>> tasks;
  tasks.push_back(relay.carry(relay.left, relay.right));
  tasks.push_back(relay.carry(relay.right, relay.left));
  tasks.push_back(speak(pair.client, true, out.at_client, out.client_end));
  tasks.push_back(speak(pair.server, false, out.at_server, out.server_end));
  loop.run(std::move(tasks));
  return out;
}

TEST(TlsStream, RecordsMayComeAByteAtATime) {
  Loop loop;
  Relay relay(loop, 1, kEverything, false);
  const Talk seen = talk(loop, relay);
  EXPECT_EQ(seen.at_server, "request");
  EXPECT_EQ(seen.at_client, "answer");
  EXPECT_EQ(seen.client_end, IoStatus::Eof);
  EXPECT_EQ(seen.server_end, IoStatus::Eof);
}

TEST(TlsStream, AConnectionThatIsCutAtAnyPlaceIsNeverAnOrderlyEnd) {
  std::size_t whole = 0;
  {
    Loop loop;
    Relay relay(loop, 4'096, kEverything, false);
    talk(loop, relay);
    whole = relay.passed();
  }
  ASSERT_GT(whole, 1'000u);
  for (const bool hard : {false, true}) {
    for (std::size_t at = 1; at + 60 < whole; at += at < 100 ? 1 : 29) {  // the last ones may be the goodbyes
      Loop loop;
      Relay relay(loop, 4'096, at, hard);
      const Talk seen = talk(loop, relay);
      ASSERT_TRUE(relay.cut());
      EXPECT_FALSE(seen.client_end == IoStatus::Eof && seen.server_end == IoStatus::Eof) << at << ' ' << hard;
      EXPECT_TRUE(seen.at_client == "answer" || seen.client_end == IoStatus::Reset) << at << ' ' << hard;
      EXPECT_TRUE(seen.at_server == "request" || seen.server_end == IoStatus::Reset) << at << ' ' << hard;
    }
  }
}

TEST(TlsStream, ClosingAtAnyMomentLeavesNothingBehind) {
  for (int when = 0; when < 12; ++when) {
    Loop loop;
    TlsPair pair(loop);
    pair.secure();
    IoStatus client{}, server{};
    std::vector<Task<>> tasks;
    tasks.push_back(TlsPair::handshake(pair.client, kShort, client));
    tasks.push_back(TlsPair::handshake(pair.server, kShort, server));
    tasks.push_back([](Reactor& reactor, Stream& stream, int turns) -> Task<> {
      for (int i = 0; i < turns; ++i) co_await Pause(reactor, TimerWheel::kTick / 100);
      stream.cancel();
      stream.close();
    }(loop.reactor, when % 2 == 0 ? pair.server : pair.client, when / 2));
    loop.run(std::move(tasks));
  }
}

}  // namespace
}  // namespace tidegate::net::test
