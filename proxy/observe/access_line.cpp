#include "observe/access_line.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cstring>
#include <limits>
#include <string_view>

#include "observe/json_text.h"

namespace tidegate::observe {

namespace {

using namespace std::literals;

constexpr std::size_t kTexts = 15;
constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();
constexpr std::string_view kCutMark = "...";
constexpr std::size_t kNumberBytes = 24;  // of an integer of 64 bits, or of one with three decimals
constexpr std::size_t kTimeBytes = "\"2026-01-31T23:59:59.999Z\""sv.size();

/// The fields in their order; `out` writes or measures them.
template <class Out>
void compose(const AccessRecord& record, Out& out) noexcept {
  out.time(R"({"start_time":)", record.start_time_ms);
  out.text(R"(,"method":)", record.method);
  out.text(R"(,"path":)", record.path);
  out.text(R"(,"protocol":)", record.protocol);
  out.number(R"(,"response_code":)", record.response_code);
  out.text(R"(,"response_flags":)", record.response_flags);
  out.number(R"(,"bytes_received":)", record.bytes_received);
  out.number(R"(,"bytes_sent":)", record.bytes_sent);
  out.milliseconds(R"(,"duration":)", record.duration);
  out.milliseconds(R"(,"upstream_service_time":)", record.upstream_service_time);
  out.text(R"(,"x_forwarded_for":)", record.x_forwarded_for);
  out.text(R"(,"user_agent":)", record.user_agent);
  out.text(R"(,"request_id":)", record.request_id);
  out.text(R"(,"authority":)", record.authority);
  out.text(R"(,"upstream_host":)", record.upstream_host);
  out.text(R"(,"upstream_cluster":)", record.upstream_cluster);
  out.text(R"(,"route_name":)", record.route_name);
  out.text(R"(,"downstream_remote_address":)", record.downstream_remote_address);
  out.text(R"(,"side":)", record.side);
  out.number(R"(,"epoch":)", record.epoch);
  out.text(R"(,"reason":)", record.reason);
  out.raw(record.mirrored ? R"(,"mirrored":true)"sv : R"(,"mirrored":false)"sv);
  out.text(R"(,"trace_id":)", record.trace_id);
  out.raw("}\n");
}

char* put_digits(char* to, unsigned value, int width) noexcept {
  for (int i = width - 1; i >= 0; --i, value /= 10) to[i] = static_cast<char>('0' + value % 10);
  return to + width;
}

class Writer {
 public:
  /// @param text_most escaped bytes of a text before it is cut.
  Writer(std::span<char> room, std::size_t text_most) noexcept
      : begin_(room.data()), at_(begin_), end_(begin_ + room.size()), text_most_(text_most) {}

  /// 0 if the room was too small.
  std::size_t size() const noexcept { return whole_ ? static_cast<std::size_t>(at_ - begin_) : 0; }

  void raw(std::string_view bytes) noexcept {
    if (!has_room(bytes.size())) return;
    std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }

  void text(std::string_view key, std::string_view value) noexcept {
    raw(key);
    if (value.empty()) return raw("null");
    raw("\"");
    if (text_most_ != kUnlimited && escaped_length(value) > text_most_) {
      cut(value);
    } else {
      const Escaped escaped = escape_json(value, at_, end_);
      at_ = escaped.end;
      whole_ = whole_ && escaped.whole;
    }
    raw("\"");
  }

  void number(std::string_view key, std::uint64_t value) noexcept {
    raw(key);
    if (has_room(kNumberBytes)) at_ = std::to_chars(at_, end_, value).ptr;
  }

  /// Negative is null. Trailing zeros say nothing and are left out.
  void milliseconds(std::string_view key, Duration value) noexcept {
    if (value < Duration::zero()) {
      raw(key);
      return raw("null");
    }
    const auto us = static_cast<std::uint64_t>(std::chrono::floor<std::chrono::microseconds>(value).count());
    number(key, us / 1000);
    const auto rest = static_cast<unsigned>(us % 1000);
    if (rest == 0 || !has_room(kNumberBytes)) return;
    *at_++ = '.';
    at_ = put_digits(at_, rest, 3);
    while (at_[-1] == '0') --at_;
  }

