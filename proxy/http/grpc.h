// What a proxy has to know of gRPC (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md): which requests are calls,
// how a call ended, how long its client waits. Pure functions over heads and trailers.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "http/head.h"

namespace tidegate::http {

/// Codes of google.rpc.Code that Tidegate says or counts itself.
enum class GrpcCode : std::uint8_t { Ok = 0, Cancelled = 1, Unknown = 2, DeadlineExceeded = 4, PermissionDenied = 7, ResourceExhausted = 8,
                                     Unimplemented = 12, Internal = 13, Unavailable = 14, Unauthenticated = 16 };
inline constexpr std::size_t kGrpcCodes = 17;

/// A call over HTTP/2: application/grpc, also with a suffix; not gRPC-Web, which is ordinary HTTP.
bool is_grpc(const RequestHead& head) noexcept;
/// How a call ended: grpc-status of the trailers, else of the head; without either what the HTTP status means
/// (doc/http-grpc-status-mapping.md). What is no code of gRPC is Unknown.
GrpcCode grpc_code(const ResponseHead& head, const FieldList* trailers) noexcept;
/// The grpc-status that a field section says, if it says one.
std::optional<GrpcCode> grpc_status(const FieldList& fields) noexcept;
/// grpc-timeout: at most 8 digits and a unit; nothing when there is none or it is malformed.
std::optional<Duration> grpc_timeout(const RequestHead& head) noexcept;
/// What a call is told whose answer is Tidegate's own, with that HTTP status.
GrpcCode grpc_code_of(std::uint16_t http_status) noexcept;

}  // namespace tidegate::http
