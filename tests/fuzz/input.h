// What the HTTP targets share. An input is a message and, in its last three bytes, where to cut it and a byte of choices:
// so a seed reads as the message that it is.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "http/describe.h"
#include "http/h1_head.h"

namespace tidegate::fuzz {

struct Input {
  Input(const unsigned char* data, std::size_t size) {
    const std::string_view all(reinterpret_cast<const char*>(data), size);
    if (size < 3) return;
    bytes = all.substr(0, size - 3);
    cut = bytes.empty() ? 0 : (data[size - 3] | static_cast<std::size_t>(data[size - 2]) << 8) % (bytes.size() + 1);
    choices = data[size - 1];
  }
  std::string_view bytes;
  std::size_t cut = 0;
  unsigned char choices = 0;
};

/// Ends the process with both texts when they differ.
inline void must_equal(const std::string& a, const std::string& b, const char* what) {
  if (a == b) return;
  std::fprintf(stderr, "%s:\n  %s\n  %s\n", what, a.c_str(), b.c_str());
  std::abort();
}
inline void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

/// Shows the decoder prefixes of growing sizes and then everything, each in memory of exactly that size.
template <class Decoder, class Head>
std::string feed(Decoder& decoder, Head& head, std::string_view bytes, const std::vector<std::size_t>& sizes,
                 std::vector<char>& memory) {
  for (std::size_t i = 0; i <= sizes.size(); ++i) {
    const std::string_view seen = bytes.substr(0, i < sizes.size() ? sizes[i] : bytes.size());
    memory = std::vector<char>(seen.begin(), seen.end());
    switch (decoder.feed({memory.data(), memory.size()}, head)) {
      case http::HeadState::NeedMore: break;
      case http::HeadState::Refused:
        return std::to_string(decoder.refusal().status) + " " + std::string(decoder.refusal().reason);
      case http::HeadState::Done: return http::test::describe(head) + " /" + std::to_string(decoder.consumed());
    }
  }
  return "more";
}

inline std::vector<std::size_t> every_byte(std::size_t size) {
  std::vector<std::size_t> out;
  for (std::size_t i = 1; i < size; ++i) out.push_back(i);
  return out;
}

inline constexpr std::size_t kByteByByte = 300;  ///< longer inputs are cut in two only

}  // namespace tidegate::fuzz
