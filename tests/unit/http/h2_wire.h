// HTTP/2 frames by hand, for the tests of the codec: what a peer may send, right or wrong (RFC 9113 §4, §6; field sections as
// literals without indexing, RFC 7541 §6.2.2), and what the codec sent as text, one frame an item:
//   "SETTINGS HEADERS(1) DATA(1)=hello+END GOAWAY(1 ENHANCE_YOUR_CALM)"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidegate::http::test {

inline const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum Type : std::uint8_t { kData, kHeaders, kPriority, kRst, kSettings, kPush, kPing, kGoAway, kWindowUpdate, kContinuation };
enum Flag : std::uint8_t { kNone = 0, kEnd = 1, kAck = 1, kEndHeaders = 4, kPadded = 8, kPriorityFlag = 0x20 };

inline std::string number(std::uint32_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  return out;
}

inline std::string frame(int type, int flags, std::uint32_t stream, std::string_view payload = {}) {
  std::string out = number(static_cast<std::uint32_t>(payload.size()), 3);
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  return out + number(stream, 4) + std::string(payload);
}

inline std::string hpack_text(std::string_view text) {
  std::string out;
  if (text.size() < 127) {
    out.push_back(static_cast<char>(text.size()));
  } else {
    out.push_back(127);
    std::size_t left = text.size() - 127;
    for (; left >= 128; left >>= 7) out.push_back(static_cast<char>((left & 127) | 128));
    out.push_back(static_cast<char>(left));
  }
  return out + std::string(text);
}

using Fields = std::vector<std::pair<std::string, std::string>>;

inline std::string section(const Fields& fields) {
  std::string out;
  for (const auto& [name, value] : fields) out += '\0' + hpack_text(name) + hpack_text(value);
  return out;
}

/// The pseudo-header fields of a GET of / at h, then `more`.
inline Fields get(const Fields& more = {}) {
  Fields all{{":method", "GET"}, {":scheme", "https"}, {":path", "/"}, {":authority", "h"}};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}
inline Fields post(const Fields& more = {}) {
  Fields all = get(more);
  all[0].second = "POST";
  return all;
}

inline std::string headers(std::uint32_t stream, const Fields& fields, int flags = kEndHeaders) {
  return frame(kHeaders, flags, stream, section(fields));
}
inline std::string data(std::uint32_t stream, std::string_view bytes, int flags = kNone) {
  return frame(kData, flags, stream, bytes);
}
inline std::string settings(const std::vector<std::pair<int, std::uint32_t>>& entries = {}) {
  std::string payload;
  for (const auto& [id, value] : entries) payload += number(static_cast<std::uint32_t>(id), 2) + number(value, 4);
  return frame(kSettings, kNone, 0, payload);
}
inline std::string settings_ack() { return frame(kSettings, kAck, 0); }
inline std::string rst(std::uint32_t stream, std::uint32_t code) { return frame(kRst, kNone, stream, number(code, 4)); }
inline std::string window_update(std::uint32_t stream, std::uint32_t by) {
  return frame(kWindowUpdate, kNone, stream, number(by, 4));
}
inline std::string ping(int flags = kNone) { return frame(kPing, flags, 0, "12345678"); }
inline std::string priority(std::uint32_t stream, std::uint32_t on) {
  return frame(kPriority, kNone, stream, number(on, 4) + '\x10');
}
inline std::string goaway(std::uint32_t last, std::uint32_t code) {
  return frame(kGoAway, kNone, 0, number(last, 4) + number(code, 4));
}

inline std::string code_name(std::uint32_t code) {
  static constexpr const char* kNames[] = {"NO_ERROR",           "PROTOCOL_ERROR",      "INTERNAL_ERROR",    "FLOW_CONTROL_ERROR",
                                           "SETTINGS_TIMEOUT",   "STREAM_CLOSED",       "FRAME_SIZE_ERROR",  "REFUSED_STREAM",
                                           "CANCEL",             "COMPRESSION_ERROR",   "CONNECT_ERROR",     "ENHANCE_YOUR_CALM",
                                           "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"};
  return code < 14 ? kNames[code] : std::to_string(code);
}

struct Frame {
  int type = 0;
  int flags = 0;
  std::uint32_t stream = 0;
  std::string payload;

  std::uint32_t word(std::size_t at) const {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(payload.at(at + i));
    return value;
  }
};

/// All of the frames in `bytes`, which must be whole; a client's preface before them is left out.
inline std::vector<Frame> frames_of(std::string_view bytes) {
  std::vector<Frame> out;
  if (bytes.starts_with(kPreface)) bytes.remove_prefix(kPreface.size());
  const auto byte = [&bytes](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])); };
  while (bytes.size() >= 9) {
    const std::size_t size = byte(0) << 16 | byte(1) << 8 | byte(2);
    Frame one{static_cast<int>(byte(3)), static_cast<int>(byte(4)), byte(5) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8),
              std::string(bytes.substr(9, size))};
    out.push_back(std::move(one));
    bytes.remove_prefix(9 + size);
  }
  return out;
}

inline std::string describe(const Frame& one) {
  static constexpr const char* kNames[] = {"DATA", "HEADERS", "PRIORITY",      "RST",         "SETTINGS", "PUSH_PROMISE",
                                           "PING", "GOAWAY",  "WINDOW_UPDATE", "CONTINUATION"};
  std::string out = one.type < 10 ? kNames[one.type] : "?";
  const bool ack = (one.flags & kAck) != 0 && (one.type == kSettings || one.type == kPing);
  if (ack) return out + "+ACK";
  if (one.type == kGoAway) {
    const std::uint32_t last = one.word(0);
    return out + "(" + (last == 0x7fffffff ? "max" : std::to_string(last)) + " " + code_name(one.word(4)) + ")";
  }
  if (one.type == kRst) return out + "(" + std::to_string(one.stream) + " " + code_name(one.word(0)) + ")";
  if (one.type == kWindowUpdate) return out + "(" + std::to_string(one.stream) + " " + std::to_string(one.word(0)) + ")";
  if (one.type == kSettings || one.type == kPing) return out;
  out += "(" + std::to_string(one.stream) + ")";
  if (one.type == kData) {
    out += "=" + (one.payload.size() <= 40 ? one.payload : std::to_string(one.payload.size()) + " bytes");
  }
  if ((one.flags & kEnd) != 0 && (one.type == kData || one.type == kHeaders)) out += "+END";
  return out;
}

/// What the tests care for: the frames of the preface and what acknowledges are left out.
inline std::string told_to_peer(std::string_view bytes, bool all = false) {
  std::string out;
  for (const Frame& one : frames_of(bytes)) {
    const bool usual = one.type == kSettings || (one.type == kPing && (one.flags & kAck) != 0) ||
                       (one.type == kWindowUpdate && one.stream == 0);
    if (usual && !all) continue;
    out += (out.empty() ? "" : " ") + describe(one);
  }
  return out;
}

}  // namespace tidegate::http::test
