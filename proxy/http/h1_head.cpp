#include "http/h1_head.h"

#include <algorithm>

#include "http/grammar.h"
#include "http/h1_framing.h"

namespace tidegate::http {

namespace detail {

const char* parse_field_line(std::string_view line, std::uint32_t at, FieldList& into) noexcept {
  const std::size_t colon = token_length(line);
  if (colon == line.size()) return "field line without a colon";
  if (line[colon] != ':') {
    if (colon == 0 && is_blank(line[0])) return "folded field line";
    return is_blank(line[colon]) ? "whitespace before the colon of a field" : "invalid character in a field name";
  }
  if (colon == 0) return "empty field name";
  if (colon > 0xffff) return "field name too long";
  std::size_t begin = colon + 1;
  std::size_t end = line.size();
  while (begin < end && is_blank(line[begin])) ++begin;
  while (end > begin && is_blank(line[end - 1])) --end;
  if (!is_field_value(line.substr(begin, end - begin))) return "control character in a field value";
  Field field;
  field.name_at = at;
  field.name_size = static_cast<std::uint16_t>(colon);
  field.value_at = at + static_cast<std::uint32_t>(begin);
  field.value_size = static_cast<std::uint32_t>(end - begin);
  field.verbatim = begin == colon + 2 && line[colon + 1] == ' ' && end == line.size();
  field.id = identify(line.substr(0, colon));
  return into.add(field) ? nullptr : "too many fields";
}

}  // namespace detail

// --- request

void RequestHeadDecoder::reset() noexcept {
  lines_.reset();
  have_request_line_ = false;
  empty_lines_ = 0;
  refusal_ = {};
}

HeadState RequestHeadDecoder::refuse(std::uint16_t status, std::string_view reason) noexcept {
  refusal_ = {status, reason};
  return HeadState::Refused;
}

/// The status of a head that is too long, else 0. Looks at what was scanned, not at what arrived, so that the answer does
/// not depend on how the bytes were cut.
std::uint16_t RequestHeadDecoder::check_size(std::size_t line_at) const noexcept {
  constexpr std::size_t kAround = kMethodBytes + 16;  // method, version, spaces, CRLF
  if (!have_request_line_ && lines_.scanned() - line_at > limits_.uri_bytes + kAround) return 414;
  return lines_.scanned() > limits_.bytes ? 431 : 0;
}

HeadState RequestHeadDecoder::feed(std::string_view bytes, RequestHead& head) noexcept {
  if (refusal_) return HeadState::Refused;
  if (!have_request_line_) head.fields.clear();
  for (;;) {
    std::string_view line;
    std::uint32_t at = 0;
    const std::size_t line_at = lines_.consumed();
    const auto step = lines_.next(bytes, line, at);
    if (const std::uint16_t status = check_size(line_at)) {
      return refuse(status, status == 414 ? "request line too long" : "head too long");
    }
    if (step == detail::HeadLines::Step::NeedMore) return HeadState::NeedMore;
    if (step == detail::HeadLines::Step::BadLineEnd) return refuse(400, "line that does not end with CRLF");
    if (!have_request_line_) {
      if (line.empty()) {  // RFC 9112 §2.2: a server should ignore at least one empty line before the request line
        if (++empty_lines_ > 2) return refuse(400, "empty lines before the request");
        continue;
      }
      if (const Refusal refusal = parse_request_line(line)) return refuse(refusal.status, refusal.reason);
      method_at_ += at;
      target_at_ += at;
      have_request_line_ = true;
      continue;
    }
    if (line.empty()) {
      if (const Refusal refusal = finish(bytes, head)) return refuse(refusal.status, refusal.reason);
      return HeadState::Done;
    }
    if (head.fields.size() >= std::min<std::size_t>(limits_.fields, FieldList::kMost)) {
      return refuse(431, "too many fields");
    }
    if (const char* wrong = detail::parse_field_line(line, at, head.fields)) return refuse(400, wrong);
  }
}

Refusal RequestHeadDecoder::parse_request_line(std::string_view line) noexcept {
  std::size_t at = token_length(line);
  if (at == 0 || at == line.size() || line[at] != ' ') return {400, "malformed request line"};
  if (at > kMethodBytes) return {400, "method too long"};
  method_at_ = 0;
  method_size_ = static_cast<std::uint32_t>(at);
  const std::size_t target = ++at;
  at += target_length(line.substr(at));
  if (at == target || at == line.size() || line[at] != ' ') return {400, "malformed request target"};
  if (at - target > limits_.uri_bytes) return {414, "request target too long"};
  target_at_ = static_cast<std::uint32_t>(target);
  target_size_ = static_cast<std::uint32_t>(at - target);
  const std::string_view version = line.substr(at + 1);
  if (version == "HTTP/1.1") {
    minor_version_ = 1;
  } else if (version == "HTTP/1.0") {
    minor_version_ = 0;
  } else {
    const bool well_formed = version.size() == 8 && version.starts_with("HTTP/") && is_digit(version[5]) &&
                             version[6] == '.' && is_digit(version[7]);
    return well_formed ? Refusal{505, "HTTP version not supported"} : Refusal{400, "malformed HTTP version"};
  }
  return {};
}

namespace {

/// Splits the target's forms (RFC 9112 §3.2). On success `head.target` and, for the absolute-form, `head.authority` are set.
Refusal resolve_target(RequestHead& head, std::string_view scheme) noexcept {
  const std::string_view target = head.target;
  if (head.method == Method::Connect) return {405, "CONNECT is not served"};
  if (head.method == Method::Trace) return {405, "TRACE is not served"};
  if (target.front() == '/') return {};
  if (target == "*") return head.method == Method::Options ? Refusal{} : Refusal{400, "asterisk-form without OPTIONS"};
  const std::size_t scheme_end = target.find("://");
  if (scheme_end == std::string_view::npos) return {400, "request target without a leading slash"};
  head.scheme = target.substr(0, scheme_end);
  if (!equals_ignoring_case(head.scheme, scheme)) return {400, "scheme of the target is not the listener's"};
  const std::string_view rest = target.substr(scheme_end + 3);
  const std::size_t path = rest.find_first_of("/?");
  head.authority = rest.substr(0, path);
  if (!is_host(head.authority)) return {400, "malformed authority in the target"};
  // Without a path the server as a whole is meant, which OPTIONS says as "*" (RFC 9112 §3.2.4).
  const std::string_view root = head.method == Method::Options ? "*" : "/";
  head.target = path == std::string_view::npos ? root : rest.substr(path);
  if (head.target.front() == '?') return {400, "absolute-form without a path"};
  return {};
}

Refusal resolve_host(RequestHead& head) noexcept {
  std::size_t hosts = 0;
  std::string_view host;
  for (const Field& field : head.fields) {
    if (field.id != FieldId::Host) continue;
    ++hosts;
    host = head.fields.value(field);
  }
  if (hosts > 1) return {400, "more than one Host"};
  if (hosts == 0 && head.minor_version > 0) return {400, "no Host"};
  if (hosts == 1 && !is_host(host)) return {400, "malformed Host"};
  if (head.authority.empty()) head.authority = host;  // RFC 9112 §3.2.2: the absolute-form wins
  return {};
}

Refusal resolve_expect(RequestHead& head) noexcept {
  if (!head.fields.has(FieldId::Expect)) return {};
  for (const Field& field : head.fields) {
    if (field.id != FieldId::Expect) continue;
    if (!equals_ignoring_case(head.fields.value(field), "100-continue")) return {417, "unknown expectation"};
    head.expects_continue = head.minor_version > 0;  // RFC 9110 §10.1.1: ignored in HTTP/1.0
  }
  return {};
}

}  // namespace

Refusal RequestHeadDecoder::finish(std::string_view bytes, RequestHead& head) noexcept {
  head.fields.set_base(bytes.data());
  head.method_token = bytes.substr(method_at_, method_size_);
  head.method = method_of(head.method_token);
  head.target = bytes.substr(target_at_, target_size_);
  head.authority = head.scheme = head.protocol = {};
  head.major_version = 1;
  head.minor_version = minor_version_;
  head.expects_continue = false;
  if (!settle_underscores(head.fields, limits_.underscores)) return {400, "underscore in a field name"};
  if (const Refusal refusal = resolve_framing(head)) return refusal;
  if (const Refusal refusal = resolve_host(head)) return refusal;
  if (const Refusal refusal = resolve_target(head, scheme_)) return refusal;
  if (const Refusal refusal = resolve_expect(head)) return refusal;
  head.keep_alive = is_persistent(head.fields, head.minor_version);
  if (!mark_hop_by_hop(head.fields)) return {431, "too many connection options"};
  return {};
}

// --- response

void ResponseHeadDecoder::reset(Method request_method) noexcept {
  lines_.reset();
  request_method_ = request_method;
  have_status_line_ = false;
  refusal_ = {};
}

HeadState ResponseHeadDecoder::refuse(std::string_view reason) noexcept {
  refusal_ = {502, reason};
  return HeadState::Refused;
}

HeadState ResponseHeadDecoder::feed(std::string_view bytes, ResponseHead& head) noexcept {
  if (refusal_) return HeadState::Refused;
  if (!have_status_line_) head.fields.clear();
  for (;;) {
    std::string_view line;
    std::uint32_t at = 0;
    const auto step = lines_.next(bytes, line, at);
    if (lines_.scanned() > limits_.bytes) return refuse("response head too long");
    if (step == detail::HeadLines::Step::NeedMore) return HeadState::NeedMore;
    if (step == detail::HeadLines::Step::BadLineEnd) return refuse("response line that does not end with CRLF");
    if (!have_status_line_) {
      if (const Refusal refusal = parse_status_line(line, at)) return refuse(refusal.reason);
      have_status_line_ = true;
      continue;
    }
    if (line.empty()) {
      if (const Refusal refusal = finish(bytes, head)) return refuse(refusal.reason);
      return HeadState::Done;
    }
    if (head.fields.size() >= limits_.fields) return refuse("too many response fields");
    if (const char* wrong = detail::parse_field_line(line, at, head.fields)) return refuse(wrong);
  }
}

Refusal ResponseHeadDecoder::parse_status_line(std::string_view line, std::uint32_t at) noexcept {
  constexpr std::size_t kVersion = 8;
  if (line.size() < kVersion + 4 || line[kVersion] != ' ') return {502, "malformed status line"};
  const std::string_view version = line.substr(0, kVersion);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return {502, "unknown HTTP version of the response"};
  minor_version_ = version.back() == '1' ? 1 : 0;
  status_ = 0;
  for (std::size_t i = kVersion + 1; i < kVersion + 4; ++i) {
    if (!is_digit(line[i])) return {502, "malformed status code"};
    status_ = static_cast<std::uint16_t>(status_ * 10 + (line[i] - '0'));
  }
  if (status_ < 100 || status_ > 599) return {502, "status code out of range"};
  const std::string_view rest = line.substr(kVersion + 4);
  if (!rest.empty() && rest.front() != ' ') return {502, "malformed status line"};
  const std::string_view reason = rest.empty() ? rest : rest.substr(1);
  for (const char c : reason) {
    if (!is_field_byte(c)) return {502, "control character in the reason phrase"};
  }
  reason_at_ = at + static_cast<std::uint32_t>(line.size() - reason.size());
  reason_size_ = static_cast<std::uint32_t>(reason.size());
  return {};
}

Refusal ResponseHeadDecoder::finish(std::string_view bytes, ResponseHead& head) noexcept {
  head.fields.set_base(bytes.data());
  head.status = status_;
  head.reason = bytes.substr(reason_at_, reason_size_);
  head.major_version = 1;
  head.minor_version = minor_version_;
  if (const Refusal refusal = resolve_framing(head, request_method_)) return refusal;
  head.keep_alive = is_persistent(head.fields, head.minor_version) && head.framing != Framing::UntilClose;
  if (!mark_hop_by_hop(head.fields)) return {502, "too many connection options"};
  return {};
}

}  // namespace tidegate::http
