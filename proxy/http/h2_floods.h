// Counts what a peer may do to an HTTP/2 connection without wanting anything (RFC 9113 §10.5). A value: time is an argument. Each
// question is asked when such a frame came, and answered by nullptr or by the sentence of the limit that it went over.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"
#include "http/h2_limits.h"

namespace tidegate::http {

class H2Bucket {
 public:
  H2Bucket(const H2Rate& rate, TimePoint now) noexcept : rate_(rate), tokens_(rate.burst), at_(now) {}

  bool take(TimePoint now) noexcept {
    if (now > at_) {
      tokens_ = std::min<double>(rate_.burst, tokens_ + seconds(now - at_) * rate_.per_second);
      at_ = now;
    }
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  H2Rate rate_;
  double tokens_;
  TimePoint at_;
};

class H2Floods {
 public:
  H2Floods(const H2Limits& limits, TimePoint now) noexcept
      : limits_(limits), glitches_(limits.glitches, now), resets_(limits.resets, now), empty_data_(limits.empty_data, now) {}

  /// A stream began: the peer may say this and that about it.
  void stream_began() noexcept { save_up(limits_.useful_per_stream); }
  /// A DATA frame was sent: it may be answered by windows and probes.
  void data_sent() noexcept { save_up(limits_.useful_per_data_frame); }

  const char* glitch(TimePoint now) noexcept {
    return glitches_.take(now) ? nullptr : "too many frames that bring nothing (glitches)";
  }
  /// WINDOW_UPDATE, PING, PRIORITY, a frame of a type that is not known.
  const char* useful(TimePoint now) noexcept {
    if (useful_ == 0) return glitch(now);
    --useful_;
    return nullptr;
  }
  const char* reset(TimePoint now) noexcept { return resets_.take(now) ? nullptr : "too many streams reset (resets)"; }
  const char* empty_data(TimePoint now) noexcept {
    return empty_data_.take(now) ? nullptr : "too many empty DATA frames (empty_data)";
  }
  void section_began() noexcept { continuations_ = 0; }
  const char* continuation() noexcept {
    return ++continuations_ > limits_.continuations ? "too many CONTINUATION frames (continuations)" : nullptr;
  }
  const char* settings(std::uint32_t entries, TimePoint now) noexcept {
    return entries > limits_.settings_entries ? "too many entries in SETTINGS (settings_entries)" : glitch(now);
  }
  const char* queued(std::size_t frames, std::size_t open) const noexcept {
    const bool over = frames > limits_.queued_control + open * kH2QueuedPerStream;
    return over ? "too many answers that are not read (queued_control)" : nullptr;
  }

 private:
  void save_up(std::uint32_t more) noexcept { useful_ = std::min(useful_ + more, limits_.useful_most); }

  H2Limits limits_;
  H2Bucket glitches_, resets_, empty_data_;
  std::uint32_t useful_ = 5;  // Envoy's, for a connection that just began
  std::uint32_t continuations_ = 0;
};

}  // namespace tidegate::http
