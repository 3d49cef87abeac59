#include "http/h1_body.h"

#include <algorithm>

#include "http/grammar.h"
#include "http/h1_head.h"

namespace tidegate::http {

void BodyDecoder::start(Framing framing, std::uint64_t length) noexcept {
  refusal_ = {};
  if (!trailer_text_.empty()) trailer_text_.clear();
  if (!trailers_.empty()) trailers_.clear();
  remaining_ = 0;
  switch (framing) {
    case Framing::None: state_ = State::Done; break;
    case Framing::Length:
      remaining_ = length;
      state_ = length > 0 ? State::Length : State::Done;
      break;
    case Framing::UntilClose:
    case Framing::Frames: state_ = State::UntilClose; break;
    case Framing::Chunked:
      state_ = State::Size;
      size_digits_ = 0;
      extension_bytes_ = extension_total_ = 0;
      break;
  }
}

bool BodyDecoder::end_of_stream() noexcept {
  if (state_ == State::UntilClose) state_ = State::Done;
  return state_ == State::Done;
}

BodyStep BodyDecoder::refuse(std::string_view reason) noexcept {
  state_ = State::Refused;
  refusal_ = reason;
  return {BodyEvent::Refused, {}, 0};
}

/// Data whose number of bytes is known: of a Content-Length body or of one chunk.
BodyStep BodyDecoder::counted(std::string_view bytes) noexcept {
  const std::size_t take = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, bytes.size()));
  remaining_ -= take;
  if (remaining_ == 0) state_ = state_ == State::Length ? State::Done : State::DataCr;
  return {BodyEvent::Data, bytes.substr(0, take), take};
}

void BodyDecoder::pass(std::uint64_t bytes) noexcept {
  remaining_ -= bytes;
  if (remaining_ == 0) state_ = State::Done;
}

BodyStep BodyDecoder::next(std::string_view bytes) {
  if (state_ == State::Done) return {BodyEvent::End, {}, 0};
  if (state_ == State::Refused) return {BodyEvent::Refused, {}, 0};
  for (std::size_t at = 0; at < bytes.size();) {
    switch (state_) {
      case State::UntilClose: return {BodyEvent::Data, bytes, bytes.size()};
      case State::Length: return counted(bytes);
      case State::ChunkData: {
        BodyStep step = counted(bytes.substr(at));
        step.consumed += at;
        return step;
      }
      case State::DataCr:
        if (bytes[at++] != '\r') return refuse("chunk data not followed by CRLF");
        state_ = State::DataLf;
        break;
      case State::DataLf:
        if (bytes[at++] != '\n') return refuse("chunk data not followed by CRLF");
        state_ = State::Size;
        size_digits_ = 0;
        extension_bytes_ = 0;
        break;
      case State::Trailer: return take_trailers(bytes, at);
      default:
        if (!take_size_line(bytes[at++])) return refuse(refusal_);
        break;
    }
  }
  return {BodyEvent::NeedMore, {}, bytes.size()};
}

bool BodyDecoder::take_size_digit(char c) noexcept {
  const char l = lower(c);
  std::uint64_t digit = 0;
  if (is_digit(c)) {
    digit = static_cast<std::uint64_t>(c - '0');
  } else if (l >= 'a' && l <= 'f') {
    digit = static_cast<std::uint64_t>(l - 'a' + 10);
  } else {
    return false;
  }
  if (size_digits_ == 0) remaining_ = 0;
  ++size_digits_;
  remaining_ = remaining_ * 16 + digit;
  return true;
}

