#include "notify/delivery.h"

#include <gtest/gtest.h>

namespace tidegate::notify {
namespace {

using Kind = Outcome::Kind;
using outbound::Error;
using namespace std::chrono_literals;

const std::string kOrigin = "https://hooks.slack.com";
Outcome answered(unsigned status) { return outcome(outbound::Response{status}, kOrigin); }

TEST(Delivery, IsDoneWith2xx) {
  EXPECT_EQ(answered(200).kind, Kind::Delivered);
  EXPECT_EQ(answered(204).kind, Kind::Delivered);
  EXPECT_EQ(outcome(Error{Error::Kind::TooLarge, "large", 200}, kOrigin).kind, Kind::Delivered);
}

TEST(Delivery, IsTriedAgainWhereTheServerMayMend) {
  for (const unsigned status : {408u, 429u, 500u, 502u, 503u}) {
    EXPECT_EQ(answered(status).kind, Kind::Later) << status;
    EXPECT_EQ(answered(status).why, "https://hooks.slack.com answered " + std::to_string(status));
  }
  for (const auto kind : {Error::Kind::Resolve, Error::Kind::Connect, Error::Kind::Timeout, Error::Kind::Broken,
                          Error::Kind::Tls, Error::Kind::Setup, Error::Kind::NotHttp}) {
    const Outcome what = outcome(Error{kind, "why"}, kOrigin);
    EXPECT_EQ(what.kind, Kind::Later);
    EXPECT_EQ(what.why, "why");
  }
}

TEST(Delivery, IsGivenUpWhereTheSameWouldComeAgain) {
  for (const unsigned status : {400u, 403u, 404u, 410u}) EXPECT_EQ(answered(status).kind, Kind::Never) << status;
  EXPECT_EQ(answered(302).kind, Kind::Never);
  EXPECT_EQ(answered(302).why,
            "https://hooks.slack.com answered 302 (a redirect, and redirects are not followed)");
}

TEST(Delivery, PausesDoubleUpToAMinute) {
  const Limits limits;
  std::vector<Duration> pauses{next_pause(Duration::zero(), limits)};
  while (pauses.size() + 1 < limits.attempts) pauses.push_back(next_pause(pauses.back(), limits));
  EXPECT_EQ(pauses, (std::vector<Duration>{1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s, 60s}));
}

}  // namespace
}  // namespace tidegate::notify
