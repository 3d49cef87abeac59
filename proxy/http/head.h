// The heads of messages as values: what routing, forwarding and logging need to know, whatever protocol brought them.
// Views point into the received bytes.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/field.h"

namespace tidegate::http {

enum class Method : std::uint8_t { Get, Head, Post, Put, Patch, Delete, Options, Connect, Trace, Other };
inline constexpr std::size_t kMethodCount = 10;

Method method_of(std::string_view token) noexcept;
/// The label of metrics: unknown methods are OTHER, so that a client cannot make series.
std::string_view label(Method method) noexcept;
/// RFC 9110 §9.2.1.
constexpr bool is_safe(Method method) noexcept {
  return method == Method::Get || method == Method::Head || method == Method::Options || method == Method::Trace;
}
/// RFC 9110 §9.2.2.
constexpr bool is_idempotent(Method method) noexcept {
  return is_safe(method) || method == Method::Put || method == Method::Delete;
}

/// How the end of a body is told (RFC 9112 §6.3; Frames: by the end of its stream, RFC 9113 §8.1).
enum class Framing : std::uint8_t { None, Length, Chunked, UntilClose, Frames };

struct RequestHead {
  std::string_view method_token;
  std::string_view target;     ///< as it came, without the scheme and authority of an absolute-form
  std::string_view authority;  ///< of the absolute-form, else of Host; empty for HTTP/1.0 without Host
  std::string_view scheme;     ///< where the message says it: absolute-form, HTTP/2; else empty
  std::string_view protocol;   ///< of an extended CONNECT (RFC 8441); else empty
  Method method = Method::Other;
  Framing framing = Framing::None;
  std::uint64_t content_length = 0;
  std::uint8_t major_version = 1;
  std::uint8_t minor_version = 1;
  bool keep_alive = true;
  bool expects_continue = false;
  bool has_content_length = false;
  FieldList fields;

  std::string_view path() const noexcept { return target.substr(0, target.find('?')); }
};

struct ResponseHead {
  std::uint16_t status = 0;
  std::string_view reason;
  Framing framing = Framing::None;
  std::uint64_t content_length = 0;
  std::uint8_t major_version = 1;
  std::uint8_t minor_version = 1;
  bool keep_alive = true;
  bool has_content_length = false;  ///< also where the framing is None: HEAD and 304 keep it
  FieldList fields;
};

/// 1xx, 204 and 304 have no body, and no answer to HEAD has (RFC 9110 §6.4.1).
constexpr bool has_no_body(Method request, std::uint16_t status) noexcept {
  return request == Method::Head || status < 200 || status == 204 || status == 304;
}

/// The sender has to frame the body itself when it goes over HTTP/1.1: its length is not known.
constexpr bool needs_chunks(Framing framing, bool has_content_length) noexcept {
  return framing == Framing::Chunked || framing == Framing::UntilClose || (framing == Framing::Frames && !has_content_length);
}

/// The reason phrase that Tidegate writes where nobody else did (RFC 9110 §15); empty, which is legal, for others.
std::string_view reason_phrase(std::uint16_t status) noexcept;

}  // namespace tidegate::http
