#include "http/h2_head.h"

#include <algorithm>

#include "http/grammar.h"

namespace tidegate::http {

namespace {

constexpr std::size_t kLine = 4;  // ": " and CRLF

bool is_lower_token(std::string_view name) noexcept {
  return !name.empty() && token_length(name) == name.size() &&
         std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool has_edge_blanks(std::string_view value) noexcept {
  return !value.empty() && (is_blank(value.front()) || is_blank(value.back()));
}

bool same_host(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

void H2FieldSection::begin(const HeadLimits& limits, FieldList& fields, Buffer& bytes) noexcept {
  limits_ = limits;
  fields_ = &fields;
  bytes_ = &bytes;
  total_ = 0;
  count_ = 0;
  has_crumbs_ = false;
  crumbs_.clear();
  method_ = scheme_ = authority_ = path_ = protocol_ = status_ = {};
  refusal_ = {};
  fields.clear();
}

bool H2FieldSection::refuse(std::uint16_t status, std::string_view reason) noexcept {
  if (!refusal_) refusal_ = {status, reason};
  return false;
}

bool H2FieldSection::add(std::string_view name, std::string_view value) {
  if (refusal_) return false;
  const bool pseudo = !name.empty() && name.front() == ':';
  if (name == ":path" && value.size() > limits_.uri_bytes) return refuse(414, "request target too long");
  total_ += name.size() + value.size() + kLine;
  if (total_ > limits_.bytes) return refuse(431, "head too long");
  if (pseudo) return add_pseudo(name.substr(1), value);
  if (++count_ > std::min<std::size_t>(limits_.fields, FieldList::kMost)) return refuse(431, "too many fields");
  if (!is_lower_token(name)) return refuse(400, "invalid character in a field name");
  if (name.size() > 0xffff) return refuse(431, "field name too long");
  if (!is_field_value(value)) return refuse(400, "control character in a field value");
  if (has_edge_blanks(value)) return refuse(400, "whitespace around a field value");
  if (name == "cookie") {
    if (has_crumbs_) crumbs_ += "; ";
    crumbs_ += value;
    has_crumbs_ = true;
    return true;
  }
  add_line(name, value);
  return true;
}

bool H2FieldSection::add_pseudo(std::string_view name, std::string_view value) {
  Place* const place = name == "method"      ? &method_
                       : name == "scheme"    ? &scheme_
                       : name == "authority" ? &authority_
                       : name == "path"      ? &path_
                       : name == "protocol"  ? &protocol_
                       : name == "status"    ? &status_
                                             : nullptr;
  if (place == nullptr) return refuse(400, "unknown pseudo-header field");
  if (place->there) return refuse(400, "pseudo-header field twice");
  if (count_ > 0) return refuse(400, "pseudo-header field after another field");
  *place = {static_cast<std::uint32_t>(bytes_->size()), static_cast<std::uint32_t>(value.size()), true};
  bytes_->append(value);
  return true;
}

void H2FieldSection::add_line(std::string_view name, std::string_view value) {
  const std::size_t size = name.size() + value.size() + kLine;
  bytes_->reserve(size);
  Field field;
  field.name_at = static_cast<std::uint32_t>(bytes_->size());
  field.name_size = static_cast<std::uint16_t>(name.size());
  field.value_at = field.name_at + static_cast<std::uint32_t>(name.size()) + 2;
  field.value_size = static_cast<std::uint32_t>(value.size());
  field.verbatim = true;
  field.id = identify(name);
  char* at = std::copy(name.begin(), name.end(), bytes_->free_space());
  *at++ = ':';
  *at++ = ' ';
  at = std::copy(value.begin(), value.end(), at);
  *at++ = '\r';
  *at = '\n';
  bytes_->commit(size);
  if (!fields_->add(field)) refuse(431, "too many fields");
}

/// What is the same for every section once all of it is there.
bool H2FieldSection::settle() {
  if (refusal_) return false;
  if (has_crumbs_) add_line("cookie", crumbs_);
  if (crumbs_.capacity() > bytes_of(BlockSize::Small)) crumbs_ = {};
  bytes_->ensure();
  fields_->set_base(bytes_->data());
  for (const FieldId id : {FieldId::Connection, FieldId::KeepAlive, FieldId::ProxyConnection, FieldId::TransferEncoding,
                           FieldId::Upgrade}) {
    if (fields_->has(id)) return refuse(400, "connection-specific field in HTTP/2");
  }
  for (const Field& field : *fields_) {
    if (field.id == FieldId::Te && !equals_ignoring_case(fields_->value(field), "trailers")) {
      return refuse(400, "TE other than trailers in HTTP/2");
    }
  }
  if (!mark_hop_by_hop(*fields_)) return refuse(431, "too many connection options");
  return !refusal_;
}

// --- request

namespace {

template <class Head>
Refusal resolve_length(Head& head, std::uint16_t status) noexcept {
  head.content_length = 0;
  head.has_content_length = false;
  if (!head.fields.has(FieldId::ContentLength)) return {};
  if (head.fields.count(FieldId::ContentLength) > 1) return {status, "more than one Content-Length"};
  const auto length = parse_length(head.fields.first(FieldId::ContentLength));
  if (!length) return {status, "malformed Content-Length"};
  head.has_content_length = true;
  head.content_length = *length;
  return {};
}

Refusal resolve_authority(RequestHead& head, bool has_authority) noexcept {
  const std::size_t hosts = head.fields.count(FieldId::Host);
  if (hosts > 1) return {400, "more than one Host"};
  const std::string_view host = head.fields.first(FieldId::Host);
  if (!has_authority && hosts == 0) return {400, "neither :authority nor Host"};
  if (has_authority && !is_host(head.authority)) return {400, "malformed :authority"};
  if (hosts == 1 && !is_host(host)) return {400, "malformed Host"};
  if (has_authority && hosts == 1 && !same_host(head.authority, host)) return {400, "Host other than :authority"};
  if (!has_authority) head.authority = host;
  return {};
}

Refusal resolve_target(const RequestHead& head, bool connect_protocol) noexcept {
  if (head.method == Method::Connect && (head.protocol.empty() || !connect_protocol)) return {405, "CONNECT is not served"};
  if (head.method == Method::Trace) return {405, "TRACE is not served"};
  if (!head.protocol.empty() && head.method != Method::Connect) return {400, ":protocol without CONNECT"};
  if (!head.protocol.empty() && !is_token(head.protocol)) return {400, "malformed :protocol"};
  if (!equals_ignoring_case(head.scheme, "http") && !equals_ignoring_case(head.scheme, "https")) {
    return {400, ":scheme is neither http nor https"};
  }
  if (head.target.empty()) return {400, "no :path"};
  if (target_length(head.target) != head.target.size()) return {400, "malformed request target"};
  if (head.target == "*") {
    return head.method == Method::Options ? Refusal{} : Refusal{400, "asterisk-form without OPTIONS"};
  }
  return head.target.front() == '/' ? Refusal{} : Refusal{400, "request target without a leading slash"};
}

Refusal resolve_expect(RequestHead& head, bool ends) noexcept {
  head.expects_continue = false;
  if (!head.fields.has(FieldId::Expect)) return {};
  for (const Field& field : head.fields) {
    if (field.id != FieldId::Expect) continue;
    if (!equals_ignoring_case(head.fields.value(field), "100-continue")) return {417, "unknown expectation"};
    head.expects_continue = !ends;  // RFC 9110 §10.1.1: ignored without content
  }
  return {};
}

}  // namespace

Refusal H2FieldSection::finish(RequestHead& head, bool ends, bool connect_protocol) {
  if (!settle()) return refusal_;
  head.method_token = text(method_);
  head.method = method_of(head.method_token);
  head.target = text(path_);
  head.authority = text(authority_);
  head.scheme = text(scheme_);
  head.protocol = text(protocol_);
  head.major_version = 2;
  head.minor_version = 0;
  head.keep_alive = true;
  head.framing = ends ? Framing::None : Framing::Frames;
  if (status_.there) return {400, ":status in a request"};
  if (head.method_token.size() > kMethodBytes) return {400, "method too long"};
  if (!is_token(head.method_token)) return {400, "malformed :method"};
  if (!settle_underscores(*fields_, limits_.underscores)) return {400, "underscore in a field name"};
  if (const Refusal refusal = resolve_length(head, 400)) return refusal;
  if (ends && head.content_length > 0) return {400, "Content-Length without content"};
  if (const Refusal refusal = resolve_authority(head, authority_.there)) return refusal;
  if (const Refusal refusal = resolve_target(head, connect_protocol)) return refusal;
  return resolve_expect(head, ends);
}

// --- response

Refusal H2FieldSection::finish(ResponseHead& head, bool ends, Method request_method) {
  if (!settle()) return {502, refusal_.reason};
  if (method_.there || scheme_.there || authority_.there || path_.there || protocol_.there) {
    return {502, "request pseudo-header field in a response"};
  }
  const std::string_view status = text(status_);
  if (status.size() != 3 || !std::all_of(status.begin(), status.end(), is_digit)) return {502, "malformed :status"};
  head.status = static_cast<std::uint16_t>((status[0] - '0') * 100 + (status[1] - '0') * 10 + (status[2] - '0'));
  if (head.status < 100 || head.status > 599) return {502, "status code out of range"};
  if (head.status == 101) return {502, "status 101 in HTTP/2"};
  head.reason = {};
  head.major_version = 2;
  head.minor_version = 0;
  head.keep_alive = true;
  if (const Refusal refusal = resolve_length(head, 502)) return refusal;
  const bool no_body = has_no_body(request_method, head.status);
  if (ends && !no_body && head.content_length > 0) return {502, "Content-Length without content"};
  head.framing = ends || no_body ? Framing::None : Framing::Frames;
  return {};
}

Refusal H2FieldSection::finish_trailers() {
  if (!settle()) return refusal_;
  if (method_.there || scheme_.there || authority_.there || path_.there || protocol_.there || status_.there) {
    return {400, "pseudo-header field in trailers"};
  }
  return {};
}

}  // namespace tidegate::http
