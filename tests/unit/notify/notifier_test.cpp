// Notifications as they are told: real sockets, scripted servers; pauses are a millisecond, or an hour where a test must
// not depend on them.
#include "notify/notifier.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <future>

#include "outbound/test_server.h"

namespace tidegate::notify {
namespace {

using outbound::test::answer;
using outbound::test::DeadPort;
using outbound::test::hang;
using outbound::test::kLong;
using outbound::test::redirect;
using outbound::test::Reply;
using outbound::test::Seen;
using outbound::test::Server;
using namespace std::chrono_literals;

Limits quick() { return {.first_pause = 1ms, .longest_pause = 2ms}; }
Limits patient() { return {.first_pause = 1h, .longest_pause = 1h}; }

NotifyPolicy policy(const std::string& url, Format format = Format::Json) {
  NotifyPolicy out{{url}, format};
  out.on.fill(true);
  out.timeout = kLong;
  return out;
}
Message message(std::uint64_t epoch, Event event = Event::Step) { return {event, "api", "why", "rollout", epoch}; }

std::vector<std::int64_t> epochs(const std::vector<Seen>& seen) {
  std::vector<std::int64_t> out;
  for (const Seen& one : seen) out.push_back(boost::json::parse(one.body).at("epoch").to_number<std::int64_t>());
  return out;
}

/// Collects what the notifier says about failures.
class Failures {
 public:
  Target::OnFailure collect() {
    return [this](const Failure& failure) {
      const std::lock_guard lock(mutex_);
      all_.push_back(failure);
      changed_.notify_all();
    };
  }
  std::vector<Failure> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kLong, [&] { return all_.size() >= count; })) << "saw " << all_.size();
    return all_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Failure> all_;
};

TEST(Notifier, DeliversInOrder) {
  Server server(Server::always(answer(200, "ok", "text/plain")));
  Notifier notifier({policy(server.url("/services/T0/secret"))});
  for (std::uint64_t epoch = 1; epoch <= 50; ++epoch) notifier.tell(message(epoch));
  const auto seen = server.wait_for(50);
  for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ(epochs(seen)[i], static_cast<std::int64_t>(i + 1));
  EXPECT_EQ(seen[0].first_line(), "POST /services/T0/secret HTTP/1.1");
  EXPECT_TRUE(seen[0].has("Content-Type: application/json"));
  notifier.stop();
  const TargetStats stats = notifier.stats().at(0);
  EXPECT_EQ(stats.origin, "http://" + server.endpoint());
  EXPECT_EQ(stats.delivered, 50u);
  EXPECT_EQ(stats.failed + stats.dropped + stats.retries + stats.pending, 0u);
  EXPECT_EQ(stats.last_error, "");
}

TEST(Notifier, WritesWhatTheTargetTakesWithItsHeaders) {
  Server server(Server::always(answer(200, "ok")));
  NotifyPolicy slack = policy(server.url(), Format::Slack);
  slack.destination.headers = {{"Authorization", "Bearer t"}};
  Notifier notifier({slack});
  notifier.tell(message(7, Event::Reverted));
  const Seen seen = server.wait_for(1).at(0);
  EXPECT_EQ(seen.body, slack_body(message(7, Event::Reverted)));
  EXPECT_TRUE(seen.has("Authorization: Bearer t"));
}

TEST(Notifier, TellsEachTargetWhatItWantsToHear) {
  Server one(Server::always(answer(200, ""))), two(Server::always(answer(200, "")));
  NotifyPolicy reverts = policy(one.url());
  reverts.on.fill(false);
  reverts.on[static_cast<std::size_t>(Event::Reverted)] = true;
  Notifier notifier({reverts, policy(two.url())});
  notifier.tell(message(1, Event::Step));
  notifier.tell(message(2, Event::Reverted));
  notifier.stop();
  EXPECT_EQ(epochs(one.seen()), (std::vector<std::int64_t>{2}));
  EXPECT_EQ(epochs(two.seen()), (std::vector<std::int64_t>{1, 2}));
}

