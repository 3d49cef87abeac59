// A client whose io_context turns on the test's own thread.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <optional>
#include <string>

#include "outbound/client.h"
#include "outbound/test_server.h"

namespace tidegate::outbound::test {

class ClientTest : public testing::Test {
 protected:
  static Request get(const std::string& url) {
    Request request;
    request.url = parse_url(url).value();
    request.timeout = kLong;
    return request;
  }
  static Result ask(const Request& request, const Lookup::Ask& lookup = Lookup::system_lookup) {
    asio::io_context io(1);
    Client client(io, lookup);
    std::optional<Result> out;
    client.ask(request, [&](Result result) {
      EXPECT_FALSE(out) << "called back twice";
      out = std::move(result);
    });
    EXPECT_FALSE(out) << "called back inside ask()";
    io.run();
    EXPECT_EQ(client.in_flight(), 0u);
    return out ? *out : Result(Error{Error::Kind::Setup, "never called back"});
  }
  static Result ask(const std::string& url) { return ask(get(url)); }
  /// The deadline comes in the phase that the message begins with. On a busy machine a short one may come before; then
  /// a longer one is tried.
  static void expect_late(Request request, const std::string& begin) {
    request.timeout = std::chrono::milliseconds(30);
    Result result = ask(request);
    while (!result && result.error().message.find(begin) != 0 && request.timeout < kLong) {
      request.timeout *= 2;
      result = ask(request);
    }
    expect_error(result, Error::Kind::Timeout, begin + " within " + say_duration(request.timeout));
  }
  static void expect_error(const Result& result, Error::Kind kind, const std::string& message) {
    ASSERT_FALSE(result) << "answered " << result->status;
    EXPECT_EQ(result.error().kind, kind);
    EXPECT_EQ(result.error().message, message);
  }
};

}  // namespace tidegate::outbound::test
