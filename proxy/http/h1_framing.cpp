#include "http/h1_framing.h"

#include "http/grammar.h"

namespace tidegate::http {

namespace {

struct FramingFields {
  std::size_t lengths = 0;
  std::size_t codings = 0;
  std::string_view length;
  std::string_view coding;
};

FramingFields framing_fields(const FieldList& fields) noexcept {
  FramingFields found;
  if (!fields.has(FieldId::ContentLength) && !fields.has(FieldId::TransferEncoding)) return found;
  for (const Field& field : fields) {
    if (field.id == FieldId::ContentLength) {
      ++found.lengths;
      found.length = fields.value(field);
    } else if (field.id == FieldId::TransferEncoding) {
      ++found.codings;
      found.coding = fields.value(field);
    }
  }
  return found;
}

/// The only coding that is understood is chunked, alone, once. Anything else cannot be framed with certainty; a list
/// that ends in chunked is well framed but of an unknown coding (501).
Refusal check_coding(std::string_view coding, bool sole) noexcept {
  if (sole && equals_ignoring_case(coding, "chunked")) return {};
  const std::size_t comma = coding.rfind(',');
  if (sole && comma != std::string_view::npos) {
    const std::string_view before = trim_blanks(coding.substr(0, comma));
    const bool chunked_last = equals_ignoring_case(trim_blanks(coding.substr(comma + 1)), "chunked");
    if (chunked_last && is_token(before) && !equals_ignoring_case(before, "chunked")) {
      return {501, "transfer coding not implemented"};
    }
  }
  return {400, "Transfer-Encoding other than chunked"};
}

}  // namespace

Refusal resolve_framing(RequestHead& head) noexcept {
  const FramingFields found = framing_fields(head.fields);
  head.framing = Framing::None;
  head.content_length = 0;
  head.has_content_length = false;
  if (found.codings > 0) {
    if (found.lengths > 0) return {400, "both Content-Length and Transfer-Encoding"};
    if (head.minor_version == 0) return {400, "Transfer-Encoding in HTTP/1.0"};
    if (const Refusal refusal = check_coding(found.coding, found.codings == 1)) return refusal;
    head.framing = Framing::Chunked;
    return {};
  }
  if (found.lengths == 0) return {};
  if (found.lengths > 1) return {400, "more than one Content-Length"};
  const auto length = parse_length(found.length);
  if (!length) return {400, "malformed Content-Length"};
  head.has_content_length = true;
  head.content_length = *length;
  head.framing = *length > 0 ? Framing::Length : Framing::None;
  return {};
}

Refusal resolve_framing(ResponseHead& head, Method request_method) noexcept {
  const FramingFields found = framing_fields(head.fields);
  head.framing = Framing::None;
  head.content_length = 0;
  head.has_content_length = false;
  if (found.codings > 0 && found.lengths > 0) return {502, "response with both Content-Length and Transfer-Encoding"};
  if (found.lengths > 1) return {502, "response with more than one Content-Length"};
  if (found.lengths == 1) {
    const auto length = parse_length(found.length);
    if (!length) return {502, "response with a malformed Content-Length"};
    head.has_content_length = true;
    head.content_length = *length;
  }
  if (has_no_body(request_method, head.status)) return {};  // whatever the fields say
  if (found.codings > 0) {
    if (head.minor_version == 0) return {502, "response with Transfer-Encoding in HTTP/1.0"};
    if (check_coding(found.coding, found.codings == 1)) return {502, "response with a Transfer-Encoding other than chunked"};
    head.framing = Framing::Chunked;
    return {};
  }
  if (head.status == 205) return {};  // RFC 9110 §15.3.6: no content
  if (head.has_content_length) {
    head.framing = head.content_length > 0 ? Framing::Length : Framing::None;
    return {};
  }
  head.framing = Framing::UntilClose;
  return {};
}

bool is_persistent(const FieldList& fields, std::uint8_t minor_version) noexcept {
  bool close = false;
  bool keep_alive = false;
  if (!fields.has(FieldId::Connection)) return minor_version > 0;
  for (const Field& field : fields) {
    if (field.id != FieldId::Connection) continue;
    for_each_element(fields.value(field), [&](std::string_view option) {
      close = close || equals_ignoring_case(option, "close");
      keep_alive = keep_alive || equals_ignoring_case(option, "keep-alive");
      return true;
    });
  }
  return !close && (minor_version > 0 || keep_alive);
}

}  // namespace tidegate::http
