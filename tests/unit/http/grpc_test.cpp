#include "http/grpc.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace tidegate::http {
namespace {

using namespace std::chrono_literals;

/// A list of fields over a text "name: value|name: value".
struct Fields {
  explicit Fields(std::string from) : text(std::move(from)) {
    list.set_base(text.data());
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('|', at), text.size());
      const std::size_t colon = text.find(": ", at);
      Field field;
      field.name_at = static_cast<std::uint32_t>(at);
      field.name_size = static_cast<std::uint16_t>(colon - at);
      field.value_at = static_cast<std::uint32_t>(colon + 2);
      field.value_size = static_cast<std::uint32_t>(end - colon - 2);
      list.add(field);
      at = end + 1;
    }
  }
  std::string text;
  FieldList list;
};

bool is_call(const std::string& fields, Method method = Method::Post, std::uint8_t version = 2) {
  const Fields all(fields);
  RequestHead head;
  head.method = method;
  head.major_version = version;
  head.fields = all.list;
  return is_grpc(head);
}

TEST(Grpc, CallsAreKnownByTheirTypeOverHttp2) {
  for (const char* type : {"application/grpc", "application/grpc+proto", "application/grpc;charset=x", "Application/GRPC"}) {
    EXPECT_TRUE(is_call(std::string("te: trailers|content-type: ") + type)) << type;
  }
  for (const char* type : {"application/grpc-web", "application/grpc-web-text", "application/json", ""}) {
    EXPECT_FALSE(is_call(std::string("content-type: ") + type)) << type;
  }
  EXPECT_FALSE(is_call("content-type: application/grpc", Method::Get));
  EXPECT_FALSE(is_call("content-type: application/grpc", Method::Post, 1));
  EXPECT_FALSE(is_call("x: y"));
}

GrpcCode ended(std::uint16_t status, const std::string& fields, const std::string& trailers) {
  const Fields head_fields(fields);
  const Fields trailer_fields(trailers);
  ResponseHead head;
  head.status = status;
  head.fields = head_fields.list;
  return grpc_code(head, trailers.empty() ? nullptr : &trailer_fields.list);
}

TEST(Grpc, TheStatusIsThatOfTheTrailersElseOfTheHead) {
  EXPECT_EQ(ended(200, "a: b", "grpc-status: 0"), GrpcCode::Ok);
  EXPECT_EQ(ended(200, "grpc-status: 14", ""), GrpcCode::Unavailable);
  EXPECT_EQ(ended(200, "grpc-status: 0", "grpc-status: 13"), GrpcCode::Internal);
}

TEST(Grpc, ACallWithoutAStatusIsNeverASuccess) {
  EXPECT_EQ(ended(200, "a: b", ""), GrpcCode::Unknown);
  EXPECT_EQ(ended(200, "a: b", "x: y"), GrpcCode::Unknown);
  for (const char* odd : {"17", "-1", "0x0", "00a", " 0", "4294967296"}) {
    EXPECT_EQ(ended(200, "a: b", std::string("grpc-status: ") + odd), GrpcCode::Unknown) << odd;
  }
}

TEST(Grpc, WithoutAStatusTheHttpStatusTells) {
  EXPECT_EQ(ended(503, "a: b", ""), GrpcCode::Unavailable);
  EXPECT_EQ(ended(504, "a: b", ""), GrpcCode::DeadlineExceeded);
  EXPECT_EQ(ended(404, "a: b", ""), GrpcCode::Unimplemented);
  EXPECT_EQ(ended(401, "a: b", ""), GrpcCode::Unauthenticated);
  EXPECT_EQ(ended(302, "a: b", ""), GrpcCode::Unknown);
}

std::optional<Duration> timeout(const std::string& value) {
  const Fields fields("grpc-timeout: " + value);
  RequestHead head;
  head.fields = fields.list;
  return grpc_timeout(head);
}

TEST(Grpc, TheTimeoutHasSixUnits) {
  EXPECT_EQ(timeout("2H"), Duration(2h));
  EXPECT_EQ(timeout("3M"), Duration(3min));
  EXPECT_EQ(timeout("10S"), Duration(10s));
  EXPECT_EQ(timeout("250m"), Duration(250ms));
  EXPECT_EQ(timeout("99999999u"), Duration(99999999us));
  EXPECT_EQ(timeout("5n"), std::chrono::duration_cast<Duration>(5ns));
  EXPECT_GT(timeout("99999999H"), Duration(24h));
}

TEST(Grpc, AMalformedTimeoutIsNone) {
  for (const char* odd : {"", "S", "5", "5s", "-5S", "+5S", "1.5S", "123456789S", "5 S"}) EXPECT_FALSE(timeout(odd)) << odd;
}

}  // namespace
}  // namespace tidegate::http