TEST(Notifier, TriesAgainAndNothingOvertakes) {
  Server server(Server::in_turn({answer(503, ""), {}, answer(429, ""), answer(200, "")}));
  Failures failures;
  Notifier notifier({policy(server.url())}, failures.collect(), quick());
  notifier.tell(message(1));
  notifier.tell(message(2));
  EXPECT_EQ(epochs(server.wait_for(5)), (std::vector<std::int64_t>{1, 1, 1, 1, 2}));
  const auto said = failures.wait_for(3);
  EXPECT_EQ(said[0].why, "http://" + server.endpoint() + " answered 503");
  EXPECT_EQ(said[1].why, "http://" + server.endpoint() + " ended the connection without an answer");
  EXPECT_EQ(said[2].attempt, 3u);
  EXPECT_FALSE(said[2].given_up);
  notifier.stop();
  EXPECT_EQ(notifier.stats()[0].delivered, 2u);
  EXPECT_EQ(notifier.stats()[0].retries, 3u);
  EXPECT_EQ(notifier.stats()[0].last_error, "");
}

TEST(Notifier, GivesUpAfterItsAttemptsAndGoesOn) {
  Server server([](const Seen& seen) { return answer(epochs({seen})[0] == 1 ? 500 : 200, ""); });
  Failures failures;
  Notifier notifier({policy(server.url("/secret?token"))}, failures.collect(), quick());
  notifier.tell(message(1));
  notifier.tell(message(2));
  EXPECT_EQ(epochs(server.wait_for(11)), (std::vector<std::int64_t>{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2}));
  const Failure last = failures.wait_for(10).back();
  EXPECT_TRUE(last.given_up);
  EXPECT_EQ(last.attempt, 10u);
  EXPECT_EQ(last.origin, "http://" + server.endpoint());
  EXPECT_EQ(last.why, "http://" + server.endpoint() + " answered 500");
  notifier.stop();
  EXPECT_EQ(notifier.stats()[0].failed, 1u);
  EXPECT_EQ(notifier.stats()[0].retries, 9u);
  EXPECT_EQ(notifier.stats()[0].delivered, 1u);
}

TEST(Notifier, DoesNotTryAgainWhatIsRefused) {
  Server server(Server::in_turn({answer(404, ""), redirect("http://a/"), answer(200, "")}));
  Failures failures;
  Notifier notifier({policy(server.url())}, failures.collect(), patient());
  for (std::uint64_t epoch = 1; epoch <= 3; ++epoch) notifier.tell(message(epoch));
  EXPECT_EQ(epochs(server.wait_for(3)), (std::vector<std::int64_t>{1, 2, 3}));
  for (const Failure& one : failures.wait_for(2)) EXPECT_TRUE(one.given_up) << one.why;
  notifier.stop();
  EXPECT_EQ(notifier.stats()[0].failed, 2u);
}

TEST(Notifier, DropsTheOldestThatWaitBeyondTheBound) {
  std::promise<void> go;
  Server server([held = go.get_future().share()](const Seen&) {
    held.wait();
    return answer(200, "");
  });
  Limits limits = quick();
  limits.pending = 3;
  Notifier notifier({policy(server.url())}, {}, limits);
  notifier.tell(message(1));
  // The first is being delivered when it does not count for the bound any more.
  for (std::uint64_t epoch = 2; epoch <= 4; ++epoch) notifier.tell(message(epoch));
  std::uint64_t last = 4;
  while (notifier.stats()[0].dropped < 3) notifier.tell(message(++last));
  EXPECT_LE(notifier.stats()[0].pending, 4u);
  go.set_value();
  notifier.stop();
  const TargetStats stats = notifier.stats()[0];
  EXPECT_EQ(stats.delivered + stats.dropped, last);
  EXPECT_EQ(stats.pending, 0u);
  EXPECT_EQ(epochs(server.seen()).back(), static_cast<std::int64_t>(last)) << "the newest is kept";
}

