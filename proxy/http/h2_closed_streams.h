// How the streams that closed lately did, for what still arrives for them (RFC 9113 §5.1 "closed"): after END_STREAM that is an
// error of the connection, after the peer's reset one of the stream, after ours it is late and ignored. Bounded: what was forgotten
// is given the benefit of the doubt, and only what surely was never opened is called so.
#pragma once

#include <array>
#include <cstdint>

namespace tidegate::http {

enum class H2Ending : std::uint8_t {
  Unknown,     ///< forgotten
  NeverBegan,  ///< skipped: closed when a stream with a higher number began (RFC 9113 §5.1.1)
  Complete,    ///< by END_STREAM
  ByPeer,      ///< by its RST_STREAM
  ByUs,        ///< by our RST_STREAM, or never taken
};

class H2ClosedStreams {
 public:
  static constexpr std::size_t kMost = 256;  // more than 100 streams of the default, twice

  void add(std::int32_t stream, H2Ending how) noexcept {
    std::uint32_t& place = ring_[next_++ % kMost];
    if (place != 0 && id_of(place) > forgotten_) forgotten_ = id_of(place);
    place = static_cast<std::uint32_t>(stream) >> 1 << 2 | code_of(how);
  }
  /// @param stream odd, and not open.
  H2Ending find(std::int32_t stream) const noexcept {
    const std::uint32_t number = static_cast<std::uint32_t>(stream) >> 1;
    for (const std::uint32_t place : ring_) {
      if (place >> 2 == number && (place & 3) != 0) return static_cast<H2Ending>((place & 3) + 1);
    }
    return stream > forgotten_ ? H2Ending::NeverBegan : H2Ending::Unknown;
  }

 private:
  static constexpr std::uint32_t code_of(H2Ending how) noexcept { return static_cast<std::uint32_t>(how) - 1; }  // 1 to 3
  static constexpr std::int32_t id_of(std::uint32_t place) noexcept { return static_cast<std::int32_t>((place >> 2 << 1) | 1); }

  std::array<std::uint32_t, kMost> ring_{};  // half the number, and the code
  std::uint32_t next_ = 0;
  std::int32_t forgotten_ = 0;  // the highest number that was
};

}  // namespace tidegate::http
