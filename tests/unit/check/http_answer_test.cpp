#include "check/http_answer.h"

#include <gtest/gtest.h>

namespace tidegate::check {
namespace {

using gate::Verdict;
using outbound::Error;
using outbound::Response;
using outbound::Result;

const std::string kEndpoint = "10.0.0.1:8080";

HttpRequest request(std::vector<unsigned> expect = {}, std::string contains = {}) {
  return {"GET", "/health?token=secret", std::move(expect), std::move(contains)};
}
Result answered(unsigned status, std::string body = {}) { return Response{status, "text/plain", std::move(body)}; }
void expect(const Answer& answer, Verdict verdict, const std::string& sentence) {
  EXPECT_EQ(answer.verdict, verdict) << answer.sentence;
  EXPECT_EQ(answer.sentence, sentence);
}

TEST(HttpAnswer, PassesWithAny2xxUnlessToldOtherwise) {
  expect(http_answer(request(), kEndpoint, answered(204)), Verdict::Pass, "GET /health: 10.0.0.1:8080 answered 204");
  expect(http_answer(request({401, 302}), kEndpoint, answered(401)), Verdict::Pass,
         "GET /health: 10.0.0.1:8080 answered 401");
}

TEST(HttpAnswer, FailsWithAnotherStatus) {
  expect(http_answer(request(), kEndpoint, answered(503)), Verdict::Fail,
         "GET /health: 10.0.0.1:8080 answered 503, not 2xx");
  expect(http_answer(request({200, 204}), kEndpoint, answered(201)), Verdict::Fail,
         "GET /health: 10.0.0.1:8080 answered 201, not 200 or 204");
}

TEST(HttpAnswer, ARedirectFailsUnlessItIsExpected) {
  expect(http_answer(request(), kEndpoint, answered(302)), Verdict::Fail,
         "GET /health: 10.0.0.1:8080 answered 302 (a redirect, and redirects are not followed), not 2xx");
  EXPECT_EQ(http_answer(request({302}), kEndpoint, answered(302)).verdict, Verdict::Pass);
}

TEST(HttpAnswer, LooksForTextInTheBody) {
  expect(http_answer(request({}, "ready"), kEndpoint, answered(200, "db ready.")), Verdict::Pass,
         "GET /health: 10.0.0.1:8080 answered 200 with \"ready\"");
  expect(http_answer(request({}, "ready"), kEndpoint, answered(200, "starting")), Verdict::Fail,
         "GET /health: 10.0.0.1:8080 answered 200, but without \"ready\"");
}

TEST(HttpAnswer, NoAnswerFailsAsItDoesForCurl) {
  for (const auto kind : {Error::Kind::Connect, Error::Kind::Timeout, Error::Kind::Broken, Error::Kind::NotHttp}) {
    expect(http_answer(request(), kEndpoint, Error{kind, "cannot connect to 10.0.0.1:8080: connection refused"}),
           Verdict::Fail, "GET /health: cannot connect to 10.0.0.1:8080: connection refused");
  }
  EXPECT_EQ(http_answer(request(), kEndpoint, Error{Error::Kind::Setup, "x"}).verdict, Verdict::Error)
      << "nothing was asked";
  EXPECT_EQ(http_answer(request(), kEndpoint, Error{Error::Kind::Resolve, "x"}).verdict, Verdict::Inconclusive)
      << "a name server that is away says nothing of the side";
  EXPECT_EQ(http_answer(request(), kEndpoint, Error{Error::Kind::Local, "x"}).verdict, Verdict::Inconclusive)
      << "nor does a descriptor that is missing here";
}

TEST(HttpAnswer, ALargeAnswerIsJudgedByItsStatusWhereThatIsAllThatIsAsked) {
  const Result large = Error{Error::Kind::TooLarge, "the answer of http://10.0.0.1:8080 is larger than 1 MiB", 200};
  EXPECT_EQ(http_answer(request(), kEndpoint, large).verdict, Verdict::Pass);
  EXPECT_EQ(http_answer(request({204}), kEndpoint, large).verdict, Verdict::Fail);
  expect(http_answer(request({}, "ready"), kEndpoint, large), Verdict::Error,
         "GET /health: 10.0.0.1:8080 answered 200, but \"ready\" can't be looked for: the answer of "
         "http://10.0.0.1:8080 is larger than 1 MiB");
}

}  // namespace
}  // namespace tidegate::check
