// A client's session and a server's, joined in memory: what one is asked to send, the other tells, however the bytes are cut.
#include "http/h2_ear.h"

namespace tidegate::http::test {
namespace {

class Pair {
 public:
  explicit Pair(std::size_t piece = 0, const H2Limits& limits = {})
      : client(H2Role::Client, limits), server(H2Role::Server, limits), piece_(piece) {}

  /// Carries bytes to and fro until there are none.
  void run() {
    for (;;) {
      const std::string up = client.produce(30'000);
      const std::string down = server.produce(30'000);
      if (up.empty() && down.empty()) return;
      carry(up, server);
      carry(down, client);
    }
  }

  Ear client;
  Ear server;

 private:
  void carry(std::string_view bytes, Ear& to) const {
    const std::size_t piece = piece_ == 0 ? bytes.size() : piece_;
    for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) ASSERT_TRUE(to.feed(bytes.substr(0, piece)));
  }
  std::size_t piece_;
};

const std::size_t kPieces[] = {0, 1, 7, 4096};

TEST(H2Pair, CarriesExchangesWithBodiesBothWays) {
  for (const std::size_t piece : kPieces) {
    Pair pair(piece);
    pair.server.answer = [&](std::int32_t stream) { pair.server.respond(stream, 201, "made", {{"a", "b"}}); };
    EXPECT_EQ(pair.client.request(post({{"x", "y"}, {"cookie", "a=b"}, {"cookie", "c=d"}}), false), 1);
    pair.client.bodies[1] = {"hello", true};
    EXPECT_EQ(pair.client.request(get()), 3);
    pair.run();
    EXPECT_EQ(pair.server.heard(),
              "request 1: POST / @h https frames [x=y] [cookie=a=b; c=d]\nrequest 3: GET / @h https none\ndata 1: hello\nend 1\n"
              "closed 3: NO_ERROR\nclosed 1: NO_ERROR\n");
    EXPECT_EQ(pair.client.heard(),
              "response 3: 201 frames [a=b]\nresponse 1: 201 frames [a=b]\ndata 3: made\nend 3\nclosed 3: NO_ERROR\n"
              "data 1: made\nend 1\nclosed 1: NO_ERROR\n");
    EXPECT_EQ(pair.client.session.open_streams() + pair.server.session.open_streams(), 0u);
  }
}

TEST(H2Pair, CarriesLargeBodiesThroughSmallWindows) {
  H2Limits limits;
  limits.stream_window = 1000;
  for (const std::size_t piece : kPieces) {
    Pair pair(piece, limits);
    pair.client.quiet = pair.server.quiet = true;
    pair.server.answer = [&](std::int32_t stream) { pair.server.respond(stream, 200, std::string(200'000, 'd')); };
    for (int i = 0; i < 3; ++i) {
      const std::int32_t stream = pair.client.request(post(), false);
      pair.client.bodies[stream] = {std::string(150'000, 'u'), true};
    }
    pair.run();
    EXPECT_EQ(pair.server.received, 450'000u);
    EXPECT_EQ(pair.client.received, 600'000u);
    EXPECT_EQ(pair.client.session.open_streams() + pair.server.session.open_streams(), 0u);
    EXPECT_FALSE(pair.client.session.is_over());
  }
}

TEST(H2Pair, SendsNoMoreThanIsConsumed) {
  H2Limits limits;
  limits.stream_window = 10'000;
  Pair pair(0, limits);
  pair.client.consumes = false;
  pair.client.quiet = true;
  pair.server.answer = [&](std::int32_t stream) { pair.server.respond(stream, 200, std::string(50'000, 'd')); };
  pair.client.request(get());
  pair.run();
  EXPECT_EQ(pair.client.received, 10'000u);
  EXPECT_GE(pair.server.bodies[1].left.size(), 40'000u) << "nothing is pulled that cannot be sent";
  pair.client.session.consumed(1, 10'000);
  pair.run();
  EXPECT_EQ(pair.client.received, 20'000u);
}

TEST(H2Pair, CarriesTrailersBothWays) {
  for (const std::size_t piece : kPieces) {
    Pair pair(piece);
    const std::vector<H2Field> up{{"checksum", "1"}}, down{{"grpc-status", "0"}, {"grpc-message", "fine"}};
    pair.server.answer = [&](std::int32_t stream) {
      pair.server.respond(stream, 200, "ok");
      pair.server.session.trailers(stream, down);
    };
    pair.client.request(post({{"te", "trailers"}}), false);
    pair.client.bodies[1] = {"hello", true};
    pair.client.session.trailers(1, up);
    pair.run();
    EXPECT_EQ(pair.server.heard(), "request 1: POST / @h https frames -[te=trailers]\ndata 1: hello\n"
                                   "trailers 1:  [checksum=1]\nend 1\nclosed 1: NO_ERROR\n");
    EXPECT_EQ(pair.client.heard(), "response 1: 200 frames\ndata 1: ok\ntrailers 1:  [grpc-status=0] [grpc-message=fine]\nend 1\n"
                                   "closed 1: NO_ERROR\n");
  }
}

TEST(H2Pair, CarriesInformationalResponses) {
  Pair pair;
  pair.client.request(post({{"expect", "100-continue"}}), false);
  pair.run();
  EXPECT_EQ(pair.server.heard(), "request 1: POST / @h https continue frames [expect=100-continue]\n");
  pair.server.session.inform(1, 100, {});
  pair.run();
  EXPECT_EQ(pair.client.heard(), "response 1: 100 none\n");
  pair.server.answer = [&](std::int32_t stream) { pair.server.respond(stream); };
  pair.client.bodies[1] = {"hello", true};
  pair.client.session.resume(1);
  pair.run();
  EXPECT_EQ(pair.client.heard(), "response 1: 200 frames\ndata 1: ok\nend 1\nclosed 1: NO_ERROR\n");
}

TEST(H2Pair, CarriesResetsBothWays) {
  Pair pair;
  pair.client.request(get());
  pair.client.request(get());
  pair.run();
  pair.client.session.reset(1, H2Error::Cancel);
  pair.server.session.reset(3, H2Error::RefusedStream);
  pair.run();
  EXPECT_EQ(pair.server.heard(), "request 1: GET / @h https none\nrequest 3: GET / @h https none\n"
                                 "closed 3: REFUSED_STREAM\nclosed 1: CANCEL by peer\n");
  EXPECT_EQ(pair.client.heard(), "closed 1: CANCEL\nclosed 3: REFUSED_STREAM by peer unprocessed\n");
}

TEST(H2Pair, AnEarlyAnswerStopsTheUpload) {
  Pair pair;
  pair.client.request(post(), false);
  pair.client.bodies[1] = {"begins", false};
  pair.run();
  pair.server.respond(1, 403, "no");
  pair.run();
  pair.server.session.reset(1, H2Error::NoError);
  pair.run();
  EXPECT_EQ(pair.client.heard(), "response 1: 403 frames\ndata 1: no\nend 1\nclosed 1: NO_ERROR by peer\n");
  EXPECT_EQ(pair.server.heard(), "request 1: POST / @h https frames\ndata 1: begins\nclosed 1: NO_ERROR\n");
}

TEST(H2Pair, DrainsInTwoSteps) {
  Pair pair;
  pair.server.answer = [&](std::int32_t stream) { pair.server.respond(stream); };
  pair.client.request(get());
  pair.run();
  pair.server.session.announce_goaway();
  pair.client.request(get());  // crosses it
  pair.run();
  EXPECT_EQ(pair.client.request(get()), -1);
  pair.server.session.goaway();
  pair.run();
  EXPECT_TRUE(pair.client.session.is_over());
  EXPECT_TRUE(pair.server.session.is_over());
  EXPECT_EQ(pair.client.heard(), "response 1: 200 frames\ndata 1: ok\nend 1\nclosed 1: NO_ERROR\ngoaway\n"
                                 "response 3: 200 frames\ndata 3: ok\nend 3\nclosed 3: NO_ERROR\n");
}

TEST(H2Pair, MeasuresWithPings) {
  Pair pair;
  pair.run();
  pair.client.session.ping();
  pair.server.session.ping();
  pair.run();
  EXPECT_EQ(pair.client.heard(), "pong\n");
  EXPECT_EQ(pair.server.heard(), "pong\n");
}

TEST(H2Pair, CarriesHeadsOfTheLargestSize) {
  Pair pair;
  pair.client.quiet = true;
  pair.server.answer = [&](std::int32_t stream) {
    const std::string value(60'000, 'v');
    pair.server.respond(stream, 200, "ok", {{"large", value}});
  };
  pair.client.request(get({{"large", std::string(60'000, 'l')}}));
  pair.run();
  EXPECT_EQ(pair.client.closings[1], 1);
  EXPECT_EQ(pair.server.heard(), "request 1: GET / @h https none [large=" + std::string(60'000, 'l') + "]\nclosed 1: NO_ERROR\n");
  EXPECT_EQ(pair.client.received, 2u);
}

TEST(H2Pair, AHeadThatCannotBeSentIsAnErrorOfOurOwn) {
  Pair pair;
  pair.server.answer = [&](std::int32_t stream) {
    const std::string value(250'000, 'v');
    pair.server.respond(stream, 200, "ok", {{"large", value}});
  };
  pair.client.request(get());
  pair.run();
  EXPECT_EQ(pair.client.heard(), "closed 1: INTERNAL_ERROR by peer\n");
  EXPECT_EQ(pair.server.heard(), "request 1: GET / @h https none\nclosed 1: INTERNAL_ERROR\n");
}

}  // namespace
}  // namespace tidegate::http::test
