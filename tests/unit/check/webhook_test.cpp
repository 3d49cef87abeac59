#include "check/webhook.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace tidegate::check {
namespace {

using gate::Verdict;
using outbound::Error;
using outbound::Result;

constexpr std::array kConfirm{WebhookType::ConfirmRollout, WebhookType::ConfirmTrafficIncrease,
                              WebhookType::ConfirmPromotion};
constexpr std::array kTest{WebhookType::PreRollout, WebhookType::Rollout};
constexpr std::array kTold{WebhookType::PostRollout, WebhookType::Event};

Answer answered(WebhookType type, unsigned status) { return webhook_answer(type, outbound::Response{status}); }
Answer failed(WebhookType type, Error::Kind kind) { return webhook_answer(type, Error{kind, "why"}); }
void expect(const Answer& answer, Verdict verdict, const std::string& sentence) {
  EXPECT_EQ(answer.verdict, verdict) << answer.sentence;
  EXPECT_EQ(answer.sentence, sentence);
}
constexpr std::array kNoAnswer{Error::Kind::Resolve, Error::Kind::Connect, Error::Kind::Timeout, Error::Kind::Broken};
constexpr std::array kBroken{Error::Kind::Setup, Error::Kind::Tls, Error::Kind::NotHttp};

TEST(Webhook, HasFlaggersNames) {
  EXPECT_EQ(name(WebhookType::ConfirmRollout), "confirm-rollout");
  EXPECT_EQ(name(WebhookType::ConfirmTrafficIncrease), "confirm-traffic-increase");
  EXPECT_EQ(name(WebhookType::PostRollout), "post-rollout");
  EXPECT_EQ(name(WebhookType::Event), "event");
}

TEST(Webhook, SendsFlaggersPayload) {
  const WebhookPayload payload{"podinfo", "test", "Progressing", "85d557f47b", {{"test", "all"}, {"say", "\"hi\"\n"}}};
  const boost::json::value body = boost::json::parse(webhook_body(payload, {{"token", "16688eb5"}, {"test", "own"}}));
  EXPECT_EQ(body, boost::json::parse(R"({"name": "podinfo", "namespace": "test", "phase": "Progressing",
      "checksum": "85d557f47b", "metadata": {"token": "16688eb5", "test": "all", "say": "\"hi\"\n"}})"));
  EXPECT_EQ(boost::json::parse(webhook_body({"api"}, {})),
            boost::json::parse(R"({"name":"api","namespace":"tidegate","phase":"","checksum":"","metadata":{}})"));
}

TEST(Webhook, AConfirmationHoldsUntilItAnswers2xx) {
  for (const auto type : kConfirm) {
    expect(answered(type, 200), Verdict::Pass, "confirmed: the webhook answered 200");
    expect(answered(type, 403), Verdict::Inconclusive, "not confirmed yet: the webhook answered 403");
    EXPECT_EQ(answered(type, 500).verdict, Verdict::Inconclusive);
    for (const auto kind : kNoAnswer) expect(failed(type, kind), Verdict::Inconclusive, "not confirmed yet: why");
    for (const auto kind : kBroken) expect(failed(type, kind), Verdict::Error, "why");
  }
}

TEST(Webhook, ATestFailsWithAnotherStatusAndIsAnErrorWithoutOne) {
  for (const auto type : kTest) {
    expect(answered(type, 202), Verdict::Pass, "the webhook answered 202");
    expect(answered(type, 500), Verdict::Fail, "the webhook answered 500");
    EXPECT_EQ(answered(type, 404).verdict, Verdict::Fail);
    for (const auto kind : kNoAnswer) expect(failed(type, kind), Verdict::Error, "why");
    for (const auto kind : kBroken) EXPECT_EQ(failed(type, kind).verdict, Verdict::Error);
  }
}

TEST(Webhook, ARollbackIsAskedForBy2xxOnly) {
  const auto type = WebhookType::Rollback;
  expect(answered(type, 200), Verdict::Fail, "the webhook asks to roll back: answered 200");
  expect(answered(type, 403), Verdict::Pass, "the webhook does not ask to roll back: answered 403");
  EXPECT_EQ(answered(type, 500).verdict, Verdict::Pass);
  for (const auto kind : kNoAnswer) EXPECT_EQ(failed(type, kind).verdict, Verdict::Error);
  for (const auto kind : kBroken) EXPECT_EQ(failed(type, kind).verdict, Verdict::Error);
}

TEST(Webhook, WhoIsOnlyToldPassesWhateverItAnswersAndIsAnErrorWhenItWasNotTold) {
  for (const auto type : kTold) {
    for (const unsigned status : {200u, 302u, 404u, 500u}) EXPECT_EQ(answered(type, status).verdict, Verdict::Pass);
    expect(answered(type, 500), Verdict::Pass, "the webhook answered 500");
    for (const auto kind : kNoAnswer) expect(failed(type, kind), Verdict::Error, "not told: why");
    for (const auto kind : kBroken) EXPECT_EQ(failed(type, kind).verdict, Verdict::Error);
  }
}

TEST(Webhook, ARedirectIsAnErrorThatSaysSo) {
  for (const auto type : {WebhookType::ConfirmPromotion, WebhookType::Rollout, WebhookType::PreRollout,
                          WebhookType::Rollback}) {
    expect(answered(type, 307), Verdict::Error,
           "the webhook answered 307 (a redirect, and redirects are not followed)");
  }
}

TEST(Webhook, AnAnswerThatIsTooLargeIsJudgedByItsStatus) {
  EXPECT_EQ(webhook_answer(WebhookType::Rollout, Error{Error::Kind::TooLarge, "large", 200}).verdict, Verdict::Pass);
  EXPECT_EQ(webhook_answer(WebhookType::Rollout, Error{Error::Kind::TooLarge, "large", 500}).verdict, Verdict::Fail);
}

}  // namespace
}  // namespace tidegate::check