/// One octet of chunk-size [ chunk-ext ] CRLF (RFC 9112 §7.1). @return false with refusal_ set.
bool BodyDecoder::take_size_line(char c) noexcept {
  if (state_ == State::SizeLf) {
    if (c != '\n') {
      refusal_ = "chunk size line that does not end with CRLF";
      return false;
    }
    state_ = remaining_ > 0 ? State::ChunkData : State::Trailer;
    return true;
  }
  if (state_ == State::Size) {
    if (take_size_digit(c)) {
      if (size_digits_ <= 15) return true;  // 60 bits: no overflow, and nobody sends an exbibyte
      refusal_ = "chunk size too long";
      return false;
    }
    if (size_digits_ == 0 || (c != '\r' && c != ';' && !is_blank(c))) {
      refusal_ = "malformed chunk size";
      return false;
    }
    state_ = c == '\r' ? State::SizeLf : c == ';' ? State::Extension : State::ExtensionBlank;
    return true;
  }
  if (++extension_bytes_ > kChunkExtensionBytes || ++extension_total_ > kChunkExtensionTotal) {
    refusal_ = "chunk extensions too long";
    return false;
  }
  if (take_extension(c)) return true;
  refusal_ = "malformed chunk extension";
  return false;
}

/// *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ), RFC 9112 §7.1.1. Read, checked and dropped.
bool BodyDecoder::take_extension(char c) noexcept {
  switch (state_) {
    case State::Extension:  // after ';'
      if (is_blank(c)) return true;
      state_ = State::ExtensionName;
      return is_token_char(c);
    case State::ExtensionName:
      if (is_token_char(c)) return true;
      state_ = c == '=' ? State::ExtensionEquals : c == ';' ? State::Extension : c == '\r' ? State::SizeLf : State::ExtensionNameBlank;
      return c == '=' || c == ';' || c == '\r' || is_blank(c);
    case State::ExtensionNameBlank:
      if (is_blank(c)) return true;
      state_ = c == '=' ? State::ExtensionEquals : State::Extension;
      return c == '=' || c == ';';
    case State::ExtensionEquals:
      if (is_blank(c)) return true;
      state_ = c == '"' ? State::ExtensionQuoted : State::ExtensionValue;
      return c == '"' || is_token_char(c);
    case State::ExtensionValue:
      if (is_token_char(c)) return true;
      [[fallthrough]];
    case State::ExtensionAfterValue:
      state_ = c == ';' ? State::Extension : c == '\r' ? State::SizeLf : State::ExtensionBlank;
      return c == ';' || c == '\r' || is_blank(c);
    case State::ExtensionBlank:  // whitespace that only another extension may follow
      if (is_blank(c)) return true;
      state_ = State::Extension;
      return c == ';';
    case State::ExtensionQuoted:
      if (c == '"') {
        state_ = State::ExtensionAfterValue;
      } else if (c == '\\') {
        state_ = State::ExtensionEscape;
      }
      return is_field_byte(c);
    case State::ExtensionEscape: state_ = State::ExtensionQuoted; return is_field_byte(c);
    default: return false;
  }
}

BodyStep BodyDecoder::take_trailers(std::string_view bytes, std::size_t at) {
  while (at < bytes.size()) {
    const std::size_t lf = bytes.find('\n', at);
    const std::size_t end = lf == std::string_view::npos ? bytes.size() : lf + 1;
    if (trailer_text_.size() + (end - at) > kTrailerBytes) return refuse("trailer section too long");
    trailer_text_.append(bytes, at, end - at);
    at = end;
    if (lf == std::string_view::npos) break;
    if (!trailer_text_.ends_with("\r\n")) return refuse("trailer line that does not end with CRLF");
    if (trailer_text_.size() == 2 || trailer_text_.ends_with("\r\n\r\n")) {
      if (!end_trailer_section()) return refuse(refusal_);
      return {BodyEvent::End, {}, at};
    }
  }
  return {BodyEvent::NeedMore, {}, at};
}

bool BodyDecoder::end_trailer_section() {
  state_ = State::Done;
  if (trailer_text_.size() == 2) return true;
  FieldList& fields = trailers_.emplace_back();
  fields.set_base(trailer_text_.data());
  detail::HeadLines lines;
  lines.reset();
  std::string_view line;
  std::uint32_t at = 0;
  while (lines.next(trailer_text_, line, at) == detail::HeadLines::Step::Line && !line.empty()) {
    if (fields.size() >= kTrailerFields) {
      refusal_ = "too many trailer fields";
      return false;
    }
    if (const char* wrong = detail::parse_field_line(line, at, fields)) {
      refusal_ = wrong;
      return false;
    }
  }
  return true;
}

}  // namespace tidegate::http
