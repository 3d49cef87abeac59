// What the tests of forward/ share: a parsed head with its bytes, and a head written to text.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "forward/rewrite.h"
#include "http/h1_head.h"

namespace tidegate::forward::test {

/// A request head that was received; `text` without the empty line at its end.
struct Received {
  explicit Received(std::string_view text) : bytes(std::string(text) + "\r\n") {
    http::RequestHeadDecoder decoder({});
    decoder.reset();
    EXPECT_EQ(decoder.feed(bytes, head), http::HeadState::Done) << decoder.refusal().reason;
  }
  std::string bytes;
  http::RequestHead head;
};

/// A response head that an upstream sent.
struct Answer {
  explicit Answer(std::string_view text, http::Method asked = http::Method::Get) : bytes(std::string(text) + "\r\n") {
    http::ResponseHeadDecoder decoder;
    decoder.reset(asked);
    EXPECT_EQ(decoder.feed(bytes, head), http::HeadState::Done) << decoder.refusal().reason;
  }
  std::string bytes;
  http::ResponseHead head;
};

inline RequestContext context_of_a_stranger() {
  RequestContext context;
  context.peer = "192.0.2.7";
  context.request_id = "id-1";
  return context;
}

inline std::string encode(const http::RequestHead& head, const RequestContext& context) {
  BlockPool pool;
  Buffer out(pool);
  encode_request(out, head, context);
  return std::string(out.view());
}
inline std::string encode(std::string_view text, const RequestContext& context = context_of_a_stranger()) {
  return encode(Received(text).head, context);
}

inline std::string encode(const http::ResponseHead& head, const ResponseContext& context) {
  BlockPool pool;
  Buffer out(pool);
  encode_response(out, head, context);
  return std::string(out.view());
}

/// Lines that begin with "name: " in lower case, joined with '|'; "" when there is none.
inline std::string lines(const std::string& head, std::string_view name) {
  std::string found;
  for (std::size_t at = 0; at < head.size();) {
    const std::size_t end = head.find("\r\n", at);
    if (end == std::string::npos || end == at) break;  // the end of the head
    std::string line = head.substr(at, end - at);
    const std::size_t colon = line.find(':');
    if (colon == name.size() && std::equal(name.begin(), name.end(), line.begin(), [](char wanted, char c) {
          return wanted == (c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
        })) {
      if (!found.empty()) found += '|';
      found += line.substr(std::min(line.size(), colon + 2));
    }
    at = end + 2;
  }
  return found;
}
/// True when a line of that name is there.
inline bool has(const std::string& head, std::string_view name) {
  std::string lower = head;
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return lower.find("\r\n" + std::string(name) + ":") != std::string::npos;
}

}  // namespace tidegate::forward::test
