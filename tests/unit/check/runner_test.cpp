// Checks as they are asked: real sockets, scripted servers.
#include "check/runner.h"

#include <gtest/gtest.h>

#include <future>

#include "outbound/test_server.h"

namespace tidegate::check {
namespace {

using gate::Verdict;
using outbound::test::answer;
using outbound::test::DeadPort;
using outbound::test::hang;
using outbound::test::kLong;
using outbound::test::redirect;
using outbound::test::Reply;
using outbound::test::reset;
using outbound::test::Seen;
using outbound::test::Server;
using namespace std::chrono_literals;

const std::string kGood = R"({"status":"success","data":{"resultType":"scalar","result":[1,"0.001"]}})";

class CheckRunner : public testing::Test {
 protected:
  template <class What>
  static Question question(What what, std::uint32_t retries = 0, Duration timeout = kLong) {
    auto policy = std::make_shared<CheckPolicy>();
    policy->name = "one";
    policy->what = std::move(what);
    policy->retries = retries;
    policy->timeout = timeout;
    return {std::move(policy)};
  }
  static Question prometheus(const std::string& url, std::uint32_t retries = 0, Duration timeout = kLong) {
    return question(PrometheusCheck{{url}, "rate(errors[5m])", std::nullopt, 0.01}, retries, timeout);
  }
  static Question webhook(const std::string& url, WebhookType type, std::uint32_t retries = 0) {
    return question(WebhookCheck{{url}, type}, retries);
  }
  static Question smoke(std::vector<HttpRequest> requests, std::vector<const Server*> servers) {
    Question out = question(HttpCheck{std::move(requests)});
    for (const Server* server : servers) out.endpoints.emplace_back("127.0.0.1", server->port());
    return out;
  }
  Answer ask(Question question) {
    std::promise<Answer> promise;
    runner_.ask(std::move(question), [&](Answer answer) { promise.set_value(std::move(answer)); });
    return promise.get_future().get();
  }
  void expect(Question question, Verdict verdict, const std::string& sentence) {
    const Answer got = ask(std::move(question));
    EXPECT_EQ(got.verdict, verdict) << got.sentence;
    EXPECT_EQ(got.sentence, sentence);
  }

