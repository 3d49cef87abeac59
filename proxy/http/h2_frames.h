// Where the frames of an HTTP/2 connection begin (RFC 9113 §4.1), ahead of the library that reads them: it tells its user nothing
// of frames that it ignores, and those are what must be counted, and what closed streams get.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace tidegate::http {

enum class H2FrameType : std::uint8_t {
  Data, Headers, Priority, RstStream, Settings, PushPromise, Ping, GoAway, WindowUpdate, Continuation,
};
inline constexpr std::uint8_t kH2EndStream = 0x1;   // of DATA and HEADERS
inline constexpr std::uint8_t kH2Ack = 0x1;         // of SETTINGS and PING
inline constexpr std::uint8_t kH2EndHeaders = 0x4;  // of HEADERS and CONTINUATION
inline constexpr std::size_t kH2FrameHeaderBytes = 9;
inline constexpr std::size_t kH2PrefaceBytes = 24;  // what a client sends before its first frame (RFC 9113 §3.4)

struct H2FrameHeader {
  std::uint32_t length = 0;
  H2FrameType type = H2FrameType::Data;  ///< also numbers that have no name here
  std::uint8_t flags = 0;
  std::int32_t stream = 0;
};

/// Cuts what arrives into pieces of at most one frame; a frame's first piece begins with its whole header.
class H2FrameScanner {
 public:
  /// @param before bytes that are before the first frame.
  explicit H2FrameScanner(std::size_t before) noexcept : left_(before) {}

  struct Piece {
    std::string_view bytes;                 ///< empty: more must arrive
    const H2FrameHeader* begins = nullptr;  ///< the frame that begins with it
  };
  /// Takes a piece from the front of `arrived`. Its bytes are valid until the next call, and as long as those that arrived.
  Piece next(std::string_view& arrived) noexcept {
    if (left_ > 0) return {take(arrived, left_), nullptr};
    if (held_ == 0 && arrived.size() >= kH2FrameHeaderBytes) {
      parse(arrived.data());
      const std::size_t payload = std::min<std::size_t>(left_, arrived.size() - kH2FrameHeaderBytes);
      left_ -= payload;
      std::size_t whole = kH2FrameHeaderBytes + payload;
      return {take(arrived, whole), &header_};
    }
    const std::size_t more = std::min(kH2FrameHeaderBytes - held_, arrived.size());
    std::copy_n(arrived.data(), more, bytes_.data() + held_);
    arrived.remove_prefix(more);
    held_ += more;
    if (held_ < kH2FrameHeaderBytes) return {};
    held_ = 0;
    parse(bytes_.data());
    return {{bytes_.data(), kH2FrameHeaderBytes}, &header_};
  }

 private:
  static std::string_view take(std::string_view& from, std::size_t& most) noexcept {
    const std::string_view taken = from.substr(0, most);
    from.remove_prefix(taken.size());
    most -= taken.size();
    return taken;
  }
  void parse(const char* from) noexcept {
    const auto byte = [from](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(from[i])); };
    header_.length = byte(0) << 16 | byte(1) << 8 | byte(2);
    header_.type = static_cast<H2FrameType>(byte(3));
    header_.flags = static_cast<std::uint8_t>(byte(4));
    header_.stream = static_cast<std::int32_t>((byte(5) & 0x7f) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8));
    left_ = header_.length;
  }

  std::size_t left_;      // bytes of the preface or of a payload that are still to come
  std::size_t held_ = 0;  // of a header that came in pieces
  std::array<char, kH2FrameHeaderBytes> bytes_{};
  H2FrameHeader header_;
};

}  // namespace tidegate::http
