// What the codec's tests share: every vector is fed whole, cut in two at every byte, and byte by byte, from memory of
// exactly its size, and must come out the same each time. The outcome is told as one line of text, so that a table of
// vectors reads as input and answer:
//   "GET /a @example.org 1.1 keep none [host=example.org] -[connection=x]"    accepted; '-' marks what is hop-by-hop
//   "400 more than one Host"                                                   refused
//   "more"                                                                     not complete
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "http/describe.h"
#include "http/h1_body.h"
#include "http/h1_head.h"

namespace tidegate::http::test {

/// The places where a message is cut: all of them, or every 61st of a long one and those around its end.
inline std::vector<std::size_t> cuts(std::size_t size) {
  std::vector<std::size_t> out;
  for (std::size_t at = 1; at < size; at += size <= 4096 || at + 64 > size ? 1 : 61) out.push_back(at);
  return out;
}

/// Feeds the first cut[0] bytes, then cut[1], ... and at last everything, each time from fresh memory.
template <class Decoder, class Head>
std::string feed_growing(Decoder& decoder, Head& head, std::string_view bytes, const std::vector<std::size_t>& sizes) {
  std::vector<char> seen;
  for (std::size_t i = 0; i <= sizes.size(); ++i) {
    const std::size_t size = i < sizes.size() ? sizes[i] : bytes.size();
    seen = std::vector<char>(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    seen.shrink_to_fit();
    switch (decoder.feed({seen.data(), seen.size()}, head)) {
      case HeadState::NeedMore: break;
      case HeadState::Done: return describe(head) + " /" + std::to_string(decoder.consumed());
      case HeadState::Refused:
        return std::to_string(decoder.refusal().status) + " " + std::string(decoder.refusal().reason);
    }
  }
  return "more";
}

template <class Head, class Make>
std::string feed_every_way(std::string_view bytes, const Make& make) {
  auto decoder = make();
  Head head;
  const std::string whole = feed_growing(decoder, head, bytes, {});
  const std::vector<std::size_t> places = cuts(bytes.size());
  for (const std::size_t cut : places) {
    auto again = make();
    EXPECT_EQ(feed_growing(again, head, bytes, {cut}), whole) << "cut at byte " << cut;
  }
  auto slowly = make();
  EXPECT_EQ(feed_growing(slowly, head, bytes, places), whole) << "byte by byte";
  return whole;
}

inline std::string request(std::string_view bytes, const HeadLimits& limits = {}) {
  return feed_every_way<RequestHead>(bytes, [&limits] {
    RequestHeadDecoder decoder(limits);
    decoder.reset();
    return decoder;
  });
}

inline std::string response(std::string_view bytes, Method asked = Method::Get,
                            const HeadLimits& limits = kResponseHeadLimits) {
  return feed_every_way<ResponseHead>(bytes, [&limits, asked] {
    ResponseHeadDecoder decoder(limits);
    decoder.reset(asked);
    return decoder;
  });
}

/// "data|trailers| /consumed", "refused: why" or "more: data".
inline std::string feed_body(Framing framing, std::uint64_t length, std::string_view bytes,
                             const std::vector<std::size_t>& sizes, bool ends) {
  BodyDecoder decoder;
  decoder.start(framing, length);
  std::string data;
  std::size_t taken = 0;
  for (std::size_t i = 0; i <= sizes.size(); ++i) {
    const std::size_t size = i < sizes.size() ? sizes[i] : bytes.size();
    std::vector<char> part(bytes.begin() + static_cast<std::ptrdiff_t>(taken),
                           bytes.begin() + static_cast<std::ptrdiff_t>(size));
    std::size_t at = 0;
    for (;;) {
      const BodyStep step = decoder.next({part.data() + at, part.size() - at});
      at += step.consumed;
      data += step.data;
      if (step.event == BodyEvent::Refused) return "refused: " + std::string(decoder.refusal());
      if (step.event == BodyEvent::End) {
        const FieldList* trailers = decoder.trailers();
        return data + "|" + (trailers == nullptr ? "" : describe(*trailers)) + "| /" + std::to_string(taken + at);
      }
      if (step.event == BodyEvent::NeedMore) break;
    }
    taken += at;
    EXPECT_EQ(at, part.size()) << "NeedMore without taking everything";
  }
  if (ends && decoder.end_of_stream()) return data + "|| /" + std::to_string(taken);
  return "more: " + data;
}

inline std::string body(Framing framing, std::uint64_t length, std::string_view bytes, bool ends = false) {
  const std::string whole = feed_body(framing, length, bytes, {}, ends);
  const std::vector<std::size_t> places = cuts(bytes.size());
  for (const std::size_t cut : places) {
    EXPECT_EQ(feed_body(framing, length, bytes, {cut}, ends), whole) << "cut at byte " << cut;
  }
  EXPECT_EQ(feed_body(framing, length, bytes, places, ends), whole) << "byte by byte";
  return whole;
}

inline std::string chunked(std::string_view bytes) { return body(Framing::Chunked, 0, bytes); }

/// A vector whose answer is a line of text; `answer` is a status with or without its reason, or a whole description.
struct Vector {
  const char* name;  ///< begins with the line of the checklist, where there is one
  std::string_view bytes;
  std::string_view answer;
};

}  // namespace tidegate::http::test
