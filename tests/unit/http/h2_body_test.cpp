// Bodies and trailers over HTTP/2, both directions of a server's session: framing, lengths, padding, windows, what is sent in how
// many frames. The names begin with the line of the checklist (tests/RELIABILITY.md) where there is one.
#include "http/h2_ear.h"

namespace tidegate::http::test {
namespace {

const std::string kPost = "request 1: POST / @h https frames\n";

TEST(H2RequestBody, ComesInPiecesAndEnds) {
  EXPECT_EQ(to_server(headers(1, post()) + data(1, "hello ") + data(1, "world") + data(1, "", kEnd)),
            kPost + "data 1: hello world\nend 1\n| \n");
  EXPECT_EQ(to_server(headers(1, post()) + data(1, "hello", kEnd)), kPost + "data 1: hello\nend 1\n| \n");
  EXPECT_EQ(to_server(headers(1, post()) + data(1, "", kEnd)), kPost + "end 1\n| \n");
}

TEST(H2RequestBody, MayBePadded) {
  EXPECT_EQ(to_server(headers(1, post()) + data(1, '\x03' + std::string("hello---"), kPadded) +
                      data(1, '\0' + std::string("!"), kPadded | kEnd)),
            kPost + "data 1: hello!\nend 1\n| \n");
}

TEST(H2RequestBody, OfAnotherLengthThanItSaysResetsTheStream) {  // T6
  const std::string head = headers(1, post({{"content-length", "5"}}));
  const std::string told = "request 1: POST / @h https frames cl:5 [content-length=5]\n";
  EXPECT_EQ(to_server(head + data(1, "hello", kEnd)), told + "data 1: hello\nend 1\n| \n");
  EXPECT_EQ(to_server(head + data(1, "hell") + data(1, "o") + data(1, "", kEnd)), told + "data 1: hello\nend 1\n| \n");
  EXPECT_EQ(to_server(head + data(1, "hell", kEnd)), told + "data 1: hell\n| RST(1 PROTOCOL_ERROR)\nclosed 1: PROTOCOL_ERROR\n");
  EXPECT_EQ(to_server(head + headers(1, {{"a", "b"}}, kEndHeaders | kEnd)), told + "| RST(1 PROTOCOL_ERROR)\nclosed 1: PROTOCOL_ERROR\n");
  Ear ear(H2Role::Server);
  EXPECT_TRUE(ear.feed(kPreface + settings() + head + data(1, "hello!", kEnd)));
  EXPECT_EQ(ear.heard(), told);
  EXPECT_EQ(ear.sent(), "RST(1 PROTOCOL_ERROR)");
  EXPECT_EQ(ear.heard(), "closed 1: PROTOCOL_ERROR\n");
}

TEST(H2Trailers, ComeBeforeTheEnd) {
  EXPECT_EQ(to_server(headers(1, post()) + data(1, "hello") + headers(1, {{"grpc-status", "0"}, {"te", "trailers"}}, kEndHeaders | kEnd)),
            kPost + "data 1: hello\ntrailers 1:  [grpc-status=0] -[te=trailers]\nend 1\n| \n");
  EXPECT_EQ(to_server(headers(1, post()) + headers(1, {{"a", "b"}}, kEndHeaders | kEnd)), kPost + "trailers 1:  [a=b]\nend 1\n| \n");
}

TEST(H2Trailers, WhichAreMalformedResetTheStream) {  // T3
  const std::string answer = kPost + "| RST(1 PROTOCOL_ERROR)\nclosed 1: PROTOCOL_ERROR\n";
  for (const Fields& fields : {Fields{{":path", "/"}}, Fields{{":method", "GET"}}, Fields{{"A", "b"}}, Fields{{"connection", "close"}},
                               Fields{{"transfer-encoding", "chunked"}}, Fields{{"a", "b\n"}}}) {
    EXPECT_EQ(to_server(headers(1, post()) + headers(1, fields, kEndHeaders | kEnd)), answer) << fields[0].first;
  }
  EXPECT_EQ(to_server(headers(1, post()) + headers(1, {{"a", "b"}}, kEndHeaders)), answer) << "without the end";
}

TEST(H2Trailers, OverTheirBoundsResetTheStream) {
  const std::string answer = kPost + "| RST(1 ENHANCE_YOUR_CALM)\nclosed 1: ENHANCE_YOUR_CALM\n";
  Fields many;
  for (std::uint32_t i = 0; i < kTrailerFields; ++i) many.emplace_back("a", "b");
  EXPECT_EQ(to_server(headers(1, post()) + headers(1, many, kEndHeaders | kEnd)).find("trailers 1:"), kPost.size());
  many.emplace_back("a", "b");
  EXPECT_EQ(to_server(headers(1, post()) + headers(1, many, kEndHeaders | kEnd)), answer);
  EXPECT_EQ(to_server(headers(1, post()) + headers(1, {{"a", std::string(kTrailerBytes, 'x')}}, kEndHeaders | kEnd)), answer);
}

TEST(H2Windows, OpenAsBytesAreConsumedAndNotBefore) {
  H2Limits limits;
  limits.stream_window = 1000;
  auto ear = server(limits);
  ear->consumes = false;
  ASSERT_TRUE(ear->feed(headers(1, post()) + data(1, std::string(1000, 'x'))));
  EXPECT_EQ(ear->sent(), "");
  ear->session.consumed(1, 400);
  EXPECT_EQ(ear->sent(), "") << "less than half of the window";
  ear->session.consumed(1, 100);
  EXPECT_EQ(ear->sent(), "WINDOW_UPDATE(1 500)");
  ASSERT_TRUE(ear->feed(data(1, std::string(500, 'x'))));
  ASSERT_TRUE(ear->feed(data(1, "x")));
  EXPECT_EQ(ear->sent(), "RST(1 FLOW_CONTROL_ERROR)");
}

TEST(H2Windows, OfTheConnectionOpenWithWhatArrivesWhoeverHoldsIt) {
  H2Limits limits;
  limits.connection_window = 65'535;  // the least that there can be
  auto ear = server(limits);
  ear->consumes = false;
  for (std::uint32_t stream = 1; stream < 20; stream += 2) {
    ASSERT_TRUE(ear->feed(headers(stream, post())));
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(ear->feed(data(stream, std::string(16'384, 'x'))));
    EXPECT_EQ(ear->sent(true), "WINDOW_UPDATE(0 32768)") << stream;
  }
  EXPECT_EQ(ear->received, 10 * 32'768u);
}

TEST(H2Windows, OpenByThemselvesForWhatIsNotTold) {
  H2Limits limits;
  limits.connection_window = 65'535;
  auto ear = server(limits);
  ear->consumes = false;
  ASSERT_TRUE(ear->feed(headers(1, post())));
  ear->session.reset(1, H2Error::Cancel);
  ASSERT_TRUE(ear->feed(data(1, std::string(16'384, 'x'))));
  EXPECT_EQ(ear->sent(), "RST(1 CANCEL)");
  ASSERT_TRUE(ear->feed(data(1, std::string(16'384, 'x')) + data(1, std::string(16'384, 'x'))));
  EXPECT_EQ(ear->sent(true), "WINDOW_UPDATE(0 32768)");
  EXPECT_EQ(ear->received, 0u);
}

TEST(H2Response, WithoutABodyIsOneFrame) {
  auto ear = server();
  ASSERT_TRUE(ear->feed(headers(1, get(), kEndHeaders | kEnd)));
  ear->respond(1, 204, "");
  EXPECT_EQ(ear->sent(), "HEADERS(1)+END");
  EXPECT_EQ(ear->heard(), "request 1: GET / @h https none\nclosed 1: NO_ERROR\n");
}

TEST(H2Response, WhoseBodyIsThereIsTwoFrames) {
  auto ear = server();
  ASSERT_TRUE(ear->feed(headers(1, get(), kEndHeaders | kEnd)));
  ear->respond(1, 200, "hello");
  EXPECT_EQ(ear->sent(), "HEADERS(1) DATA(1)=hello+END");
}

TEST(H2Response, WithALargeBodyHasFramesOf16KiBUpToTheWindow) {
  auto ear = server();
  ASSERT_TRUE(ear->feed(headers(1, get(), kEndHeaders | kEnd)));
  ear->respond(1, 200, std::string(70'000, 'x'));
  EXPECT_EQ(ear->sent(), "HEADERS(1) DATA(1)=16384 bytes DATA(1)=16384 bytes DATA(1)=16384 bytes DATA(1)=16383 bytes");
  EXPECT_FALSE(ear->session.wants_to_send());
  ASSERT_TRUE(ear->feed(window_update(0, 100'000)));
  EXPECT_EQ(ear->sent(), "");
  EXPECT_FALSE(ear->session.wants_to_send());
  ASSERT_TRUE(ear->feed(window_update(1, 100'000)));
  EXPECT_TRUE(ear->session.wants_to_send());
  EXPECT_EQ(ear->sent(), "DATA(1)=4465 bytes+END");
}

TEST(H2Response, WaitsForResumeWhenThereIsNothingToPull) {
  auto ear = server();
  ASSERT_TRUE(ear->feed(headers(1, get(), kEndHeaders | kEnd)));
  ear->bodies[1] = {"hello", false};
  ear->session.respond(1, 200, {}, false);
  EXPECT_EQ(ear->sent(), "HEADERS(1) DATA(1)=hello");
  EXPECT_FALSE(ear->session.wants_to_send());
  ear->bodies[1] = {" world", false};
  EXPECT_EQ(ear->sent(), "");
  ear->session.resume(1);
  EXPECT_TRUE(ear->session.wants_to_send());
  EXPECT_EQ(ear->sent(), "DATA(1)= world");
  ear->bodies[1] = {"", true};
  ear->session.resume(1);
  EXPECT_EQ(ear->sent(), "DATA(1)=+END");
  ear->session.resume(1);
  ear->session.resume(3);
  EXPECT_EQ(ear->sent(), "");
}

TEST(H2Response, WithTrailersEndsWithThem) {
  auto ear = server();
  const std::vector<H2Field> trailers{{"grpc-status", "0"}, {"grpc-message", ""}};
  ASSERT_TRUE(ear->feed(headers(1, get(), kEndHeaders | kEnd)));
  ear->bodies[1] = {"hello", true};
  ear->session.respond(1, 200, {}, false);
  ear->session.trailers(1, trailers);
  EXPECT_EQ(ear->sent(), "HEADERS(1) DATA(1)=hello HEADERS(1)+END");
  ASSERT_TRUE(ear->feed(headers(3, get(), kEndHeaders | kEnd)));
  ear->session.respond(3, 200, {}, false);
  EXPECT_EQ(ear->sent(), "HEADERS(3)");
  ear->session.trailers(3, trailers);
  ear->bodies[3].complete = true;
  ear->session.resume(3);
  EXPECT_EQ(ear->sent(), "HEADERS(3)+END") << "no empty DATA before them";
  EXPECT_EQ(ear->session.open_streams(), 0u);
}

TEST(H2Response, ComesAfterInformationalOnes) {
  auto ear = server();
  ASSERT_TRUE(ear->feed(headers(1, post())));
  const std::vector<H2Field> link{{"link", "</a>; rel=preload"}};
  EXPECT_TRUE(ear->session.inform(1, 100, {}));
  EXPECT_TRUE(ear->session.inform(1, 103, link));
  ear->respond(1);
  EXPECT_EQ(ear->sent(), "HEADERS(1) HEADERS(1) HEADERS(1) DATA(1)=ok+END");
}

TEST(H2Response, CompleteBeforeItsRequestLeavesTheRestToTheOwner) {
  auto ear = server();
  ASSERT_TRUE(ear->feed(headers(1, post()) + data(1, "hello")));
  ear->respond(1, 413, "too much");
  EXPECT_EQ(ear->sent(), "HEADERS(1) DATA(1)=too much+END");
  ASSERT_TRUE(ear->feed(data(1, " more")));
  EXPECT_EQ(ear->heard(), kPost + "data 1: hello more\n");
  ear->session.reset(1, H2Error::NoError);
  EXPECT_EQ(ear->sent(), "RST(1 NO_ERROR)");
  ASSERT_TRUE(ear->feed(data(1, "yet more") + data(1, "", kEnd)));
  EXPECT_EQ(ear->sent(), "");
  EXPECT_EQ(ear->heard(), "closed 1: NO_ERROR\n");
}

TEST(H2Response, ToAStreamThatIsOverIsNotTaken) {
  auto ear = server();
  ASSERT_TRUE(ear->feed(headers(1, get(), kEndHeaders | kEnd) + rst(1, 8)));
  EXPECT_EQ(ear->heard(), "request 1: GET / @h https none\nclosed 1: CANCEL by peer\n");
  EXPECT_FALSE(ear->session.respond(1, 200, {}, true));
  EXPECT_FALSE(ear->session.inform(1, 100, {}));
  EXPECT_FALSE(ear->session.respond(99, 200, {}, true));
  ear->session.reset(1, H2Error::Cancel);
  ear->session.consumed(1, 5);
  ear->session.trailers(1, {});
  EXPECT_EQ(ear->sent(), "");
}

TEST(H2Produce, StopsSoonAfterWhatWasAskedFor) {
  auto ear = server();
  ASSERT_TRUE(ear->feed(window_update(0, 10'000'000)));
  for (std::uint32_t stream = 1; stream < 20; stream += 2) {
    ASSERT_TRUE(ear->feed(headers(stream, get(), kEndHeaders | kEnd)));
    ear->respond(static_cast<std::int32_t>(stream), 200, std::string(60'000, 'x'));
  }
  std::size_t total = 0;
  for (std::size_t most : {1u, 1u, 100u, 20'000u, 30'000u}) {
    const std::size_t bytes = ear->produce(most).size();
    EXPECT_LE(bytes, most + 16'384 + 9);
    EXPECT_GE(bytes, most);
    total += bytes;
  }
  while (ear->session.wants_to_send()) total += ear->produce(32'768).size();
  EXPECT_GT(total, 600'000u);
  EXPECT_EQ(ear->session.open_streams(), 0u);
}

TEST(H2Produce, RatherSendsSmallerFramesThanTakeMemoryOfItsOwn) {
  auto ear = server();
  ASSERT_TRUE(ear->feed(headers(1, get(), kEndHeaders | kEnd)));
  ear->respond(1, 200, std::string(40'000, 'x'));
  Buffer out(pool());
  ear->session.produce(out, 12'000);
  EXPECT_EQ(out.capacity(), bytes_of(BlockSize::Medium));
  EXPECT_EQ(out.size(), out.capacity());
  out.clear();
  ear->session.produce(out, 1);
  EXPECT_EQ(out.size(), out.capacity()) << "a frame fills the block";
}

TEST(H2Produce, TurnsFromStreamToStream) {
  auto ear = server();
  ASSERT_TRUE(ear->feed(window_update(0, 1'000'000) + settings({{4, 1'000'000}})));
  for (const std::uint32_t stream : {1u, 3u}) {
    ASSERT_TRUE(ear->feed(headers(stream, get(), kEndHeaders | kEnd)));
    ear->respond(static_cast<std::int32_t>(stream), 200, std::string(40'000, 'x'));
  }
  EXPECT_EQ(ear->sent(), "HEADERS(1) HEADERS(3) DATA(1)=16384 bytes DATA(3)=16384 bytes DATA(1)=16384 bytes DATA(3)=16384 bytes "
                         "DATA(1)=7232 bytes+END DATA(3)=7232 bytes+END");
}

}  // namespace
}  // namespace tidegate::http::test
