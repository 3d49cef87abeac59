// Reading a PROXY header from a connection: to its last byte and not one further, however it arrives.
#include "net/proxy_receive.h"

#include <functional>

#include "net/loop.h"
#include "net/proxy_headers.h"

namespace tidegate::net::test {
namespace {

const std::string kLine = "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n";
const std::string kBehind = "GET / HTTP/1.1\r\n";

Task<> receive(Stream& stream, Duration timeout, ProxyReceived& out, std::string& behind) {
  out = co_await receive_proxy_header(stream, timeout);
  if (out.refusal != ProxyRefusal::None) co_return;
  while (behind.size() < kBehind.size()) {
    char space[64];
    const IoResult read = co_await stream.read(space, sizeof space, kLong);
    if (read.status != IoStatus::Ok) co_return;
    behind.append(space, read.bytes);
  }
}

Task<> write_parts(Reactor& reactor, Wire& wire, std::vector<std::string> parts) {
  for (const std::string& part : parts) {
    wire.write(part);
    co_await Pause(reactor, std::chrono::milliseconds(1));
  }
}

struct Outcome {
  ProxyReceived received{};
  std::string behind{};
};

Outcome run(std::vector<std::string> parts) {
  Loop loop;
  Wire wire(loop);
  Outcome out;
  std::vector<Task<>> tasks;
  tasks.push_back(receive(wire.stream, kLong, out.received, out.behind));
  tasks.push_back(write_parts(loop.reactor, wire, std::move(parts)));
  loop.run(std::move(tasks));
  return out;
}

TEST(ProxyReceive, TakesTheHeaderAndLeavesWhatIsBehindIt) {
  for (const std::string& header : {kLine, v2(0x21, 0x11, kFour), with_checksum(0x11, std::string(kFour) + tlv(4, std::string(900, 'n')))}) {
    const Outcome out = run({header + kBehind});
    ASSERT_EQ(out.received.refusal, ProxyRefusal::None) << out.received.reason;
    EXPECT_EQ(text(out.received.header.ends.source), "192.0.2.1:56324");
    EXPECT_EQ(out.behind, kBehind);
  }
}

TEST(ProxyReceive, TakesAHeaderThatIsCutAnywhere) {
  for (const std::string& header : {kLine, v2(0x21, 0x11, std::string(kFour) + tlv(1, "h2"))}) {
    const std::string all = header + kBehind;
    for (std::size_t cut = 1; cut < header.size() + 2; ++cut) {
      const Outcome out = run({all.substr(0, cut), all.substr(cut)});
      ASSERT_EQ(out.received.refusal, ProxyRefusal::None) << cut;
      ASSERT_EQ(out.behind, kBehind) << cut;
    }
  }
}

TEST(ProxyReceive, TakesAHeaderThatComesByteByByte) {
  const std::string all = v2(0x21, 0x11, kFour) + kBehind;
  std::vector<std::string> bytes;
  for (const char byte : all) bytes.emplace_back(1, byte);
  const Outcome out = run(std::move(bytes));
  EXPECT_EQ(out.received.refusal, ProxyRefusal::None);
  EXPECT_EQ(out.behind, kBehind);
}

TEST(ProxyReceive, RefusesWhatIsNoHeaderWithItsReason) {
  const Outcome out = run({"GET / HTTP/1.1\r\n\r\n"});
  EXPECT_EQ(out.received.refusal, ProxyRefusal::Malformed);
  EXPECT_EQ(out.received.reason, "no PROXY header");
}

ProxyRefusal refusal_after(const std::function<void(Wire&)>& act, Duration timeout = kLong) {
  Loop loop;
  Wire wire(loop);
  ProxyReceived received;
  std::string behind;
  act(wire);
  loop.run(receive(wire.stream, timeout, received, behind));
  return received.refusal;
}

TEST(ProxyReceive, TellsAPortCheckFromAHeaderThatWasCutOff) {
  EXPECT_EQ(refusal_after([](Wire& wire) { wire.end(); }), ProxyRefusal::Ended);
  EXPECT_EQ(refusal_after([](Wire& wire) { wire.reset_peer(); }), ProxyRefusal::Ended);
  EXPECT_EQ(refusal_after([](Wire& wire) { wire.write("PROXY TCP"); wire.end(); }), ProxyRefusal::Incomplete);
  EXPECT_EQ(refusal_after([](Wire& wire) { wire.write(kSignature); wire.end(); }), ProxyRefusal::Incomplete);
  EXPECT_EQ(refusal_after([](Wire& wire) { wire.stream.cancel(); }), ProxyRefusal::Ended);
}

TEST(ProxyReceive, WaitsForTheWholeHeaderNoLongerThanItsTime) {
  EXPECT_EQ(refusal_after([](Wire&) {}, kShort), ProxyRefusal::Timeout);
  EXPECT_EQ(refusal_after([](Wire& wire) { wire.write("PROXY TCP4 "); }, kShort), ProxyRefusal::Timeout);
}

Task<> drip(Reactor& reactor, Wire& wire, bool& over) {
  for (int i = 0; i < 90 && !over; ++i) {
    wire.write(i == 0 ? "PROXY UNKNOWN " : "x");
    co_await Pause(reactor, std::chrono::milliseconds(10));
  }
}

Task<> receive_then(Stream& stream, ProxyReceived& out, bool& over) {
  out = co_await receive_proxy_header(stream, kShort);
  over = true;
}

TEST(ProxyReceive, BytesThatDripInDoNotGiveItMoreTime) {
  Loop loop;
  Wire wire(loop);
  ProxyReceived received;
  bool over = false;
  std::vector<Task<>> tasks;
  tasks.push_back(receive_then(wire.stream, received, over));
  tasks.push_back(drip(loop.reactor, wire, over));
  loop.run(std::move(tasks));
  EXPECT_EQ(received.refusal, ProxyRefusal::Timeout);
}

}  // namespace
}  // namespace tidegate::net::test
