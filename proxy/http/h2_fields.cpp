#include "http/h2_fields.h"

#include <cstring>

#include "http/grammar.h"
#include "http/h1_encode.h"
#include "http/websocket_handshake.h"

namespace tidegate::http {

namespace {

/// RFC 9113 §8.2.2; Host is :authority.
bool belongs_to_http1(std::string_view name, bool request) noexcept {
  switch (name.size()) {
    case 4: return request && name == "host";
    case 7: return name == "upgrade";
    case 10: return name == "connection" || name == "keep-alive";
    case 16: return name == "proxy-connection";
    case 17: return name == "transfer-encoding";
    default: return false;
  }
}

char* line_end(char* at, char* end) noexcept {
  auto* const lf = static_cast<char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)));
  return lf == nullptr ? end : lf;
}

std::string_view text(const char* from, const char* to) noexcept { return {from, static_cast<std::size_t>(to - from)}; }

}  // namespace

void H2Fields::add_lines(char* at, char* end, bool request) {
  while (at < end && *at != '\r') {
    char* const lf = line_end(at, end);
    char* colon = at;
    for (; *colon != ':'; ++colon) *colon = lower(*colon);
    const H2Field field{text(at, colon), text(colon + 2, lf - 1)};
    at = lf + 1;
    if (request && field.name == "host") fields_[2].value = field.value;
    if (request && field.name == "upgrade") protocol_ = field.value;
    if (!belongs_to_http1(field.name, request)) fields_.push_back(field);
  }
}

void H2Fields::assign_request(Buffer& encoded, std::string_view scheme) {
  char* const begin = encoded.data();
  char* const end = begin + encoded.size();
  const std::string_view line = text(begin, line_end(begin, end) - 1);
  const std::size_t method_end = line.find(' ');
  const std::size_t target_end = line.rfind(' ');
  fields_.clear();
  fields_.push_back({":method", line.substr(0, method_end)});
  fields_.push_back({":scheme", scheme});
  fields_.push_back({":authority", {}});
  fields_.push_back({":path", line.substr(method_end + 1, target_end - method_end - 1)});
  protocol_ = {};
  add_lines(begin + line.size() + 2, end, true);
  if (protocol_.empty()) return;
  fields_[0].value = "CONNECT";
  std::erase_if(fields_, [](const H2Field& field) { return field.name == kWebSocketKeyName; });
  fields_.insert(fields_.begin() + 1, {":protocol", protocol_});
}

void H2Fields::assign_response(Buffer& encoded) {
  constexpr std::size_t kStatusAt = 9;  // behind "HTTP/1.1 "
  char* const begin = encoded.data();
  char* const end = begin + encoded.size();
  status_ = 0;
  for (std::size_t i = kStatusAt; i < kStatusAt + 3; ++i) status_ = static_cast<std::uint16_t>(status_ * 10 + (begin[i] - '0'));
  fields_.clear();
  add_lines(line_end(begin, end) + 1, end, false);
}

void H2Fields::assign_trailers(const FieldList& trailers, Buffer& lowered) {
  fields_.clear();
  lowered.clear();
  lowered.reserve(encoded_size(trailers) + 1);  // it does not move from here on
  for (const Field& field : trailers) {
    const std::string_view name = trailers.name(field);
    if (!may_be_trailer(name, field.id)) continue;
    char* const to = lowered.free_space();
    lowered.append(name);
    for (std::size_t i = 0; i < name.size(); ++i) to[i] = lower(to[i]);
    fields_.push_back({{to, name.size()}, trailers.value(field)});
  }
}

}  // namespace tidegate::http
