#include "observe/access_line.h"

#include <gtest/gtest.h>

#include <array>
#include <boost/json.hpp>
#include <limits>
#include <string>
#include <vector>

#include "scratch.h"

namespace tidegate::observe {
namespace {

using namespace std::chrono_literals;

std::string format(const AccessRecord& record, std::size_t room = kAccessLineBytes) {
  std::string line(room, '?');
  line.resize(format_access_line(record, line));
  return line;
}

/// What a reader of the log gets.
boost::json::object parsed(const AccessRecord& record, std::size_t room = kAccessLineBytes) {
  const std::string line = format(record, room);
  EXPECT_FALSE(line.empty());
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  boost::system::error_code error;
  boost::json::value value = boost::json::parse(line.substr(0, line.size() - 1), error);
  EXPECT_FALSE(error) << line;
  return error ? boost::json::object() : value.as_object();
}

AccessRecord full() {
  AccessRecord record;
  record.start_time_ms = 1'785'501'296'007;
  record.method = "POST";
  record.path = "/api?x=1";
  record.protocol = "HTTP/1.1";
  record.response_code = 502;
  record.response_flags = "UF";
  record.bytes_received = 12;
  record.bytes_sent = std::numeric_limits<std::uint64_t>::max();
  record.duration = 1'234'567ns;
  record.upstream_service_time = 12ms;
  record.x_forwarded_for = "192.0.2.1";
  record.user_agent = "curl/8";
  record.request_id = "id";
  record.authority = "api.example.com";
  record.upstream_host = "10.0.0.1:80";
  record.upstream_cluster = "new";
  record.route_name = "api";
  record.downstream_remote_address = "192.0.2.1:50000";
  record.side = "new";
  record.epoch = 7;
  record.reason = "weight";
  record.mirrored = true;
  record.trace_id = "4bf92f35";
  return record;
}

TEST(AccessLine, HasTheFieldsOfTheContractInTheirOrder) {
  EXPECT_EQ(format(full()),
            R"({"start_time":"2026-07-31T12:34:56.007Z","method":"POST","path":"/api?x=1","protocol":"HTTP/1.1",)"
            R"("response_code":502,"response_flags":"UF","bytes_received":12,"bytes_sent":18446744073709551615,)"
            R"("duration":1.234,"upstream_service_time":12,"x_forwarded_for":"192.0.2.1","user_agent":"curl/8",)"
            R"("request_id":"id","authority":"api.example.com","upstream_host":"10.0.0.1:80","upstream_cluster":"new",)"
            R"("route_name":"api","downstream_remote_address":"192.0.2.1:50000","side":"new","epoch":7,)"
            R"("reason":"weight","mirrored":true,"trace_id":"4bf92f35"})"
            "\n");
}

TEST(AccessLine, WhatIsNotKnownIsNullAndEveryFieldIsThere) {
  const boost::json::object line = parsed(AccessRecord());
  EXPECT_EQ(line.size(), parsed(full()).size());
  for (const char* field : {"method", "path", "protocol", "response_flags", "upstream_service_time", "x_forwarded_for",
                            "user_agent", "request_id", "authority", "upstream_host", "upstream_cluster", "route_name",
                            "downstream_remote_address", "side", "reason", "trace_id"}) {
    EXPECT_TRUE(line.at(field).is_null()) << field;
  }
  EXPECT_EQ(line.at("response_code"), 0);
  EXPECT_EQ(line.at("mirrored"), false);
}

TEST(AccessLine, TimesHaveAtMostThreeDecimalsAndNoTrailingZeros) {
  AccessRecord record;
  const auto duration = [&record](Duration value) {
    record.duration = value;
    const std::string line = format(record);
    const std::size_t from = line.find(R"("duration":)") + 11;
    return line.substr(from, line.find(',', from) - from);
  };
  EXPECT_EQ(duration(0ns), "0");
  EXPECT_EQ(duration(999ns), "0");
  EXPECT_EQ(duration(1us), "0.001");
  EXPECT_EQ(duration(50us), "0.05");
  EXPECT_EQ(duration(100us), "0.1");
  EXPECT_EQ(duration(1'999'999ns), "1.999");
  EXPECT_EQ(duration(90s), "90000");
  EXPECT_EQ(duration(-1ns), "null");
}

TEST(AccessLine, StartTimeStaysWithinWhatRfc3339CanSay) {
  AccessRecord record;
  const auto start_time = [&record](std::int64_t ms) {
    record.start_time_ms = ms;
    return std::string(parsed(record).at("start_time").as_string());
  };
  EXPECT_EQ(start_time(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(start_time(951'782'400'000), "2000-02-29T00:00:00.000Z");
  EXPECT_EQ(start_time(std::numeric_limits<std::int64_t>::min()), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(start_time(std::numeric_limits<std::int64_t>::max()), "9999-12-31T23:59:59.999Z");
}

TEST(AccessLine, OfALineThatIsTooLongOnlyTheLongestTextsAreCut) {
  AccessRecord record = full();
  const std::string path(40'000, 'p'), agent(20'000, 'u'), forwarded(2'000, 'f');
  record.path = path;
  record.user_agent = agent;
  record.x_forwarded_for = forwarded;
  const boost::json::object line = parsed(record);
  const std::string_view cut_path = line.at("path").as_string(), cut_agent = line.at("user_agent").as_string();
  EXPECT_TRUE(cut_path.ends_with("p..."));
  EXPECT_TRUE(cut_agent.ends_with("u..."));
  EXPECT_EQ(cut_path.size(), cut_agent.size());
  EXPECT_GT(cut_path.size(), 6'000u);
  EXPECT_EQ(line.at("x_forwarded_for").as_string(), forwarded);
  EXPECT_EQ(line.at("trace_id").as_string(), "4bf92f35");
}

TEST(AccessLine, ACutNeverFallsIntoACharacter) {
  for (const std::string_view unit : {"\x01", "\"", "\xC3\xBC", "\xF0\x9F\x8C\x8A", "\xFF"}) {
    std::string path;
    while (path.size() < 20'000) path += unit;
    for (std::size_t room = 2'000; room < 2'012; ++room) {
      AccessRecord record = test::record(path);
      EXPECT_TRUE(parsed(record, room).at("path").as_string().ends_with("..."));
    }
  }
}

TEST(AccessLine, TheLeastRoomIsEnoughWhenEverythingIsTooLong) {
  const std::string longest(30'000, '\x02');
  AccessRecord record = full();
  for (std::string_view* text :
       {&record.method, &record.path, &record.protocol, &record.response_flags, &record.x_forwarded_for,
        &record.user_agent, &record.request_id, &record.authority, &record.upstream_host, &record.upstream_cluster,
        &record.route_name, &record.downstream_remote_address, &record.side, &record.reason, &record.trace_id}) {
    *text = longest;
  }
  record.bytes_received = record.epoch = std::numeric_limits<std::uint64_t>::max();
  record.duration = record.upstream_service_time = Duration::max();
  EXPECT_EQ(parsed(record, kLeastLineBytes).size(), 23u);
  EXPECT_EQ(parsed(record).size(), 23u);
}

TEST(AccessLine, ALineThatJustFitsIsNotCut) {
  const std::string line = format(full());
  EXPECT_EQ(format(full(), line.size() + 32), line);
}

}  // namespace
}  // namespace tidegate::observe