  /// Clamped to 1970..9999: RFC 3339 has four digits for a year.
  void time(std::string_view key, std::int64_t since_epoch_ms) noexcept {
    using namespace std::chrono;
    constexpr std::int64_t last = 253'402'300'799'999;
    raw(key);
    if (!has_room(kTimeBytes)) return;
    const sys_time<std::chrono::milliseconds> at{
        std::chrono::milliseconds(std::clamp<std::int64_t>(since_epoch_ms, 0, last))};
    const auto day = floor<days>(at);
    const year_month_day date(day);
    const hh_mm_ss clock(at - day);
    part('"', static_cast<unsigned>(static_cast<int>(date.year())), 4);
    part('-', static_cast<unsigned>(date.month()), 2);
    part('-', static_cast<unsigned>(date.day()), 2);
    part('T', static_cast<unsigned>(clock.hours().count()), 2);
    part(':', static_cast<unsigned>(clock.minutes().count()), 2);
    part(':', static_cast<unsigned>(clock.seconds().count()), 2);
    part('.', static_cast<unsigned>(clock.subseconds().count()), 3);
    raw("Z\"");
  }

 private:
  bool has_room(std::size_t bytes) noexcept {
    whole_ = whole_ && static_cast<std::size_t>(end_ - at_) >= bytes;
    return whole_;
  }

  void part(char before, unsigned value, int width) noexcept {
    *at_++ = before;
    at_ = put_digits(at_, value, width);
  }

  void cut(std::string_view value) noexcept {
    if (!has_room(text_most_)) return;
    at_ = escape_json(value, at_, at_ + (text_most_ - kCutMark.size())).end;
    raw(kCutMark);
  }

  char* const begin_;
  char* at_;
  char* const end_;
  const std::size_t text_most_;
  bool whole_ = true;
};

/// What the texts of a record need, and the rest at its most.
class Measure {
 public:
  void raw(std::string_view bytes) noexcept { rest_ += bytes.size(); }
  void text(std::string_view key, std::string_view value) noexcept {
    rest_ += key.size() + "null"sv.size();  // or two quotes
    assert(count_ < kTexts);
    lengths_[count_++] = escaped_length(value);
  }
  void number(std::string_view key, std::uint64_t) noexcept { rest_ += key.size() + kNumberBytes; }
  void milliseconds(std::string_view key, Duration) noexcept { rest_ += key.size() + 2 * kNumberBytes; }
  void time(std::string_view key, std::int64_t) noexcept { rest_ += key.size() + kTimeBytes; }

  /// The length that the longest texts have to be cut to, so that all fit: the short ones keep what they have.
  std::size_t text_most(std::size_t room) noexcept {
    if (room < rest_ + kTexts * kCutMark.size()) return kCutMark.size();
    std::size_t left = room - rest_;
    std::sort(lengths_.begin(), lengths_.end());
    for (std::size_t i = 0; i < kTexts; ++i) {
      const std::size_t share = left / (kTexts - i);
      if (lengths_[i] > share) return share;
      left -= lengths_[i];
    }
    return kUnlimited;
  }

 private:
  std::size_t rest_ = 0;
  std::size_t count_ = 0;
  std::array<std::size_t, kTexts> lengths_{};
};

}  // namespace

std::size_t format_access_line(const AccessRecord& record, std::span<char> room) noexcept {
  Writer fits(room, kUnlimited);
  compose(record, fits);
  if (fits.size() != 0) return fits.size();
  Measure measure;
  compose(record, measure);
  Writer cut(room, measure.text_most(room.size()));
  compose(record, cut);
  return cut.size();
}

}  // namespace tidegate::observe
