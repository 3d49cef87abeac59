// Heads as one line of text, for the tests and the fuzz targets: everything that the model says, in a fixed order.
#pragma once

#include <string>
#include <string_view>

#include "http/grammar.h"
#include "http/head.h"

namespace tidegate::http::test {

inline std::string describe(Framing framing, std::uint64_t length) {
  switch (framing) {
    case Framing::None: return "none";
    case Framing::Length: return "length:" + std::to_string(length);
    case Framing::Chunked: return "chunked";
    case Framing::UntilClose: return "until-close";
    case Framing::Frames: return "frames";
  }
  return "?";
}

inline std::string describe(const FieldList& fields) {
  std::string out;
  for (const Field& field : fields) {
    out += field.hop_by_hop ? " -[" : " [";
    for (const char c : fields.name(field)) out += lower(c);
    out += "=" + std::string(fields.value(field)) + "]";
  }
  return out;
}

inline std::string describe(const RequestHead& head) {
  std::string out(head.method_token);
  out += " " + std::string(head.target) + " @" + std::string(head.authority);
  out += head.minor_version == 1 ? " 1.1" : " 1.0";
  out += head.keep_alive ? " keep " : " close ";
  out += describe(head.framing, head.content_length);
  if (head.has_content_length && head.framing == Framing::None) out += " cl:" + std::to_string(head.content_length);
  if (head.expects_continue) out += " continue";
  return out + describe(head.fields);
}

inline std::string describe(const ResponseHead& head) {
  std::string out = std::to_string(head.status) + " '" + std::string(head.reason) + "'";
  out += head.minor_version == 1 ? " 1.1" : " 1.0";
  out += head.keep_alive ? " keep " : " close ";
  out += describe(head.framing, head.content_length);
  if (head.has_content_length && head.framing == Framing::None) out += " cl:" + std::to_string(head.content_length);
  return out + describe(head.fields);
}

}  // namespace tidegate::http::test
