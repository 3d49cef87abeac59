#include "forward/rewrite.h"

#include <algorithm>

#include "http/grammar.h"
#include "http/h1_encode.h"
#include "http/websocket_handshake.h"

namespace tidegate::forward {

namespace {

using http::Field;
using http::FieldId;
using http::HeadWriter;

constexpr std::string_view kClientCertificate = "x-forwarded-client-cert";  // as Envoy names it
constexpr std::string_view kFor = "x-forwarded-for";
constexpr std::string_view kHost = "x-forwarded-host";
constexpr std::string_view kProto = "x-forwarded-proto";
constexpr std::string_view kRequestId = "x-request-id";
constexpr std::string_view kTraceparent = "traceparent";
constexpr std::string_view kHop = "x-tidegate-hop";
constexpr std::size_t kFixedBytes = 512;  // start line's and added fields' constant parts

bool te_has_trailers(const http::FieldList& fields) noexcept {
  bool found = false;
  if (!fields.has(FieldId::Te)) return found;
  for (const Field& field : fields) {
    if (field.id != FieldId::Te) continue;
    http::for_each_element(fields.value(field), [&](std::string_view element) {
      found = http::equals_ignoring_case(element, "trailers");
      return !found;
    });
  }
  return found;
}

/// Fields that a stranger's request may not bring, or that Tidegate writes itself.
bool is_replaced(FieldId id, const RequestContext& context) noexcept {
  switch (id) {
    case FieldId::Host:
    case FieldId::ContentLength:
    case FieldId::XForwardedFor:
    case FieldId::XRequestId:
    case FieldId::Alias:
    case FieldId::Tidegate: return true;
    case FieldId::XForwarded:
    case FieldId::XForwardedHost:
    case FieldId::XForwardedProto:
    case FieldId::Forwarded: return !context.peer_trusted;
    case FieldId::Traceparent:
    case FieldId::Tracestate: return !context.traceparent.empty();
    case FieldId::Expect: return context.is_mirror_copy;
    default: return false;
  }
}

/// What a proxy before us says of its client, when this connection has a certificate of its own.
bool is_other_certificate(const Field& field, const http::RequestHead& head, const RequestContext& context) noexcept {
  return !context.client_certificate.empty() && field.id == FieldId::XForwarded &&
         http::equals_ignoring_case(head.fields.name(field), kClientCertificate);
}

std::size_t edits_size(const route::HeaderEdits& edits) noexcept {
  std::size_t bytes = 0;
  for (const auto& [name, value] : edits.set) bytes += name.size() + value.size() + 4;
  return bytes;
}

/// A Via would do the same (RFC 9110 §7.6.3), but servers take it for more: NGINX does not compress for who sends one.
void put_hop(HeadWriter& out, unsigned hops) noexcept {
  if (hops == 0) return out.put("x-tidegate-hop: 1\r\n");
  out.put("x-tidegate-hop: ");
  out.number(hops + 1);
  out.put("\r\n");
}

void put_forwarded_for(HeadWriter& out, const http::RequestHead& head, const RequestContext& context) noexcept {
  out.put("x-forwarded-for: ");
  if (context.peer_trusted) {
    for (const Field& field : head.fields) {
      if (field.id != FieldId::XForwardedFor || field.value_size == 0) continue;
      out.put(head.fields.value(field));
      out.put(", ");
    }
  }
  out.put(context.peer);
  out.put("\r\n");
}

/// RFC 9110 §8.6: without content these say so. HTTP/2 does by the end of the stream, and some servers answer 411 to HTTP/1.1 without.
bool is_meant_to_have_content(http::Method method) noexcept {
  return method == http::Method::Post || method == http::Method::Put || method == http::Method::Patch;
}

void put_request_framing(HeadWriter& out, const http::RequestHead& head) noexcept {
  if (http::needs_chunks(head.framing, head.has_content_length)) {
    out.put("transfer-encoding: chunked\r\n");
  } else if (head.has_content_length) {
    out.content_length(head.content_length);
  } else if (is_meant_to_have_content(head.method)) {
    out.content_length(0);
  }
}

}  // namespace

bool is_edited(const route::HeaderEdits& edits, std::string_view name) noexcept {
  const auto same = [name](std::string_view wanted) {
    return name.size() == wanted.size() &&
           std::equal(name.begin(), name.end(), wanted.begin(),
                      [](char a, char b) { return http::lower(a) == http::lower(b) || (a == '_' && b == '-'); });
  };
  return std::any_of(edits.remove.begin(), edits.remove.end(), same) ||
         std::any_of(edits.set.begin(), edits.set.end(), [&](const auto& set) { return same(set.first); });
}

unsigned count_hops(const http::FieldList& fields) noexcept {
  unsigned hops = 0;
  for (const Field& field : fields) {
    if (field.id != FieldId::Tidegate || !http::equals_ignoring_case(fields.name(field), kHop)) continue;
    const std::uint64_t said = http::parse_length(fields.value(field)).value_or(0);
    hops = std::max(hops, static_cast<unsigned>(std::min<std::uint64_t>(said, kMostHops)));
  }
  return hops;
}

void encode_request(Buffer& out, const http::RequestHead& head, const RequestContext& context) {
  std::string_view host = head.authority;
  if (context.host) host = *context.host;
  std::size_t most = kFixedBytes + head.method_token.size() + head.target.size() + host.size() + head.authority.size() +
                     http::encoded_size(head.fields) + 2 * head.fields.size() + context.peer.size() +
                     context.request_id.size() + context.traceparent.size() + context.client_certificate.size();
  if (context.edits != nullptr) most += edits_size(*context.edits);
  HeadWriter writer(out, most);
  writer.put(head.method_token);
  writer.put(' ');
  writer.put(head.target);
  writer.put(" HTTP/1.1\r\n");
  writer.field("host", host);
  const auto is_routes = [&context](std::string_view name) { return context.edits != nullptr && is_edited(*context.edits, name); };
  bool has_host = is_routes(kHost);
  bool has_proto = is_routes(kProto);
  {
    http::FieldCopy copy(writer, head.fields);
    for (const Field& field : head.fields) {
      if (field.hop_by_hop || is_replaced(field.id, context)) continue;
      if (field.id == FieldId::Expect && !head.expects_continue) continue;
      if (is_routes(head.fields.name(field))) continue;
      if (is_other_certificate(field, head, context)) continue;
      if (!context.websocket_key.empty() && http::equals_ignoring_case(head.fields.name(field), http::kWebSocketKeyName)) continue;
      has_host = has_host || field.id == FieldId::XForwardedHost;
      has_proto = has_proto || field.id == FieldId::XForwardedProto;
      copy.put(field);
    }
  }
  if (!is_routes(kFor)) put_forwarded_for(writer, head, context);
  if (!has_proto) writer.put(context.https ? "x-forwarded-proto: https\r\n" : "x-forwarded-proto: http\r\n");
  if (!context.client_certificate.empty() && !is_routes(kClientCertificate)) writer.field(kClientCertificate, context.client_certificate);
  if (!has_host && !head.authority.empty()) writer.field(kHost, head.authority);
  if (!is_routes(kRequestId)) writer.field(kRequestId, context.request_id);
  put_hop(writer, context.hops);
  if (!context.traceparent.empty() && !is_routes(kTraceparent)) writer.field(kTraceparent, context.traceparent);
  if (te_has_trailers(head.fields)) writer.put("te: trailers\r\nconnection: te\r\n");
  if (!context.upgrade.empty()) {
    writer.field("upgrade", context.upgrade);
    writer.put("connection: upgrade\r\n");
    if (!context.websocket_key.empty()) writer.field(http::kWebSocketKeyName, context.websocket_key);
  }
  if (context.is_mirror_copy) writer.put("x-tidegate-mirror: 1\r\n");
  if (context.edits != nullptr) {
    for (const auto& [name, value] : context.edits->set) writer.field(name, value);
  }
  put_request_framing(writer, head);
  writer.finish();
}

namespace {

void put_status_line(HeadWriter& out, std::uint16_t status, std::string_view reason) noexcept {
  out.put("HTTP/1.1 ");
  out.number(status);
  out.put(' ');
  out.put(reason);
  out.put("\r\n");
}

}  // namespace

void encode_response(Buffer& out, const http::ResponseHead& head, const ResponseContext& context) {
  HeadWriter writer(out, kFixedBytes + head.reason.size() + http::encoded_size(head.fields));
  put_status_line(writer, head.status, head.major_version == 2 ? http::reason_phrase(head.status) : head.reason);
  {
    http::FieldCopy copy(writer, head.fields);
    for (const Field& field : head.fields) {
      if (field.hop_by_hop || field.id == FieldId::ContentLength) continue;
      if (field.id == FieldId::Trailer && !context.chunked) continue;
      copy.put(field);
    }
  }
  if (context.chunked) {
    writer.put("transfer-encoding: chunked\r\n");
  } else if (head.status == 205) {
    writer.put("content-length: 0\r\n");
  } else if (head.has_content_length && head.status != 204) {
    writer.content_length(head.content_length);  // also for HEAD and 304, where it tells of a body that is not sent
  }
  writer.put(context.date);
  if (context.close) {
    writer.put("connection: close\r\n");
  } else if (context.client_is_http10) {
    writer.put("connection: keep-alive\r\n");
  }
  writer.finish();
}

void encode_switch(Buffer& out, const http::ResponseHead& head, const SwitchContext& context) {
  HeadWriter writer(out, kFixedBytes + context.protocol.size() + http::encoded_size(head.fields));
  put_status_line(writer, context.status, http::reason_phrase(context.status));
  for (const Field& field : head.fields) {
    if (field.hop_by_hop || field.id == FieldId::ContentLength) continue;
    const std::string_view name = head.fields.name(field);
    if (context.websocket_accept && http::equals_ignoring_case(name, http::kWebSocketAcceptName)) continue;
    writer.field(name, head.fields.value(field));
  }
  if (context.websocket_accept && !context.websocket_accept->empty()) {
    writer.field(http::kWebSocketAcceptName, *context.websocket_accept);
  }
  writer.field("upgrade", context.protocol);
  writer.put("connection: upgrade\r\n");
  writer.finish();
}

void encode_informational(Buffer& out, const http::ResponseHead& head) {
  HeadWriter writer(out, kFixedBytes + head.reason.size() + http::encoded_size(head.fields));
  put_status_line(writer, head.status, head.major_version == 2 ? http::reason_phrase(head.status) : head.reason);
  for (const Field& field : head.fields) {
    if (field.hop_by_hop || field.id == FieldId::ContentLength) continue;
    writer.field(head.fields.name(field), head.fields.value(field));
  }
  writer.finish();
}

void encode_local_reply(Buffer& out, std::uint16_t status, std::string_view text, bool close, std::string_view date) {
  HeadWriter writer(out, kFixedBytes + text.size());
  put_status_line(writer, status, http::reason_phrase(status));
  writer.put("content-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n");
  writer.put(date);
  if (status == 503) writer.put("retry-after: 1\r\n");
  if (status == 405) writer.put("allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n");
  writer.content_length(text.size() + 1);
  if (close) writer.put("connection: close\r\n");
  writer.finish();
}

void encode_call_failure(Buffer& out, http::GrpcCode code, std::string_view text, std::string_view date) {
  HeadWriter writer(out, kFixedBytes + text.size());
  put_status_line(writer, 200, http::reason_phrase(200));
  writer.put("content-type: application/grpc\r\ngrpc-status: ");
  writer.number(static_cast<std::uint64_t>(code));
  writer.put("\r\n");
  writer.put(date);
  writer.field("grpc-message", text);  // plain ASCII without "%": nothing to be encoded
  writer.finish();
}

bool is_request_id(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 128 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

bool is_traceparent(std::string_view text) noexcept {
  if (text.size() != 55 || !text.starts_with("00-") || text[35] != '-' || text[52] != '-') return false;
  const auto hex = [](std::string_view part) {
    return std::all_of(part.begin(), part.end(), [](char c) { return http::is_digit(c) || (c >= 'a' && c <= 'f'); });
  };
  const auto zero = [](std::string_view part) {
    return std::all_of(part.begin(), part.end(), [](char c) { return c == '0'; });
  };
  const std::string_view trace = text.substr(3, 32);
  const std::string_view parent = text.substr(36, 16);
  return hex(trace) && hex(parent) && hex(text.substr(53, 2)) && !zero(trace) && !zero(parent);
}

}  // namespace tidegate::forward
