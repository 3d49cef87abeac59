#include "http/h1_encode.h"

#include <algorithm>
#include <charconv>

#include "http/grammar.h"

namespace tidegate::http {

void HeadWriter::number(std::uint64_t value) noexcept {
  at_ = std::to_chars(at_, at_ + 20, value).ptr;
}

std::size_t encoded_size(const FieldList& fields) noexcept {
  std::size_t bytes = 0;
  for (const Field& field : fields) bytes += field.name_size + field.value_size + 4;
  return bytes;
}

ChunkHeader::ChunkHeader(std::uint64_t size) noexcept : begin_(text_.size() - 2) {
  text_[begin_] = '\r';
  text_[begin_ + 1] = '\n';
  do {
    text_[--begin_] = "0123456789abcdef"[size & 15];
    size >>= 4;
  } while (size != 0);
}

bool may_be_trailer(std::string_view name, FieldId id) noexcept {
  if (id != FieldId::Other) return false;
  constexpr std::string_view kForwarded = "x-forwarded-";  // also those without an id of their own
  if (equals_ignoring_case(name.substr(0, kForwarded.size()), kForwarded)) return false;
  static constexpr std::array<std::string_view, 24> kForbidden{
      "age",          "authorization",       "cache-control",   "content-encoding",   "content-range", "content-type",
      "cookie",       "date",                "expires",         "if-match",           "if-none-match", "if-modified-since",
      "if-range",     "if-unmodified-since", "location",        "max-forwards",       "pragma",        "proxy-authenticate",
      "proxy-authorization", "range",        "retry-after",     "set-cookie",         "vary",          "www-authenticate"};
  return std::none_of(kForbidden.begin(), kForbidden.end(),
                      [name](std::string_view known) { return equals_ignoring_case(name, known); });
}

void encode_last_chunk(Buffer& out, const FieldList* trailers) {
  if (trailers == nullptr) {
    out.append(kLastChunk);
    return;
  }
  HeadWriter writer(out, encoded_size(*trailers) + 8);
  writer.put("0\r\n");
  for (const Field& field : *trailers) {
    const std::string_view name = trailers->name(field);
    if (may_be_trailer(name, field.id)) writer.field(name, trailers->value(field));
  }
  writer.finish();
}

}  // namespace tidegate::http