  Runner runner_;
};

TEST_F(CheckRunner, AsksPrometheusForAnInstant) {
  Server server(Server::always(answer(200, kGood)));
  Question asked = question(PrometheusCheck{{server.url("/base/?tenant=1"), {}, {{"Authorization", "Bearer t"}}},
                                            "rate(errors{code=\"500\"}[5m]) + 1", std::nullopt, 0.01}, 0, 5s);
  expect(asked, Verdict::Pass, "the value is 0.001, at most 0.01 is wanted");
  const Seen seen = server.seen().at(0);
  EXPECT_EQ(seen.first_line(),
            "GET /base/api/v1/query?tenant=1&query=rate%28errors%7Bcode%3D%22500%22%7D%5B5m%5D%29%20%2B%201"
            "&timeout=5000ms HTTP/1.1");
  EXPECT_TRUE(seen.has("Authorization: Bearer t"));
}

TEST_F(CheckRunner, SaysWhyPrometheusGaveNoAnswer) {
  const DeadPort dead;
  expect(prometheus(dead.url()), Verdict::Inconclusive,
         "cannot connect to " + dead.endpoint() + ": connection refused");
  Server server(Server::always(hang()));
  const Answer late = ask(prometheus(server.url(), 0, 30ms));
  EXPECT_EQ(late.verdict, Verdict::Inconclusive);
  EXPECT_NE(late.sentence.find(server.endpoint() + " within 30 ms"), std::string::npos) << late.sentence;
}

TEST_F(CheckRunner, WhatPrometheusCannotMeanIsAnError) {
  Server large(Server::always(answer(200, std::string(10'000'000, ' '))));
  expect(prometheus(large.url()), Verdict::Error, "the answer of http://" + large.endpoint() + " is larger than 1 MiB");
  Server login(Server::always(redirect("https://login.example.com/?secret")));
  expect(prometheus(login.url()), Verdict::Error, "answered 302 (a redirect, and redirects are not followed)");
  Server page(Server::always(answer(200, "<html>", "text/html")));
  expect(prometheus(page.url()), Verdict::Error, "answered 200 with HTML, not JSON: is that the URL of Prometheus?");
  expect(prometheus("ftp://user:secret@a/"), Verdict::Error,
         "the URL of Prometheus: only http:// and https:// are spoken");
}

TEST_F(CheckRunner, AsksAgainAtOnceWhenNoAnswerCame) {
  Server server(Server::in_turn({{}, reset(), answer(200, kGood)}));
  EXPECT_EQ(ask(prometheus(server.url(), 2)).verdict, Verdict::Pass);
  EXPECT_EQ(server.seen().size(), 3u);
}

TEST_F(CheckRunner, AsksNoMoreOftenThanRetriesSay) {
  Server server(Server::always({}));
  expect(prometheus(server.url(), 1), Verdict::Inconclusive,
         "http://" + server.endpoint() + " ended the connection without an answer (2 attempts)");
  EXPECT_EQ(server.seen().size(), 2u);
}

TEST_F(CheckRunner, DoesNotAskAgainAfterAnAnswer) {
  Server server(Server::always(answer(500, "")));
  EXPECT_EQ(ask(webhook(server.url(), WebhookType::Rollout, 5)).verdict, Verdict::Fail);
  EXPECT_EQ(server.seen().size(), 1u);
}

TEST_F(CheckRunner, TellsAWebhookOfTheRollout) {
  Server server(Server::always(answer(200, "")));
  Question asked = question(WebhookCheck{{server.url("/gate")}, WebhookType::ConfirmRollout, {{"cmd", "run"}}});
  asked.payload = {"api", "tidegate", "Progressing", "e12", {}};
  expect(asked, Verdict::Pass, "confirmed: the webhook answered 200");
  const Seen seen = server.seen().at(0);
  EXPECT_EQ(seen.first_line(), "POST /gate HTTP/1.1");
  EXPECT_TRUE(seen.has("Content-Type: application/json"));
  EXPECT_EQ(seen.body, webhook_body(asked.payload, {{"cmd", "run"}}));
}

TEST_F(CheckRunner, SmokesEveryEndpointWithEveryRequest) {
  Server one(Server::always(answer(200, "ok"))), two(Server::always(answer(200, "ok")));
  Question asked = smoke({{"GET", "/health"}, {"POST", "/ready?deep=1"}}, {&one, &two});
  asked.host = "api.example.com";
  expect(asked, Verdict::Pass, "all 4 requests to 2 endpoints passed");
  for (Server* server : {&one, &two}) {
    const auto seen = server->seen();
    ASSERT_EQ(seen.size(), 2u);
    EXPECT_EQ(seen[0].first_line(), "GET /health HTTP/1.1");
    EXPECT_EQ(seen[1].first_line(), "POST /ready?deep=1 HTTP/1.1");
    EXPECT_TRUE(seen[0].has("Host: api.example.com"));
  }
  expect(smoke({{"GET", "/health"}}, {&one}), Verdict::Pass, "GET /health: " + one.endpoint() + " answered 200");
}

TEST_F(CheckRunner, TheFirstSmokeThatFailsDecides) {
  Server one(Server::in_turn({answer(200, ""), answer(503, "")})), two(Server::always(answer(200, "")));
  expect(smoke({{"GET", "/a"}, {"GET", "/b"}}, {&one, &two}), Verdict::Fail,
         "GET /b: " + one.endpoint() + " answered 503, not 2xx");
  EXPECT_TRUE(two.seen().empty());
}

TEST_F(CheckRunner, SmokesASideThatIsDown) {
  const DeadPort dead;
  Question asked = question(HttpCheck{{{"GET", "/health"}}}, 1);
  asked.endpoints.emplace_back("127.0.0.1", dead.port());
  expect(asked, Verdict::Fail,
         "GET /health: cannot connect to " + dead.endpoint() + ": connection refused (2 attempts)");
}

TEST_F(CheckRunner, TheHostOfTheCheckWins) {
  Server server(Server::always(answer(200, "")));
  Question asked = question(HttpCheck{{{"GET", "/"}}, Side::New, "check.example.com"});
  asked.endpoints.emplace_back("127.0.0.1", server.port());
  asked.host = "api.example.com";
  EXPECT_EQ(ask(asked).verdict, Verdict::Pass);
  EXPECT_TRUE(server.seen().at(0).has("Host: check.example.com"));
}

TEST_F(CheckRunner, NothingToAskIsAnError) {
  expect(question(HttpCheck{{{"GET", "/"}}}), Verdict::Error, "the side has no endpoint");
  Server server(Server::always(answer(200, "")));
  expect(smoke({}, {&server}), Verdict::Error, "the check has no request");
  for (const char* path : {"", "health", "/a b", "/a\r\nX: y"}) {
    EXPECT_EQ(ask(smoke({{"GET", path}}, {&server})).verdict, Verdict::Error) << path;
  }
  EXPECT_TRUE(server.seen().empty());
}

TEST_F(CheckRunner, RefusesMoreQuestionsThanItsBound) {
  Server server(Server::always(hang()));
  for (std::size_t i = 0; i < Runner::kQuestions; ++i) {
    runner_.ask(prometheus(server.url()), [](Answer got) { ADD_FAILURE() << got.sentence; });
  }
  expect(prometheus(server.url()), Verdict::Error, "too many checks wait: 64 have no answer yet");
  runner_.stop();
}

TEST_F(CheckRunner, MayBeAskedAgainByWhoItAnswers) {
  Server server(Server::always(answer(200, kGood)));
  std::promise<Answer> second;
  runner_.ask(prometheus(server.url()), [&](Answer) {
    runner_.ask(prometheus(server.url()), [&](Answer got) { second.set_value(std::move(got)); });
  });
  EXPECT_EQ(second.get_future().get().verdict, Verdict::Pass);
}

TEST_F(CheckRunner, AnswersNobodyAfterStop) {
  Server server(Server::always(hang()));
  for (int i = 0; i < 3; ++i) {
    runner_.ask(prometheus(server.url()), [](Answer got) { ADD_FAILURE() << got.sentence; });
  }
  server.wait_for(3);
  runner_.stop();
  runner_.stop();
  runner_.ask(prometheus(server.url()), [](Answer got) { ADD_FAILURE() << got.sentence; });
}

TEST_F(CheckRunner, StopsWhileQuestionsCome) {
  Server server(Server::always(answer(200, kGood)));
  std::thread asker([&] {
    for (int i = 0; i < 200; ++i) runner_.ask(prometheus(server.url()), [](const Answer&) {});
  });
  server.wait_for(5);
  runner_.stop();
  asker.join();
}

}  // namespace
}  // namespace tidegate::check
