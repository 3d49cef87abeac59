// The client's side, against frames of an upstream by hand: a GET is open on stream 1 and a HEAD on stream 3.
#include "http/h2_ear.h"

namespace tidegate::http::test {
namespace {

const Fields kOk{{":status", "200"}};
const std::string kOkTold = "response 1: 200 frames\n";

std::string with_ok(const Fields& more) {
  Fields all = kOk;
  all.insert(all.end(), more.begin(), more.end());
  return headers(1, all);
}

/// A client that has received the server's settings and has a GET open on stream 1.
std::unique_ptr<Ear> client(const H2Limits& limits = {}, const std::string& their_settings = settings()) {
  auto ear = std::make_unique<Ear>(H2Role::Client, limits);
  EXPECT_TRUE(ear->feed(their_settings));
  EXPECT_EQ(ear->request(get()), 1);
  EXPECT_EQ(ear->sent(), "HEADERS(1)+END");
  return ear;
}

TEST(H2Client, BeginsWithThePrefaceAndRefusesPushes) {
  Ear ear(H2Role::Client);
  const std::string bytes = ear.produce();
  EXPECT_TRUE(bytes.starts_with(kPreface));
  EXPECT_EQ(told_to_peer(bytes, true), "SETTINGS WINDOW_UPDATE(0 983041)");
  EXPECT_EQ(frames_of(bytes)[0].payload.substr(0, 6), number(2, 2) + number(0, 4));
}

TEST(H2Response, HeadsBecomeTheModel) {
  EXPECT_EQ(to_client(with_ok({{"a", "b"}})), "response 1: 200 frames [a=b]\n| \n");
  EXPECT_EQ(to_client(headers(1, {{":status", "204"}}, kEndHeaders | kEnd)), "response 1: 204 ends none\nclosed 1: NO_ERROR\n| \n");
  EXPECT_EQ(to_client(with_ok({{"content-length", "2"}}) + data(1, "ok", kEnd)),
            "response 1: 200 frames cl:2 [content-length=2]\ndata 1: ok\nend 1\nclosed 1: NO_ERROR\n| \n");
  EXPECT_EQ(to_client(headers(1, kOk) + data(1, "ok") + headers(1, {{"grpc-status", "0"}}, kEndHeaders | kEnd)),
            kOkTold + "data 1: ok\ntrailers 1:  [grpc-status=0]\nend 1\nclosed 1: NO_ERROR\n| \n");
  EXPECT_EQ(to_client(headers(1, {{":status", "200"}, {"grpc-status", "5"}}, kEndHeaders | kEnd)),
            "response 1: 200 ends none [grpc-status=5]\nclosed 1: NO_ERROR\n| \n") << "trailers only";
  EXPECT_EQ(to_client(headers(1, {{":status", "599"}, {"set-cookie", "a"}, {"set-cookie", "b"}})),
            "response 1: 599 frames [set-cookie=a] [set-cookie=b]\n| \n");
}

TEST(H2Response, ToHeadHasNoBodyWhateverItSays) {
  const Fields fields{{":status", "200"}, {"content-length", "5"}};
  EXPECT_EQ(to_client(headers(3, fields, kEndHeaders | kEnd)),
            "response 3: 200 ends none cl:5 [content-length=5]\nclosed 3: NO_ERROR\n| \n");
  EXPECT_EQ(to_client(headers(3, fields) + data(3, "", kEnd)),
            "response 3: 200 none cl:5 [content-length=5]\nend 3\nclosed 3: NO_ERROR\n| \n");
  EXPECT_EQ(to_client(headers(1, {{":status", "304"}, {"content-length", "5"}}, kEndHeaders | kEnd)),
            "response 1: 304 ends none cl:5 [content-length=5]\nclosed 1: NO_ERROR\n| \n");
}

TEST(H2Response, MayHaveInformationalOnesBefore) {
  EXPECT_EQ(to_client(headers(1, {{":status", "103"}, {"link", "x"}}) + headers(1, {{":status", "100"}}) +
                      headers(1, kOk, kEndHeaders | kEnd)),
            "response 1: 103 none [link=x]\nresponse 1: 100 none\nresponse 1: 200 ends none\nclosed 1: NO_ERROR\n| \n");
  std::string many;
  for (int i = 0; i <= kInformationalResponses; ++i) many += headers(1, {{":status", "103"}});
  Ear ear(H2Role::Client);
  ear.request(get());
  (void)ear.produce();
  ASSERT_TRUE(ear.feed(settings() + many));
  EXPECT_EQ(ear.sent(), "RST(1 ENHANCE_YOUR_CALM)");
}

TEST(H2Response, WhichIsMalformedResetsTheStream) {
  const std::string answer = "| RST(1 PROTOCOL_ERROR)\nclosed 1: PROTOCOL_ERROR\n";
  for (const Fields& fields :
       {Fields{{"a", "b"}}, Fields{{":status", "99"}}, Fields{{":status", "600"}}, Fields{{":status", "1000"}},
        Fields{{":status", "099"}}, Fields{{":status", "+20"}}, Fields{{":status", ""}}, Fields{{":status", "101"}},
        Fields{{":status", "200"}, {":status", "200"}}, Fields{{":status", "200"}, {":path", "/"}},
        Fields{{":status", "200"}, {"A", "b"}}, Fields{{":status", "200"}, {"connection", "close"}},
        Fields{{":status", "200"}, {"transfer-encoding", "chunked"}}, Fields{{":status", "200"}, {"a", "b\r\nc"}},
        Fields{{":status", "200"}, {"content-length", "5"}, {"content-length", "5"}},
        Fields{{":status", "200"}, {"content-length", "5, 5"}}}) {
    EXPECT_EQ(to_client(headers(1, fields)), answer) << fields.back().first << ": " << fields.back().second;
  }
  EXPECT_EQ(to_client(headers(1, {{":status", "103"}}, kEndHeaders | kEnd)), answer) << "1xx is never the end";
  EXPECT_EQ(to_client(with_ok({{"content-length", "3"}}) + data(1, "ok", kEnd)),
            "response 1: 200 frames cl:3 [content-length=3]\ndata 1: ok\n" + answer);
  EXPECT_EQ(to_client(headers(1, {{":status", "200"}, {"content-length", "3"}}, kEndHeaders | kEnd)), answer);
}

TEST(H2Response, OverTheBoundsOfHeadsIsResetAndTheRestDecodedOnly) {
  H2Limits limits;
  limits.head = {100, 3, 0};
  const std::string answer = "| RST(1 ENHANCE_YOUR_CALM)\nclosed 1: ENHANCE_YOUR_CALM\n";
  EXPECT_EQ(to_client(with_ok({{"a", std::string(100, 'x')}}), limits), answer);
  EXPECT_EQ(to_client(with_ok({{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}}), limits), answer);
  std::string block = section({{":status", "200"}, {"a", std::string(100, 'x')}});
  block += '\x40' + hpack_text("late") + hpack_text("x");
  EXPECT_EQ(to_client(frame(kHeaders, kEndHeaders, 1, block) + frame(kHeaders, kEndHeaders | kEnd, 3, section(kOk) + '\xbe'), limits),
            "response 3: 200 ends none [late=x]\nclosed 3: NO_ERROR\n" + answer);
}

TEST(H2Client, IsToldWhatTheUpstreamDidNotTouch) {  // T10
  EXPECT_EQ(to_client(rst(1, 7)), "closed 1: REFUSED_STREAM by peer unprocessed\n| \n");
  EXPECT_EQ(to_client(rst(1, 2)), "closed 1: INTERNAL_ERROR by peer\n| \n");
  EXPECT_EQ(to_client(rst(1, 0)), "closed 1: CANCEL by peer\n| \n");
  EXPECT_EQ(to_client(goaway(1, 0)), "goaway\nclosed 3: REFUSED_STREAM by peer unprocessed\n| \n");
  EXPECT_EQ(to_client(goaway(0x7fffffff, 0) + goaway(1, 0)), "goaway\nclosed 3: REFUSED_STREAM by peer unprocessed\n| \n");
  EXPECT_EQ(to_client(goaway(3, 0)), "goaway\n| \n");
}

TEST(H2Client, IsNotToldOfAnOrderlyEndOfAResponseThatWasRefused) {
  const std::string refused = headers(1, {{":status", "600"}}, kEndHeaders | kEnd);
  EXPECT_EQ(to_client(refused), "closed 1: PROTOCOL_ERROR\n| RST(1 PROTOCOL_ERROR)\n");
  EXPECT_EQ(to_client(refused + rst(1, 0)), "closed 1: PROTOCOL_ERROR\n| RST(1 PROTOCOL_ERROR)\n");
}

TEST(H2Client, ThatResetsItselfIsNotToldOfARefusal) {
  auto ear = client();
  ear->session.reset(1, H2Error::RefusedStream);
  EXPECT_EQ(ear->sent(), "RST(1 REFUSED_STREAM)");
  EXPECT_EQ(ear->heard(), "closed 1: REFUSED_STREAM\n");
}

TEST(H2Client, MakesNoRequestsAfterGoAway) {
  auto ear = client();
  ASSERT_TRUE(ear->feed(goaway(1, 0)));
  EXPECT_EQ(ear->request(get()), -1);
  EXPECT_FALSE(ear->session.is_over());
  ASSERT_TRUE(ear->feed(headers(1, kOk, kEndHeaders | kEnd)));
  EXPECT_TRUE(ear->session.is_over());
}

TEST(H2Client, WhoseRequestDidNotLeaveBeforeGoAwayIsToldSo) {
  auto ear = client();
  EXPECT_EQ(ear->request(get()), 3);
  ASSERT_TRUE(ear->feed(goaway(1, 0)));
  EXPECT_EQ(ear->sent(), "");
  EXPECT_EQ(ear->heard(), "goaway\nclosed 3: REFUSED_STREAM by peer unprocessed\n");
}

TEST(H2Client, HasAsManyStreamsAsThePeerLetsIt) {  // T11
  auto ear = client({}, settings({{3, 2}}));
  EXPECT_EQ(ear->session.peer_streams(), 2u);
  EXPECT_EQ(ear->request(get()), 3);
  EXPECT_EQ(ear->request(get()), -1);
  ASSERT_TRUE(ear->feed(headers(1, kOk, kEndHeaders | kEnd)));
  EXPECT_EQ(ear->request(get()), 5);
  ASSERT_TRUE(ear->feed(settings({{3, 0}})));
  EXPECT_EQ(ear->session.peer_streams(), 0u);
  EXPECT_EQ(ear->request(get()), -1);
  EXPECT_EQ(ear->session.open_streams(), 2u);
}

TEST(H2Client, MayTakeBackARequestThatDidNotLeave) {
  auto ear = client();
  EXPECT_EQ(ear->request(post(), false), 3);
  ear->session.reset(3, H2Error::Cancel);
  EXPECT_EQ(ear->sent(), "");
  EXPECT_EQ(ear->heard(), "closed 3: CANCEL\n");
  EXPECT_EQ(ear->session.open_streams(), 0u + 1);
}

/// A stream's head is unsent until its first byte has left, in however many frames it is.
TEST(H2Client, KnowsOfWhichRequestsNothingHasLeft) {
  Ear ear(H2Role::Client);
  std::size_t before = ear.produce().size();
  for (const std::size_t cookie : {10, 50'000, 10}) {
    const std::int32_t stream = ear.request(get({{"cookie", std::string(cookie, '\x01')}}));
    EXPECT_TRUE(ear.session.is_unsent(stream, before)) << "not produced";
    const std::string bytes = ear.produce();
    EXPECT_EQ(frames_of(bytes)[0].type, kHeaders);
    EXPECT_TRUE(ear.session.is_unsent(stream, before));
    EXPECT_FALSE(ear.session.is_unsent(stream, before + 1));
    before += bytes.size();
  }
  const std::int32_t first = ear.request(get());
  const std::int32_t second = ear.request(post(), false);
  ear.bodies[second] = {"x", false};
  const std::string bytes = ear.produce();
  const std::size_t between = bytes.size() - 9 - 1 - 9 - frames_of(bytes)[1].payload.size();
  EXPECT_FALSE(ear.session.is_unsent(first, before + between));
  EXPECT_TRUE(ear.session.is_unsent(second, before + between));
  EXPECT_FALSE(ear.session.is_unsent(second, before + between + 1));
}

TEST(H2Client, SendsBodiesAndTrailers) {
  auto ear = client();
  const std::vector<H2Field> trailers{{"a", "b"}};
  EXPECT_EQ(ear->request(post(), false), 3);
  ear->bodies[3] = {"hello", true};
  ear->session.trailers(3, trailers);
  EXPECT_EQ(ear->sent(), "HEADERS(3) DATA(3)=hello HEADERS(3)+END");
}

TEST(H2Client, KeepsWhatOneRequestSaysInSecretFromTheTableOfTheConnection) {  // RFC 7541 §7.1.3
  auto ear = client();
  const Fields secrets = get({{"cookie", "a-secret-that-is-long-enough"}, {"authorization", "Basic an-other-secret-here"}, {"x", "y"}});
  ear->request(secrets);
  const std::size_t first = ear->produce().size();
  ear->request(secrets);
  const std::size_t again = ear->produce().size();
  EXPECT_LT(again, first);
  EXPECT_GT(again, 9 + 28 + 20u) << "the secrets are in it again";
}

TEST(H2Client, LearnsWhatThePeerOffers) {
  EXPECT_FALSE(client()->session.peer_takes_connect_protocol());
  EXPECT_TRUE(client({}, settings({{8, 1}}))->session.peer_takes_connect_protocol());
}

TEST(H2Client, EndsForPushes) {
  const std::string push = frame(kPush, kEndHeaders, 1, number(2, 4) + section(get()));
  EXPECT_EQ(to_client(push), "| GOAWAY(0 PROTOCOL_ERROR)\n");
  EXPECT_EQ(to_client(settings_ack() + push), "| GOAWAY(0 PROTOCOL_ERROR)\n");
}

TEST(H2Client, EndsForFramesThatBreakTheProtocol) {
  for (const std::string& frames :
       {headers(5, kOk), headers(2, kOk), headers(0, kOk), data(1, "x"), data(5, "x"), data(2, "x"), goaway(2, 0), rst(5, 8),
        settings({{2, 1}})}) {
    EXPECT_EQ(to_client(frames), "| GOAWAY(0 PROTOCOL_ERROR)\n");
  }
  EXPECT_EQ(to_client(headers(1, kOk, kEndHeaders | kEnd) + data(1, "x")),
            "response 1: 200 ends none\nclosed 1: NO_ERROR\n| GOAWAY(0 STREAM_CLOSED)\n");
}

TEST(H2Client, WithAnUpstreamThatResetsManyStreamsGoesOn) {
  auto ear = client();
  ear->quiet = true;
  for (std::int32_t stream = 3; stream < 10'003; stream += 2) {
    ASSERT_EQ(ear->request(get()), stream);
    (void)ear->produce();
    ASSERT_TRUE(ear->feed(rst(static_cast<std::uint32_t>(stream), 7))) << ear->session.refusal();
  }
}

TEST(H2Client, WithAnUpstreamThatFloodsEnds) {
  const auto cut = [](const std::string& frames) {
    auto ear = client();
    ear->quiet = true;
    for (int i = 0; i < 5000 && ear->feed(frames); ++i) (void)ear->produce();
    return ear->sent();
  };
  EXPECT_EQ(cut(settings()), "GOAWAY(0 ENHANCE_YOUR_CALM)");
  EXPECT_EQ(cut(ping()), "GOAWAY(0 ENHANCE_YOUR_CALM)");
  EXPECT_EQ(cut(window_update(1, 1)), "GOAWAY(0 ENHANCE_YOUR_CALM)");
  EXPECT_EQ(cut(frame(0xbe, 0, 0)), "GOAWAY(0 ENHANCE_YOUR_CALM)");
}

}  // namespace
}  // namespace tidegate::http::test
