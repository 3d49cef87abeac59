// The life of streams and of the connection, seen from the server: preface, resets, what arrives for streams that are over
// (RFC 9113 §5.1), GOAWAY from either end, PING. The names begin with the line of the checklist where there is one.
#include "http/h2_closed_streams.h"
#include "http/h2_ear.h"

namespace tidegate::http::test {
namespace {

const std::string kGet = "request 1: GET / @h https none\n";
const std::string kGet3 = "request 3: GET / @h https none\n";
const std::string kPost = "request 1: POST / @h https frames\n";

std::string whole(std::uint32_t stream) { return headers(stream, get(), kEndHeaders | kEnd); }

/// A server that has answered a GET on stream 1.
std::unique_ptr<Ear> after_an_exchange() {
  auto ear = server();
  EXPECT_TRUE(ear->feed(whole(1)));
  ear->respond(1);
  EXPECT_EQ(ear->sent(), "HEADERS(1) DATA(1)=ok+END");
  EXPECT_EQ(ear->heard(), kGet + "closed 1: NO_ERROR\n");
  return ear;
}

TEST(H2Connection, BeginsWithItsSettingsAndItsWindow) {
  H2Limits limits;
  limits.connect_protocol = true;
  Ear ear(H2Role::Server, limits);
  EXPECT_TRUE(ear.session.wants_to_send());
  const std::string bytes = ear.produce();
  EXPECT_EQ(told_to_peer(bytes, true), "SETTINGS WINDOW_UPDATE(0 983041)");
  EXPECT_EQ(frames_of(bytes)[0].payload, number(3, 2) + number(100, 4) + number(4, 2) + number(65'536, 4) + number(6, 2) +
                                             number(65'536, 4) + number(8, 2) + number(1, 4));
  EXPECT_TRUE(ear.feed(kPreface + settings()));
  EXPECT_EQ(ear.sent(true), "SETTINGS+ACK");
  EXPECT_FALSE(ear.session.wants_to_send());
  EXPECT_FALSE(ear.session.is_over());
  EXPECT_EQ(ear.session.refusal(), "");
}

TEST(H2Connection, WithoutThePrefaceIsOver) {  // T14
  for (const std::string& bytes : {std::string("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r" + settings()}) {
    EXPECT_EQ(every_cut(H2Role::Server, bytes), "| GOAWAY(0 PROTOCOL_ERROR)\n");
    Ear ear(H2Role::Server);
    EXPECT_FALSE(ear.feed(bytes));
    EXPECT_EQ(ear.session.refusal(), "no HTTP/2 preface");
  }
  EXPECT_EQ(every_cut(H2Role::Server, kPreface + ping()), "| GOAWAY(0 PROTOCOL_ERROR)\n") << "SETTINGS come first";
}

TEST(H2Connection, IgnoresUnknownFramesSettingsAndFlags) {  // T14
  EXPECT_EQ(to_server(frame(0xbe, 0xff, 0, "odd") + frame(0x10, 0, 0, number(1, 4) + "u=3") + settings({{0xaaaa, 5}}) +
                      frame(kHeaders, kEndHeaders | kEnd | 0x52, 1, section(get())) + frame(0xbe, 0, 1)),
            kGet + "| \n");
}

TEST(H2Connection, TakesPrioritiesAndDoesNotHeedThem) {  // T14
  EXPECT_EQ(to_server(priority(1, 0) + priority(5, 1) + whole(1) + priority(1, 5)), kGet + "| \n");
  EXPECT_EQ(to_server(priority(1, 1)), "| GOAWAY(0 PROTOCOL_ERROR)\n") << "a stream on itself";
}

TEST(H2Connection, AnswersPingsAndHearsTheAnswersToItsOwn) {
  auto ear = server();
  ASSERT_TRUE(ear->feed(ping()));
  EXPECT_EQ(ear->sent(true), "PING+ACK");
  ear->session.ping();
  EXPECT_EQ(ear->sent(), "PING");
  ASSERT_TRUE(ear->feed(ping(kAck)));
  EXPECT_EQ(ear->heard(), "pong\n");
  ASSERT_TRUE(ear->feed(ping(kAck)));
  EXPECT_EQ(ear->heard(), "") << "nobody asked";
}

TEST(H2Connection, EndsForFramesThatBreakTheProtocol) {
  const struct {
    const char* name;
    std::string frames;
    std::string code;
  } cases[] = {
      {"a stream of the server's", headers(2, get(), kEndHeaders | kEnd), "0 PROTOCOL_ERROR"},
      {"HEADERS for no stream", headers(0, get()), "0 PROTOCOL_ERROR"},
      {"DATA for no stream", data(0, "x"), "0 PROTOCOL_ERROR"},
      {"DATA before the stream", data(1, "x"), "0 PROTOCOL_ERROR"},
      {"RST_STREAM before the stream", rst(1, 8), "0 PROTOCOL_ERROR"},
      {"WINDOW_UPDATE before the stream", window_update(1, 5), "0 PROTOCOL_ERROR"},
      {"WINDOW_UPDATE of nothing", window_update(0, 0), "0 PROTOCOL_ERROR"},
      {"WINDOW_UPDATE over the top", window_update(0, 0x7fffffff), "0 FLOW_CONTROL_ERROR"},
      {"CONTINUATION of nothing", frame(kContinuation, kEndHeaders, 1), "0 PROTOCOL_ERROR"},
      {"a frame inside of a section", headers(1, get(), kEnd) + ping(), "1 PROTOCOL_ERROR"},
      {"CONTINUATION of another stream", headers(1, get(), kEnd) + frame(kContinuation, kEndHeaders, 3), "1 PROTOCOL_ERROR"},
      {"PUSH_PROMISE", frame(kPush, kEndHeaders, 1, number(2, 4) + section(get())), "0 PROTOCOL_ERROR"},
      {"a section that cannot be decoded", frame(kHeaders, kEndHeaders | kEnd, 1, "\xff\xff\xff\xff\xff\xff"), "1 COMPRESSION_ERROR"},
      {"a frame that is too large", frame(kData, 0, 1, std::string(16'385, 'x')), "0 FRAME_SIZE_ERROR"},
      {"a PING of seven bytes", frame(kPing, 0, 0, "1234567"), "0 FRAME_SIZE_ERROR"},
      {"an odd SETTINGS", frame(kSettings, 0, 0, "1234567"), "0 FRAME_SIZE_ERROR"},
      {"SETTINGS for a stream", frame(kSettings, 0, 1), "0 PROTOCOL_ERROR"},
      {"ENABLE_PUSH of two", settings({{2, 2}}), "0 PROTOCOL_ERROR"},
      {"a window over the top", settings({{4, 0x80000000}}), "0 FLOW_CONTROL_ERROR"},
      {"a frame size under the least", settings({{5, 16'383}}), "0 PROTOCOL_ERROR"},
      {"more padding than frame", headers(1, post()) + data(1, "\x05x", kPadded), "1 PROTOCOL_ERROR"},
      {"a stream below the last", headers(5, post()) + headers(3, get()), "5 PROTOCOL_ERROR"},
      {"DATA for a stream that was skipped", headers(5, post()) + data(3, "x"), "5 PROTOCOL_ERROR"},
      {"DATA after the end", whole(1) + data(1, "x"), "1 STREAM_CLOSED"},
      {"HEADERS after the end", whole(1) + whole(1), "1 STREAM_CLOSED"},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.name);
    const std::string answer = to_server(one.frames);
    EXPECT_NE(answer.find("| GOAWAY(" + one.code + ")\n"), std::string::npos) << answer;
    Ear ear(H2Role::Server);
    (void)ear.feed(kPreface + settings() + one.frames);
    (void)ear.produce();
    EXPECT_TRUE(ear.session.is_over());
    EXPECT_FALSE(ear.session.refusal().empty());
    EXPECT_FALSE(ear.feed(ping()));
    EXPECT_EQ(ear.produce(), "");
  }
}

TEST(H2Stream, ThatTheClientResetsIsClosed) {  // T9
  EXPECT_EQ(to_server(headers(1, post()) + data(1, "x") + rst(1, 8)), kPost + "data 1: x\nclosed 1: CANCEL by peer\n| \n");
  EXPECT_EQ(to_server(whole(1) + rst(1, 2)), kGet + "closed 1: INTERNAL_ERROR by peer\n| \n");
  EXPECT_EQ(to_server(whole(1) + rst(1, 7)), kGet + "closed 1: REFUSED_STREAM by peer\n| \n");
  EXPECT_EQ(to_server(whole(1) + rst(1, 0)), kGet + "closed 1: CANCEL by peer\n| \n") << "NO_ERROR of what is not complete";
}

TEST(H2Stream, ThatIsResetIsClosedWhenTheResetLeaves) {
  auto ear = server();
  ASSERT_TRUE(ear->feed(headers(1, post())));
  ear->session.reset(1, H2Error::Internal);
  ear->session.reset(1, H2Error::Cancel);
  EXPECT_EQ(ear->heard(), kPost);
  ASSERT_TRUE(ear->feed(data(1, "x") + headers(1, {{"a", "b"}}, kEndHeaders | kEnd)));
  EXPECT_EQ(ear->heard(), "") << "nothing more is told";
  EXPECT_EQ(ear->sent(), "RST(1 INTERNAL_ERROR)");
  EXPECT_EQ(ear->heard(), "closed 1: INTERNAL_ERROR\n");
  EXPECT_EQ(ear->session.open_streams(), 0u);
}

TEST(H2Stream, MayBeResetFromInsideOfAnEvent) {
  auto ear = server();
  ear->answer = [&](std::int32_t stream) { ear->session.reset(stream, H2Error::RefusedStream); };
  ASSERT_TRUE(ear->feed(whole(1) + headers(3, post()) + data(3, "x", kEnd)));
  EXPECT_EQ(ear->sent(), "RST(1 REFUSED_STREAM) RST(3 REFUSED_STREAM)");
}

TEST(H2ClosedStream, ThatWasCompleteMayGetNothingMore) {
  for (const std::string& late : {data(1, "x"), data(1, "", kEnd), whole(1), headers(1, {{"a", "b"}}, kEndHeaders | kEnd)}) {
    auto ear = after_an_exchange();
    EXPECT_FALSE(ear->feed(late));
    EXPECT_EQ(ear->sent(), "GOAWAY(1 STREAM_CLOSED)");
  }
  for (const std::string& usual : {rst(1, 8), window_update(1, 5), priority(1, 0)}) {
    auto ear = after_an_exchange();
    EXPECT_TRUE(ear->feed(usual + whole(3)));
    EXPECT_EQ(ear->heard(), kGet3);
    EXPECT_EQ(ear->sent(), "");
  }
}

TEST(H2ClosedStream, ThatTheClientResetIsResetAgain) {
  for (const std::string& late : {data(1, "x"), headers(1, {{"a", "b"}}, kEndHeaders | kEnd)}) {
    auto ear = server();
    EXPECT_TRUE(ear->feed(headers(1, post()) + rst(1, 8)));
    EXPECT_TRUE(ear->feed(late + whole(3)));
    EXPECT_EQ(ear->heard(), kPost + "closed 1: CANCEL by peer\n" + kGet3);
    EXPECT_EQ(ear->sent(), "RST(1 STREAM_CLOSED)");
  }
}

TEST(H2ClosedStream, ThatWeResetMayStillGetWhatWasOnItsWay) {
  auto ear = server();
  ASSERT_TRUE(ear->feed(headers(1, post())));
  ear->session.reset(1, H2Error::Cancel);
  EXPECT_EQ(ear->sent(), "RST(1 CANCEL)");
  const std::string indexed = '\x40' + hpack_text("late") + hpack_text("x");
  EXPECT_TRUE(ear->feed(data(1, "x") + frame(kHeaders, kEndHeaders | kEnd, 1, indexed)));
  EXPECT_TRUE(ear->feed(frame(kHeaders, kEndHeaders | kEnd, 3, section(get()) + '\xbe'))) << "it was decoded all the same";
  EXPECT_EQ(ear->sent(), "");
  EXPECT_EQ(ear->heard(), kPost + "closed 1: CANCEL\nrequest 3: GET / @h https none [late=x]\n");
}

TEST(H2ClosedStream, OverTheNumberOfStreamsIsAnErrorOnceThatIsAcknowledged) {
  H2Limits limits;
  limits.streams = 2;
  Ear early(H2Role::Server, limits);
  ASSERT_TRUE(early.feed(kPreface + settings() + whole(1) + whole(3) + headers(5, post())));
  EXPECT_EQ(early.sent(), "RST(5 REFUSED_STREAM)") << "the client could not know yet";
  EXPECT_TRUE(early.feed(data(5, "on its way")));
  EXPECT_EQ(early.sent(), "");
  auto ear = server(limits);
  EXPECT_FALSE(ear->feed(whole(1) + whole(3) + whole(5)));
  EXPECT_EQ(ear->sent(), "GOAWAY(3 PROTOCOL_ERROR)");
}

TEST(H2ClosedStreams, RememberHowManyAndDoubtTheRest) {
  H2ClosedStreams closed;
  EXPECT_EQ(closed.find(1), H2Ending::NeverBegan);
  closed.add(1, H2Ending::Complete);
  closed.add(7, H2Ending::ByPeer);
  closed.add(5, H2Ending::ByUs);
  closed.add(0x7fffffff, H2Ending::ByPeer);
  EXPECT_EQ(closed.find(1), H2Ending::Complete);
  EXPECT_EQ(closed.find(3), H2Ending::NeverBegan);
  EXPECT_EQ(closed.find(5), H2Ending::ByUs);
  EXPECT_EQ(closed.find(7), H2Ending::ByPeer);
  EXPECT_EQ(closed.find(0x7fffffff), H2Ending::ByPeer);
  for (std::size_t i = 0; i + 2 < H2ClosedStreams::kMost; ++i) closed.add(static_cast<std::int32_t>(101 + 2 * i), H2Ending::Complete);
  EXPECT_EQ(closed.find(1), H2Ending::Unknown);
  EXPECT_EQ(closed.find(7), H2Ending::Unknown);
  EXPECT_EQ(closed.find(3), H2Ending::Unknown) << "it may have been, for all that is known";
  EXPECT_EQ(closed.find(5), H2Ending::ByUs);
  EXPECT_EQ(closed.find(99), H2Ending::NeverBegan);
}

TEST(H2GoAway, IsAnnouncedFirstSoThatWhatIsOnItsWayIsServed) {
  auto ear = server();
  ASSERT_TRUE(ear->feed(whole(1)));
  ear->session.announce_goaway();
  EXPECT_EQ(ear->sent(), "GOAWAY(max NO_ERROR)");
  ASSERT_TRUE(ear->feed(whole(3)));
  EXPECT_EQ(ear->heard(), kGet + kGet3);
  ear->session.goaway();
  EXPECT_EQ(ear->sent(), "GOAWAY(3 NO_ERROR)");
  ASSERT_TRUE(ear->feed(headers(5, post()) + data(5, "x", kEnd)));
  EXPECT_EQ(ear->heard(), "") << "too late";
  EXPECT_FALSE(ear->session.is_over());
  ear->respond(1);
  EXPECT_EQ(ear->sent(), "HEADERS(1) DATA(1)=ok+END");
  EXPECT_FALSE(ear->session.is_over());
  ear->respond(3);
  EXPECT_EQ(ear->sent(), "HEADERS(3) DATA(3)=ok+END");
  EXPECT_TRUE(ear->session.is_over());
  EXPECT_EQ(ear->session.refusal(), "");
}

TEST(H2GoAway, OfTheClientIsToldOnce) {
  auto ear = server();
  ASSERT_TRUE(ear->feed(whole(1) + goaway(0, 0) + goaway(0, 0)));
  EXPECT_EQ(ear->heard(), kGet + "goaway\n");
  EXPECT_FALSE(ear->session.is_over());
  ear->respond(1);
  (void)ear->produce();
  EXPECT_TRUE(ear->session.is_over());
}

TEST(H2GoAway, WithAnErrorOfOurOwnKeepsTheStreams) {
  auto ear = server();
  ASSERT_TRUE(ear->feed(whole(1)));
  ear->session.goaway(H2Error::Internal);
  EXPECT_EQ(ear->sent(), "GOAWAY(1 INTERNAL_ERROR)");
  EXPECT_FALSE(ear->session.is_over());
  ear->respond(1);
  EXPECT_EQ(ear->sent(), "HEADERS(1) DATA(1)=ok+END");
  EXPECT_TRUE(ear->session.is_over());
  EXPECT_EQ(ear->session.refusal(), "");
}

TEST(H2Session, MayBeDestroyedWithStreamsInEveryState) {
  auto ear = server();
  ASSERT_TRUE(ear->feed(whole(1) + headers(3, post()) + data(3, "x") + headers(5, post())));
  ear->bodies[1] = {"x", false};
  ear->session.respond(1, 200, {}, false);
  ear->session.reset(5, H2Error::Cancel);
  (void)ear->feed(headers(7, get(), kEnd));  // a head in the middle
  (void)ear->produce(1);
  ear.reset();
}

}  // namespace
}  // namespace tidegate::http::test