TEST(Notifier, ATargetThatHangsDelaysNoOther) {
  Server silent(Server::always(hang())), server(Server::always(answer(200, "")));
  Limits limits = patient();
  limits.flush = 20ms;
  Notifier notifier({policy(silent.url()), policy(server.url())}, {}, limits);
  notifier.tell(message(1));
  notifier.tell(message(2));
  silent.wait_for(1);
  EXPECT_EQ(epochs(server.wait_for(2)), (std::vector<std::int64_t>{1, 2}));
}

TEST(Notifier, EndsAHangingAttemptAtItsDeadline) {
  Server server(Server::in_turn({hang(), answer(200, "")}));
  NotifyPolicy impatient = policy(server.url());
  impatient.timeout = 30ms;
  Failures failures;
  Notifier notifier({impatient}, failures.collect(), quick());
  notifier.tell(message(1));
  server.wait_for(2);
  const std::string why = failures.wait_for(1)[0].why;
  EXPECT_NE(why.find(server.endpoint() + " within 30 ms"), std::string::npos) << why;
}

TEST(Notifier, StopTriesWhatWaitsForItsPauseOnceMore) {
  Server server(Server::in_turn({answer(503, ""), answer(200, "")}));
  Failures failures;
  Notifier notifier({policy(server.url())}, failures.collect(), patient());
  for (std::uint64_t epoch = 1; epoch <= 3; ++epoch) notifier.tell(message(epoch));
  failures.wait_for(1);
  notifier.stop();
  EXPECT_EQ(epochs(server.seen()), (std::vector<std::int64_t>{1, 1, 2, 3}));
  EXPECT_EQ(notifier.stats()[0].delivered, 3u);
}

TEST(Notifier, StopTriesNothingTwice) {
  const DeadPort dead;
  Failures failures;
  Notifier notifier({policy(dead.url())}, failures.collect(), patient());
  for (std::uint64_t epoch = 1; epoch <= 3; ++epoch) notifier.tell(message(epoch));
  failures.wait_for(1);
  notifier.stop();
  EXPECT_EQ(failures.wait_for(4).size(), 4u);
  EXPECT_EQ(notifier.stats()[0].failed, 3u);
  EXPECT_EQ(notifier.stats()[0].last_error, "cannot connect to " + dead.endpoint() + ": connection refused");
}

TEST(Notifier, StopDoesNotWaitForWhoHangs) {
  Server server(Server::always(hang()));
  Limits limits = patient();
  limits.flush = 20ms;
  Notifier notifier({policy(server.url())}, {}, limits);
  for (std::uint64_t epoch = 1; epoch <= 3; ++epoch) notifier.tell(message(epoch));
  server.wait_for(1);
  notifier.stop();
  notifier.tell(message(4));
  const TargetStats stats = notifier.stats()[0];
  EXPECT_EQ(stats.dropped, 3u);
  EXPECT_EQ(stats.pending, 0u);
  EXPECT_EQ(server.seen().size(), 1u);
}

TEST(Notifier, MessagesForAUrlThatIsNoneFail) {
  Failures failures;
  Notifier notifier({policy("ftp://user:secret@a/")}, failures.collect(), quick());
  notifier.tell(message(1));
  EXPECT_EQ(failures.wait_for(1)[0].why, "the URL of a notification: only http:// and https:// are spoken");
  notifier.stop();
  EXPECT_EQ(notifier.stats()[0].failed, 1u);
}

TEST(Notifier, WithoutTargetsTellsNobody) {
  Notifier notifier({});
  notifier.tell(message(1));
  EXPECT_TRUE(notifier.stats().empty());
}

TEST(Notifier, TakesMessagesFromSeveralThreads) {
  Server server(Server::always(answer(200, "")));
  Notifier notifier({policy(server.url())});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < 25; ++i) notifier.tell(message(i));
    });
  }
  for (std::thread& one : threads) one.join();
  server.wait_for(100);
  notifier.stop();
  EXPECT_EQ(notifier.stats()[0].delivered, 100u);
}

}  // namespace
}  // namespace tidegate::notify
