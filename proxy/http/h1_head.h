// HTTP/1.0 and HTTP/1.1 message heads, strict in RFC 9112's sense: what is ambiguous is refused, never guessed. No I/O:
// the caller shows all bytes received since the head began, again and again as more come, and each line is parsed once.
//
// What is refused and why is the checklist of the tests (tests/unit/http): among others both framing fields at once,
// repeated or odd lengths, a Transfer-Encoding that is not just "chunked", bare CR or LF, whitespace before a colon,
// folded lines, a missing, repeated or malformed Host, NUL and other controls anywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "http/head.h"
#include "http/limits.h"

namespace tidegate::http {

/// Why a message is refused: the status that a client gets, and a short sentence for the log. For responses of an
/// upstream the status is 502.
struct Refusal {
  std::uint16_t status = 0;  ///< 0 = not refused
  std::string_view reason;   ///< static text
  explicit operator bool() const noexcept { return status != 0; }
};

enum class HeadState : std::uint8_t { NeedMore, Done, Refused };

namespace detail {

/// Lines of a head, one at a time, with the bounds on bytes and fields.
class HeadLines {
 public:
  void reset() noexcept { line_at_ = scanned_ = 0; }
  enum class Step : std::uint8_t { Line, NeedMore, BadLineEnd };
  /// On Line, `line` is the next line without its CRLF and `at` its place.
  Step next(std::string_view bytes, std::string_view& line, std::uint32_t& at) noexcept {
    if (scanned_ == bytes.size()) return Step::NeedMore;
    const void* const found = std::memchr(bytes.data() + scanned_, '\n', bytes.size() - scanned_);
    if (found == nullptr) {
      scanned_ = bytes.size();
      return Step::NeedMore;
    }
    const auto lf = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
    scanned_ = lf + 1;
    if (lf == line_at_ || bytes[lf - 1] != '\r') return Step::BadLineEnd;
    line = {bytes.data() + line_at_, lf - 1 - line_at_};
    at = static_cast<std::uint32_t>(line_at_);
    line_at_ = scanned_;
    return Step::Line;
  }
  std::size_t consumed() const noexcept { return line_at_; }
  /// Bytes looked at so far: up to and including the last line end seen, or all of them.
  std::size_t scanned() const noexcept { return scanned_; }

 private:
  std::size_t line_at_ = 0;  // where the line that is being read begins
  std::size_t scanned_ = 0;  // no LF before here
};

/// Parses one field line. @return a static text of what is wrong, or nullptr.
const char* parse_field_line(std::string_view line, std::uint32_t at, FieldList& into) noexcept;

}  // namespace detail

/// Reads the head of a request.
class RequestHeadDecoder {
 public:
  explicit RequestHeadDecoder(const HeadLimits& limits) noexcept : limits_(limits) {}
  /// Of the next head.
  void set_limits(const HeadLimits& limits) noexcept { limits_ = limits; }

  void reset() noexcept;
  /// What an absolute-form has to begin with: the listener's own, "http" unless said. @param scheme static text.
  void set_scheme(std::string_view scheme) noexcept { scheme_ = scheme; }
  /// @param bytes everything received since reset(), from the same place of the message on.
  /// On Done `head` is complete, with views into `bytes`, and consumed() tells its length.
  HeadState feed(std::string_view bytes, RequestHead& head) noexcept;
  std::size_t consumed() const noexcept { return lines_.consumed(); }
  const Refusal& refusal() const noexcept { return refusal_; }
  /// The rest of the head did not come in time: refused with 408.
  void time_out() noexcept { refusal_ = {408, "head not received in time"}; }
  /// The rest of the head is not waited for. @param why static text
  void give_up(std::uint16_t status, std::string_view why) noexcept { refusal_ = {status, why}; }

 private:
  HeadState refuse(std::uint16_t status, std::string_view reason) noexcept;
  std::uint16_t check_size(std::size_t line_at) const noexcept;
  Refusal parse_request_line(std::string_view line) noexcept;
  Refusal finish(std::string_view bytes, RequestHead& head) noexcept;

  HeadLimits limits_;
  std::string_view scheme_ = "http";
  detail::HeadLines lines_;
  bool have_request_line_ = false;
  int empty_lines_ = 0;
  std::uint32_t method_at_ = 0, target_at_ = 0;
  std::uint32_t method_size_ = 0, target_size_ = 0;
  std::uint8_t minor_version_ = 1;
  Refusal refusal_;
};

/// Reads the head of a response. Framing depends on the request's method (RFC 9112 §6.3).
class ResponseHeadDecoder {
 public:
  explicit ResponseHeadDecoder(const HeadLimits& limits = kResponseHeadLimits) noexcept : limits_(limits) {}

  void reset(Method request_method) noexcept;
  HeadState feed(std::string_view bytes, ResponseHead& head) noexcept;
  std::size_t consumed() const noexcept { return lines_.consumed(); }
  const Refusal& refusal() const noexcept { return refusal_; }

 private:
  HeadState refuse(std::string_view reason) noexcept;
  Refusal parse_status_line(std::string_view line, std::uint32_t at) noexcept;
  Refusal finish(std::string_view bytes, ResponseHead& head) noexcept;

  HeadLimits limits_;
  detail::HeadLines lines_;
  Method request_method_ = Method::Get;
  bool have_status_line_ = false;
  std::uint16_t status_ = 0;
  std::uint32_t reason_at_ = 0, reason_size_ = 0;
  std::uint8_t minor_version_ = 1;
  Refusal refusal_;
};

}  // namespace tidegate::http
