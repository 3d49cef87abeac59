#include "outbound/client_fixture.h"

namespace tidegate::outbound::test {
namespace {

using Kind = Error::Kind;
using namespace std::chrono_literals;

TEST_F(ClientTest, SendsTheRequestAndReturnsTheAnswer) {
  Server server(Server::always(answer(201, "{}", "application/json; charset=utf-8")));
  Request request = get(server.url("/a/b?c=d"));
  request.method = "POST";
  request.content_type = "application/json";
  request.body = "{\"x\":1}";
  request.headers = {{"Authorization", "Bearer t"}, {"accept", "text/plain"}};
  const Result result = ask(request);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->status, 201u);
  EXPECT_EQ(result->body, "{}");
  EXPECT_EQ(result->content_type, "application/json; charset=utf-8");
  const Seen seen = server.seen().at(0);
  EXPECT_EQ(seen.first_line(), "POST /a/b?c=d HTTP/1.1");
  EXPECT_TRUE(seen.has("Host: " + server.endpoint())) << seen.head;
  EXPECT_TRUE(seen.has("User-Agent: tidegate/" TIDEGATE_VERSION)) << seen.head;
  EXPECT_TRUE(seen.has("Content-Type: application/json")) << seen.head;
  EXPECT_TRUE(seen.has("Authorization: Bearer t")) << seen.head;
  EXPECT_TRUE(seen.has("accept: text/plain")) << seen.head;
  EXPECT_TRUE(seen.has("Connection: close")) << seen.head;
  EXPECT_EQ(seen.body, "{\"x\":1}");
}

TEST_F(ClientTest, SendsTheHostThatItIsGiven) {
  Server server(Server::always(answer(200, "")));
  Request request = get(server.url());
  request.host = "api.example.com";
  EXPECT_TRUE(ask(request));
  EXPECT_TRUE(server.seen().at(0).has("Host: api.example.com"));
}

TEST_F(ClientTest, ReadsEveryFramingOfABody) {
  const std::string chunks = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  Server server(Server::in_turn({{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks},
                                 {"HTTP/1.0 200 OK\r\n\r\nto the end"},
                                 {"HTTP/1.1 204 No Content\r\n\r\n"},
                                 {"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}}));
  EXPECT_EQ(ask(server.url()).value().body, "abcde");
  EXPECT_EQ(ask(server.url()).value().body, "to the end");
  EXPECT_EQ(ask(server.url()).value().status, 204u);
  EXPECT_EQ(ask(server.url()).value().body, "ok");
}

TEST_F(ClientTest, DoesNotWaitForTheBodyOfAHead) {
  Server server(Server::always({"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", Reply::Then::Hang}));
  Request request = get(server.url());
  request.method = "HEAD";
  EXPECT_EQ(ask(request).value().status, 200u);
}

TEST_F(ClientTest, DoesNotFollowRedirects) {
  Server other(Server::always(answer(200, "")));
  Server server(Server::always(redirect(other.url())));
  const Result result = ask(server.url());
  EXPECT_EQ(result.value().status, 302u);
  EXPECT_TRUE(other.seen().empty());
  EXPECT_EQ(say_status(302), "answered 302 (a redirect, and redirects are not followed)");
}

TEST_F(ClientTest, SaysThatAConnectionWasRefused) {
  const DeadPort dead;
  expect_error(ask(dead.url("/secret?token=x")), Kind::Connect,
               "cannot connect to " + dead.endpoint() + ": connection refused");
}

TEST_F(ClientTest, SaysThatANameHasNoAddress) {
  const auto lookup = [](const std::string& host) { return Lookup::Found{{}, "Name or service not known: " + host}; };
  expect_error(ask(get("http://prometheus:9090/"), lookup), Kind::Resolve,
               "cannot resolve prometheus: name or service not known: prometheus");
}

TEST_F(ClientTest, TriesTheNextAddressOfAName) {
  Server server(Server::always(answer(200, "here")));
  const auto lookup = [](const std::string&) {
    return Lookup::Found{{asio::ip::make_address("::1"), asio::ip::make_address("127.0.0.1")}, {}};
  };
  EXPECT_EQ(ask(get("http://two:" + std::to_string(server.port()) + "/"), lookup).value().body, "here");
}

TEST_F(ClientTest, ResolvesNamesOfTheSystem) {
  Server server(Server::always(answer(200, "here")));
  EXPECT_EQ(ask("http://localhost:" + std::to_string(server.port()) + "/").value().body, "here");
}

TEST_F(ClientTest, EndsAHangingRequestAtItsDeadline) {
  Server server(Server::in_turn({hang(), {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", Reply::Then::Hang}}));
  const Request request = get(server.url("/x?secret"));
  expect_late(request, "no answer from http://" + server.endpoint());
  expect_late(request, "no answer from http://" + server.endpoint());
}

/// A name server that says nothing until the test ends.
class SilentNames {
 public:
  Lookup::Ask ask() {
    return [state = state_](const std::string&) {
      std::unique_lock lock(state->mutex);
      state->changed.wait(lock, [&] { return state->released; });
      return Lookup::Found{{}, "late"};
    };
  }
  ~SilentNames() {
    const std::lock_guard lock(state_->mutex);
    state_->released = true;
    state_->changed.notify_all();
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool released = false;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

TEST_F(ClientTest, ASilentNameServerIsADeadlineToo) {
  SilentNames names;
  Request request = get("http://prometheus:9090/");
  request.timeout = 30ms;
  expect_error(ask(request, names.ask()), Kind::Resolve, "cannot resolve prometheus within 30 ms");
}

TEST_F(ClientTest, ASilentNameDelaysNoOtherOne) {
  SilentNames names;
  Server server(Server::always(answer(200, "quick")));
  const auto lookup = [silent = names.ask()](const std::string& host) {
    return host == "slow" ? silent(host) : Lookup::system_lookup(host);
  };
  asio::io_context io(1);
  Client client(io, lookup);
  std::string got;
  client.ask(get("http://slow/"), [](Result) { ADD_FAILURE() << "answered"; });
  client.ask(get("http://localhost:" + std::to_string(server.port()) + "/"), [&](Result result) {
    got = result ? result->body : result.error().message;
    client.stop();
  });
  io.run();
  EXPECT_EQ(got, "quick");
}

TEST_F(ClientTest, RefusesMoreLookupsThanItsBound) {
  SilentNames names;
  asio::io_context io(1);
  Client client(io, names.ask());
  std::string refused;
  for (std::size_t i = 0; i <= kLookups; ++i) {
    client.ask(get("http://name/"), [&](Result result) {
      refused = result ? "answered" : result.error().message;
      client.stop();
    });
  }
  io.run();
  EXPECT_EQ(refused, "cannot resolve name: too many names are being looked up");
}

TEST_F(ClientTest, RefusesAnAnswerOverItsBound) {
  Server server(Server::in_turn({answer(200, std::string(10'000'000, 'x')),
                                 {"HTTP/1.0 503 X\r\n\r\n" + std::string(10'000'000, 'x')}}));
  const Result by_length = ask(server.url("/?secret"));
  expect_error(by_length, Kind::TooLarge, "the answer of http://" + server.endpoint() + " is larger than 1 MiB");
  EXPECT_EQ(by_length.error().status, 200u);
  const Result by_count = ask(server.url());
  expect_error(by_count, Kind::TooLarge, "the answer of http://" + server.endpoint() + " is larger than 1 MiB");
  EXPECT_EQ(by_count.error().status, 503u);
}

TEST_F(ClientTest, TakesAnAnswerAtItsBound) {
  Server server(Server::always(answer(200, std::string(kAnswerBytes, 'x'))));
  EXPECT_EQ(ask(server.url()).value().body.size(), kAnswerBytes);
}

TEST_F(ClientTest, RefusesAHeadOverItsBound) {
  Server server(Server::always({"HTTP/1.1 200 OK\r\nX: " + std::string(200'000, 'x') + "\r\n\r\n"}));
  expect_error(ask(server.url()), Kind::TooLarge,
               "the head of the answer of http://" + server.endpoint() + " is larger than 16 KiB");
}

TEST_F(ClientTest, SaysHowAConnectionEnded) {
  Server server(Server::in_turn({{}, {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"}, reset()}));
  const std::string origin = "http://" + server.endpoint();
  expect_error(ask(server.url()), Kind::Broken, origin + " ended the connection without an answer");
  expect_error(ask(server.url()), Kind::Broken, origin + " ended the connection in the middle of its answer");
  expect_error(ask(server.url()), Kind::Broken, "the connection to " + origin + " broke: connection reset by peer");
}

TEST_F(ClientTest, SaysWhatIsNotHttp) {
  Server server(Server::in_turn({{"SSH-2.0-OpenSSH_9.2\r\n", Reply::Then::Hang},
                                 {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc"}}));
  for (int i = 0; i < 2; ++i) {
    const Result result = ask(server.url());
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, Kind::NotHttp);
    EXPECT_EQ(result.error().message.find("what http://" + server.endpoint() + " answered is not HTTP: "), 0u)
        << result.error().message;
  }
}

TEST_F(ClientTest, InterimAnswersThatNeverEndAreAnError) {
  std::string bytes;
  for (std::size_t i = 0; i <= kInterimAnswers; ++i) bytes += "HTTP/1.1 103 Early Hints\r\n\r\n";
  Server server(Server::always({bytes, Reply::Then::Hang}));
  expect_error(ask(server.url()), Kind::NotHttp,
               "what http://" + server.endpoint() + " answered is not HTTP: it never ends");
}

TEST_F(ClientTest, DoesNotSendWhatBreaksTheHead) {
  Server server(Server::always(answer(200, "")));
  Request method = get(server.url()), host = get(server.url());
  method.method = "GET / HTTP/1.1\r\nX:";
  host.host = "a\r\nX: y";
  expect_error(ask(method), Kind::Setup, "the method for http://" + server.endpoint() + " has bytes that can't be sent");
  expect_error(ask(host), Kind::Setup, "the host for http://" + server.endpoint() + " has bytes that can't be sent");
  Request request = get(server.url());
  request.headers = {{"Authorization", "Bearer secret\n"}};
  expect_error(ask(request), Kind::Setup,
               "the header \"Authorization\" for http://" + server.endpoint() + " has bytes that can't be sent");
  EXPECT_TRUE(server.seen().empty());
}

TEST_F(ClientTest, AsksSeveralAtOnce) {
  Server server([](const Seen& seen) { return answer(200, seen.first_line()); });
  asio::io_context io(1);
  Client client(io);
  std::set<std::string> got;
  for (int i = 0; i < 20; ++i) {
    client.ask(get(server.url("/" + std::to_string(i))), [&](Result result) { got.insert(result.value().body); });
  }
  EXPECT_EQ(client.in_flight(), 20u);
  io.run();
  EXPECT_EQ(got.size(), 20u);
}

TEST_F(ClientTest, CallsNobodyAfterStop) {
  Server server(Server::always(hang()));
  asio::io_context io(1);
  Client client(io);
  for (int i = 0; i < 3; ++i) client.ask(get(server.url()), [](Result) { ADD_FAILURE() << "answered"; });
  std::thread watcher([&] {
    server.wait_for(3);
    asio::post(io, [&] {
      client.stop();
      client.ask(get(server.url()), [](Result) { ADD_FAILURE() << "answered"; });
    });
  });
  io.run();
  watcher.join();
  EXPECT_EQ(client.in_flight(), 0u);
}

TEST_F(ClientTest, MayBeEndedByWhomItCallsBack) {
  Server server(Server::always(answer(200, "")));
  asio::io_context io(1);
  auto client = std::make_unique<Client>(io);
  client->ask(get(server.url()), [&](Result) { client.reset(); });
  client->ask(get("http://localhost:1/"), [](Result) {});
  io.run();
  EXPECT_EQ(client, nullptr);
}

TEST_F(ClientTest, MayGoWithRequestsInFlightThatNobodyRuns) {
  Server server(Server::always(hang()));
  asio::io_context io(1);
  Client client(io);
  client.ask(get(server.url()), [](Result) { ADD_FAILURE() << "answered"; });
  io.poll();
}

}  // namespace
}  // namespace tidegate::outbound::test
