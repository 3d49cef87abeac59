#include "http/grpc.h"

#include <algorithm>
#include <charconv>

#include "http/grammar.h"

namespace tidegate::http {

namespace {

std::string_view find(const FieldList& fields, std::string_view lower_case) noexcept {
  for (const Field& field : fields) {
    if (equals_ignoring_case(fields.name(field), lower_case)) return fields.value(field);
  }
  return {};
}

std::optional<GrpcCode> parse_code(std::string_view text) noexcept {
  if (text.empty()) return std::nullopt;
  std::uint32_t code = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, code);
  if (read.ec != std::errc() || read.ptr != end || code >= kGrpcCodes) return GrpcCode::Unknown;
  return static_cast<GrpcCode>(code);
}

}  // namespace

bool is_grpc(const RequestHead& head) noexcept {
  constexpr std::string_view kType = "application/grpc";
  if (head.major_version != 2 || head.method != Method::Post) return false;
  const std::string_view type = find(head.fields, "content-type");
  if (!equals_ignoring_case(type.substr(0, kType.size()), kType)) return false;
  return type.size() == kType.size() || type[kType.size()] == '+' || type[kType.size()] == ';';
}

std::optional<GrpcCode> grpc_status(const FieldList& fields) noexcept { return parse_code(find(fields, "grpc-status")); }

GrpcCode grpc_code(const ResponseHead& head, const FieldList* trailers) noexcept {
  std::optional<GrpcCode> code;
  if (trailers != nullptr) code = grpc_status(*trailers);
  if (!code) code = grpc_status(head.fields);
  if (code) return *code;
  return head.status == 200 ? GrpcCode::Unknown : grpc_code_of(head.status);
}

std::optional<Duration> grpc_timeout(const RequestHead& head) noexcept {
  constexpr std::size_t kDigits = 8;
  const std::string_view text = find(head.fields, "grpc-timeout");
  if (text.size() < 2 || text.size() > kDigits + 1) return std::nullopt;
  std::int64_t count = 0;
  const char* const unit = text.data() + text.size() - 1;
  if (!std::all_of(text.data(), unit, is_digit)) return std::nullopt;
  std::from_chars(text.data(), unit, count);
  using namespace std::chrono;
  switch (*unit) {
    case 'H': return duration_cast<Duration>(hours(std::min<std::int64_t>(count, 1'000'000)));
    case 'M': return duration_cast<Duration>(minutes(std::min<std::int64_t>(count, 60'000'000)));
    case 'S': return duration_cast<Duration>(std::chrono::seconds(count));
    case 'm': return duration_cast<Duration>(milliseconds(count));
    case 'u': return duration_cast<Duration>(microseconds(count));
    case 'n': return Duration(count);
    default: return std::nullopt;
  }
}

GrpcCode grpc_code_of(std::uint16_t http_status) noexcept {
  switch (http_status) {
    case 400: return GrpcCode::Internal;
    case 401: return GrpcCode::Unauthenticated;
    case 403: return GrpcCode::PermissionDenied;
    case 404: return GrpcCode::Unimplemented;
    case 413:
    case 431: return GrpcCode::ResourceExhausted;
    case 429:
    case 502:
    case 503: return GrpcCode::Unavailable;
    case 408:
    case 504: return GrpcCode::DeadlineExceeded;
    default: return GrpcCode::Unknown;
  }
}

}  // namespace tidegate::http
