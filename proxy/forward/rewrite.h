// Heads as they leave Tidegate: which fields pass, which are dropped, and what Tidegate adds (RFC 9110 §7.6, PRODUCT §5).
// Everything is written anew from the parsed model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "http/grpc.h"
#include "http/head.h"
#include "route/policy.h"

namespace tidegate::forward {

/// What a request head needs beyond itself.
struct RequestContext {
  std::string_view peer;              ///< the client's address, without port
  unsigned hops = 0;                  ///< proxies like this one that the request has come through: hops_of()
  bool peer_trusted = false;          ///< its X-Forwarded-* are believed and extended
  std::string_view request_id;        ///< passed on or made
  std::string_view traceparent;       ///< made; empty when the client's own is passed on
  std::optional<std::string_view> host;  ///< Host to send; empty = the client's authority
  const route::HeaderEdits* edits = nullptr;
  bool https = false;                 ///< how the client reached Tidegate
  std::string_view client_certificate{};  ///< x-forwarded-client-cert; empty = the client showed none
  std::string_view upgrade{};         ///< the protocol that the connection is to change to; empty = none
  std::string_view websocket_key{};   ///< Sec-WebSocket-Key to send instead of the client's; empty = the client's is passed on
  bool is_mirror_copy = false;        ///< adds x-tidegate-mirror: 1 and leaves Expect out
};

void encode_request(Buffer& out, const http::RequestHead& head, const RequestContext& context);

/// The route sets or removes fields of that name, so nobody else's is sent: neither the client's, also as a trailer, nor the one that
/// Tidegate would write. A name with `_` is taken for the one with `-`, as some servers do.
bool is_edited(const route::HeaderEdits& edits, std::string_view name) noexcept;

/// A request that came through more of them goes round in a loop: a chain on purpose is two or three.
inline constexpr unsigned kMostHops = 8;
/// What x-tidegate-hop says, whoever sends it: a stranger can only have his own request refused. At most kMostHops.
unsigned count_hops(const http::FieldList& fields) noexcept;
inline unsigned hops_of(const http::FieldList& fields) noexcept { return fields.has(http::FieldId::Tidegate) ? count_hops(fields) : 0; }

struct ResponseContext {
  bool chunked = false;               ///< the body is sent in chunks
  bool close = false;                 ///< the client's connection ends after this response
  bool client_is_http10 = false;
  std::string_view date{};            ///< DateLine's; empty = the response has a Date
};

void encode_response(Buffer& out, const http::ResponseHead& head, const ResponseContext& context);
struct SwitchContext {
  std::string_view protocol;          ///< what follows
  std::uint16_t status = 101;         ///< 200 where the client asked by an extended CONNECT
  std::optional<std::string_view> websocket_accept{};  ///< instead of the upstream's, which is passed on without; empty = none
};

/// The last head before the connection, or the stream, is joined to the upstream's.
void encode_switch(Buffer& out, const http::ResponseHead& head, const SwitchContext& context);
/// A 1xx response, relayed.
void encode_informational(Buffer& out, const http::ResponseHead& head);
/// The head of a response of Tidegate's own, whose body is `text` as one line.
void encode_local_reply(Buffer& out, std::uint16_t status, std::string_view text, bool close, std::string_view date = {});

/// The same to a call of gRPC: a whole response without a body.
void encode_call_failure(Buffer& out, http::GrpcCode code, std::string_view text, std::string_view date = {});

/// True for a request id that is passed on: 1 to 128 visible characters.
bool is_request_id(std::string_view text) noexcept;
/// True for a well-formed traceparent of version 00 (W3C Trace Context §3.2).
bool is_traceparent(std::string_view text) noexcept;

}  // namespace tidegate::forward
