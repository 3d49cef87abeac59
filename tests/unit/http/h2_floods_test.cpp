// Floods (tests/RELIABILITY.md, A): each is cut with GOAWAY ENHANCE_YOUR_CALM at its limit, and a client that does much of
// the same because it is busy is not. The clock stands still unless a test moves it.
#include "http/h2_floods.h"

#include "http/h2_ear.h"

namespace tidegate::http::test {
namespace {

std::string whole(std::uint32_t stream) { return headers(stream, get(), kEndHeaders | kEnd); }

/// How many of them a server takes one by one before it ends the connection, reading its answers (`reads`) or not.
struct Cut {
  int after = 0;
  std::string told;
  std::string why;
};
template <class Make>
Cut flood(Ear& ear, int most, const Make& make, bool reads = true) {
  ear.quiet = true;
  Cut cut;
  std::string last;
  for (; cut.after < most; ++cut.after) {
    const bool fine = ear.feed(make(cut.after));
    if (reads || !fine) last = ear.sent();
    if (!fine || ear.session.is_over()) break;
  }
  cut.told = last.substr(last.rfind("GOAWAY") == std::string::npos ? last.size() : last.rfind("GOAWAY"));
  cut.why = ear.session.refusal();
  EXPECT_EQ(ear.session.is_over(), cut.after < most);
  return cut;
}
const std::string kCalm0 = "GOAWAY(0 ENHANCE_YOUR_CALM)";

TEST(H2Bucket, IsFilledAgainAtItsRateUpToItsBurst) {
  TimePoint now{};
  H2Bucket bucket({3, 2}, now);
  const auto takes = [&] {
    int count = 0;
    while (bucket.take(now)) ++count;
    return count;
  };
  EXPECT_EQ(takes(), 3);
  now += std::chrono::milliseconds(499);
  EXPECT_EQ(takes(), 0);
  now += std::chrono::milliseconds(1);
  EXPECT_EQ(takes(), 1);
  now += std::chrono::hours(1);
  EXPECT_EQ(takes(), 3);
  now -= std::chrono::hours(2);
  EXPECT_EQ(takes(), 0);
}

TEST(H2Flood, OfSettingsIsCut) {
  auto ear = server();
  const Cut cut = flood(*ear, 5000, [](int) { return settings(); });
  EXPECT_EQ(cut.after, 1999) << "one of the preface before";
  EXPECT_EQ(cut.told, kCalm0);
  EXPECT_EQ(cut.why, "too many frames that bring nothing (glitches)");
}

TEST(H2Flood, OfPingsIsCut) {
  auto ear = server();
  const Cut cut = flood(*ear, 5000, [](int) { return ping(); });
  EXPECT_EQ(cut.after, 1999 + 5);
  EXPECT_EQ(cut.told, kCalm0);
}

TEST(H2Flood, OfPingsWhoseAnswersAreNotReadIsCutEarlier) {
  H2Limits limits;
  limits.queued_control = 100;
  auto ear = server(limits);
  const Cut cut = flood(*ear, 5000, [](int) { return ping(); }, false);
  EXPECT_EQ(cut.after, 100);
  EXPECT_EQ(cut.told, kCalm0);
  EXPECT_EQ(cut.why, "too many answers that are not read (queued_control)");
}

TEST(H2Flood, OfPrioritiesIsCut) {
  auto ear = server();
  EXPECT_EQ(flood(*ear, 5000, [](int i) { return priority(static_cast<std::uint32_t>(2 * i + 1), 0); }).told, kCalm0);
}

TEST(H2Flood, OfWindowUpdatesIsCut) {
  auto ear = server();
  const Cut cut = flood(*ear, 5000, [](int) { return window_update(0, 1); });
  EXPECT_EQ(cut.after, 1999 + 5);
  EXPECT_EQ(cut.told, kCalm0);
}

TEST(H2Flood, OfUnknownFramesIsCut) {
  auto ear = server();
  EXPECT_EQ(flood(*ear, 5000, [](int) { return frame(0xbe, 0, 0); }).told, kCalm0);
}

TEST(H2Flood, OfAnswersToPingsThatNobodySentIsCut) {
  auto ear = server();
  EXPECT_EQ(flood(*ear, 5000, [](int) { return ping(kAck); }).told, kCalm0);
}

TEST(H2Flood, OfGoAwaysIsCut) {
  auto ear = server();
  ASSERT_TRUE(ear->feed(whole(1)));
  EXPECT_EQ(flood(*ear, 5000, [](int) { return goaway(0, 0); }).told, "GOAWAY(1 ENHANCE_YOUR_CALM)");
}

TEST(H2Flood, OfSettingsEntriesIsCut) {
  auto ear = server();
  std::vector<std::pair<int, std::uint32_t>> entries(32, {0xaaaa, 1});
  EXPECT_TRUE(ear->feed(settings(entries)));
  entries.emplace_back(0xaaaa, 1);
  EXPECT_FALSE(ear->feed(settings(entries)));
  EXPECT_EQ(ear->sent(), kCalm0);
  EXPECT_EQ(ear->session.refusal(), "too many entries in SETTINGS (settings_entries)");
}

TEST(H2Flood, OfEmptyDataIsCut) {  // CVE-2019-9518
  for (const std::string& empty : {data(1, ""), data(1, std::string(1, '\0'), kPadded), data(1, '\x02' + std::string("pp"), kPadded)}) {
    auto ear = server();
    ASSERT_TRUE(ear->feed(headers(1, post())));
    const Cut cut = flood(*ear, 5000, [&](int) { return empty; });
    EXPECT_EQ(cut.after, 100);
    EXPECT_EQ(cut.told, "GOAWAY(1 ENHANCE_YOUR_CALM)");
    EXPECT_EQ(cut.why, "too many empty DATA frames (empty_data)");
  }
}

TEST(H2Flood, OfContinuationsIsCut) {  // CVE-2024-28182
  auto ear = server();
  std::string section_in_pieces = frame(kHeaders, kEnd, 1, section(get()));
  for (int i = 0; i < 8; ++i) section_in_pieces += frame(kContinuation, i == 7 ? kEndHeaders : 0, 1);
  ASSERT_TRUE(ear->feed(section_in_pieces)) << "eight are taken";
  EXPECT_EQ(ear->heard(), "request 1: GET / @h https none\n");
  ASSERT_TRUE(ear->feed(frame(kHeaders, kEnd, 3, section(get()))));
  const Cut cut = flood(*ear, 5000, [](int) { return frame(kContinuation, 0, 3); });
  EXPECT_EQ(cut.after, 8);
  EXPECT_EQ(cut.told, "GOAWAY(3 ENHANCE_YOUR_CALM)");
  EXPECT_EQ(cut.why, "too many CONTINUATION frames (continuations)");
}

TEST(H2Flood, OfResetsIsCut) {  // CVE-2023-44487
  auto ear = server();
  const Cut cut = flood(*ear, 5000, [](int i) {
    const auto stream = static_cast<std::uint32_t>(2 * i + 1);
    return whole(stream) + rst(stream, 8);
  });
  EXPECT_EQ(cut.after, 1000);
  EXPECT_EQ(cut.told, "GOAWAY(2001 ENHANCE_YOUR_CALM)");
  EXPECT_EQ(cut.why, "too many streams reset (resets)");
}

/// CVE-2025-8671: the client makes the server reset its streams.
TEST(H2Flood, OfResetsThatTheClientProvokesIsCut) {
  const struct {
    const char* name;
    std::function<std::string(std::uint32_t)> make;
  } cases[] = {
      {"malformed heads", [](std::uint32_t stream) { return headers(stream, get({{"A", "b"}}), kEndHeaders | kEnd); }},
      {"more content than length",
       [](std::uint32_t stream) { return headers(stream, post({{"content-length", "1"}})) + data(stream, "xx"); }},
      {"windows over the top", [](std::uint32_t stream) { return whole(stream) + window_update(stream, 0x7fffffff); }},
      {"malformed trailers", [](std::uint32_t stream) { return headers(stream, post()) + headers(stream, {{"a", "b"}}); }},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.name);
    auto ear = server();
    const Cut cut = flood(*ear, 5000, [&](int i) { return one.make(static_cast<std::uint32_t>(2 * i + 1)); });
    EXPECT_EQ(cut.after, 1000);
    EXPECT_EQ(cut.told, "GOAWAY(2001 ENHANCE_YOUR_CALM)");
    EXPECT_EQ(cut.why, "too many streams reset (resets)");
  }
}

TEST(H2Flood, OfResetsOfBothKindsIsOneBucket) {
  auto ear = server();
  const Cut cut = flood(*ear, 5000, [](int i) {
    const auto stream = static_cast<std::uint32_t>(4 * i + 1);
    return whole(stream) + rst(stream, 8) + headers(stream + 2, get({{"A", "b"}}), kEndHeaders | kEnd);
  });
  EXPECT_EQ(cut.after, 500);
}

TEST(H2Flood, OfFramesForStreamsThatAreOverIsCut) {
  auto ear = server();
  ASSERT_TRUE(ear->feed(headers(1, post()) + rst(1, 8)));
  const Cut answered = flood(*ear, 5000, [](int) { return data(1, "x"); });
  EXPECT_EQ(answered.after, 999) << "each is answered by a reset, which the client provoked";
  EXPECT_EQ(answered.why, "too many streams reset (resets)");
  ear = server();
  ASSERT_TRUE(ear->feed(headers(1, post())));
  ear->session.reset(1, H2Error::Cancel);
  (void)ear->produce();
  EXPECT_EQ(flood(*ear, 5000, [](int) { return data(1, "x"); }).why, "too many frames that bring nothing (glitches)");
  ear = server();
  ASSERT_TRUE(ear->feed(headers(1, post()) + rst(1, 8)));
  EXPECT_EQ(flood(*ear, 5000, [](int) { return rst(1, 8); }).after, 999);
}

TEST(H2Flood, OfHeadsThatAreRefusedIsCut) {
  auto ear = server();
  const Cut cut = flood(*ear, 5000, [](int i) {
    return headers(static_cast<std::uint32_t>(2 * i + 1), get({{"host", "evil"}}), kEndHeaders | kEnd);
  });
  EXPECT_EQ(cut.after, 1999);
  EXPECT_EQ(cut.why, "too many frames that bring nothing (glitches)");
}

TEST(H2Flood, OfWindowsThatCutBodiesToCrumbsIsCut) {  // CVE-2019-9511
  auto ear = server();
  ASSERT_TRUE(ear->feed(settings({{4, 0}}) + whole(1)));
  ear->respond(1, 200, std::string(100'000, 'x'));
  (void)ear->produce();
  const Cut cut = flood(*ear, 10'000, [](int) { return window_update(1, 1); });
  EXPECT_LT(cut.after, 1100) << "each update is one and each crumb is one";
  EXPECT_EQ(cut.told, "GOAWAY(1 ENHANCE_YOUR_CALM)");
}

TEST(H2Flood, ThatIsSlowerThanTheRateIsNone) {
  auto ear = server();
  const Cut cut = flood(*ear, 5000, [&](int) {
    ear->later(0.011);
    return ping();
  });
  EXPECT_EQ(cut.after, 5000);
  auto other = server();
  const Cut resets = flood(*other, 5000, [&](int i) {
    other->later(0.031);
    const auto stream = static_cast<std::uint32_t>(2 * i + 1);
    return whole(stream) + rst(stream, 8);
  });
  EXPECT_EQ(resets.after, 5000);
}

// --- what is not a flood

TEST(H2BusyClient, WithAHundredThousandRequestsInASecondIsServed) {
  auto ear = server();
  ear->quiet = true;
  ear->answer = [&](std::int32_t stream) { ear->respond(stream); };
  std::uint32_t stream = 1;
  for (int round = 0; round < 1000; ++round) {
    std::string requests;
    for (int i = 0; i < 100; ++i, stream += 2) requests += whole(stream);
    ASSERT_TRUE(ear->feed(requests)) << ear->session.refusal();
    (void)ear->produce();
    ear->bodies.clear();
    ear->closings.clear();
    ASSERT_TRUE(ear->feed(window_update(0, 200)));
  }
  EXPECT_FALSE(ear->session.is_over());
  EXPECT_EQ(ear->session.open_streams(), 0u);
}

/// gRPC: a window for the stream and one for the connection with each message, and a PING to measure the bandwidth.
TEST(H2BusyClient, WithWindowUpdatesAndAPingForEachMessageIsServed) {
  auto ear = server();
  ear->quiet = true;
  ASSERT_TRUE(ear->feed(whole(1)));
  ear->session.respond(1, 200, {}, false);
  (void)ear->produce();
  for (int i = 0; i < 50'000; ++i) {
    ear->bodies[1] = {std::string(10, 'x'), false};
    ear->session.resume(1);
    ASSERT_EQ(ear->sent(), "DATA(1)=xxxxxxxxxx");
    ASSERT_TRUE(ear->feed(window_update(1, 10) + window_update(0, 10) + ping())) << ear->session.refusal();
  }
}

TEST(H2BusyClient, WithAPriorityForEachStreamIsServed) {
  auto ear = server();
  ear->quiet = true;
  ear->answer = [&](std::int32_t stream) { ear->respond(stream); };
  for (std::uint32_t stream = 1; stream < 20'000; stream += 2) {
    ASSERT_TRUE(ear->feed(priority(stream, 0) + whole(stream) + frame(0x10, 0, 0, number(stream, 4) + "u=1"))) << stream;
    (void)ear->produce();
    ear->bodies.clear();
    ear->closings.clear();
  }
}

TEST(H2BusyClient, ThatUploadsInSmallPiecesIsServed) {
  auto ear = server();
  ear->quiet = true;
  ASSERT_TRUE(ear->feed(headers(1, post())));
  for (int i = 0; i < 50'000; ++i) {
    ASSERT_TRUE(ear->feed(data(1, "x")));
    if (i % 1000 == 0) (void)ear->produce();
  }
  EXPECT_EQ(ear->received, 50'000u);
}

TEST(H2BusyClient, WhoseUploadsAreRefusedMayHaveThemOnTheirWay) {
  auto ear = server();
  ear->quiet = true;
  for (std::uint32_t stream = 1; stream < 4001; stream += 2) {
    ASSERT_TRUE(ear->feed(headers(stream, post())));
    ear->respond(static_cast<std::int32_t>(stream), 413, "no");
    (void)ear->produce();
    ear->session.reset(static_cast<std::int32_t>(stream), H2Error::NoError);
    (void)ear->produce();
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(ear->feed(data(stream, std::string(16'384, 'x')))) << ear->session.refusal();
    (void)ear->produce();
  }
}

TEST(H2BusyClient, WithASmallWindowNowAndThenIsServed) {
  auto ear = server();
  ear->quiet = true;
  ASSERT_TRUE(ear->feed(whole(1)));
  ear->respond(1, 200, std::string(20'000'000, 'x'));
  (void)ear->produce();
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(ear->feed(window_update(1, 32'768 + 100) + window_update(0, 32'768 + 100))) << ear->session.refusal();
    (void)ear->produce();
  }
}

}  // namespace
}  // namespace tidegate::http::test
