// Writes HTTP/1.1 messages into a Buffer, from the parsed model. A received line is copied only when it is, octet for octet, what
// would be written from the model ("name: value CRLF", checked by the parser), so nothing that a parser further on could read
// differently passes through.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/buffer.h"
#include "http/head.h"

namespace tidegate::http {

/// Appends to a buffer whose space was reserved before: no bounds are checked per piece.
class HeadWriter {
 public:
  /// Reserves `most` bytes in `out`; the caller adds up what it is going to write.
  HeadWriter(Buffer& out, std::size_t most) : out_(out) {
    out.reserve(most);
    at_ = out.free_space();
  }
  HeadWriter(const HeadWriter&) = delete;
  HeadWriter& operator=(const HeadWriter&) = delete;

  void put(std::string_view text) noexcept {
    if (text.empty()) return;  // an empty view may point nowhere
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void put(char c) noexcept { *at_++ = c; }
  void field(std::string_view name, std::string_view value) noexcept {
    put(name);
    put(": ");
    put(value);
    put("\r\n");
  }
  void number(std::uint64_t value) noexcept;
  void content_length(std::uint64_t length) noexcept {
    put("content-length: ");
    number(length);
    put("\r\n");
  }
  /// Ends the head.
  void finish() noexcept {
    put("\r\n");
    out_.commit(static_cast<std::size_t>(at_ - out_.free_space()));
  }

 private:
  Buffer& out_;
  char* at_;
};

/// Writes fields that are passed on as they are. Lines that were received just as they would be written, one after the
/// other, are copied in one piece: the bytes are the same either way.
class FieldCopy {
 public:
  FieldCopy(HeadWriter& out, const FieldList& fields) noexcept : out_(out), fields_(fields) {}
  FieldCopy(const FieldCopy&) = delete;
  FieldCopy& operator=(const FieldCopy&) = delete;
  ~FieldCopy() { out_.put(run_); }

  void put(const Field& field) noexcept {
    if (!field.verbatim) {
      out_.put(run_);
      run_ = {};
      out_.field(fields_.name(field), fields_.value(field));
      return;
    }
    const std::string_view line = fields_.line(field);
    if (run_.data() + run_.size() == line.data()) {
      run_ = {run_.data(), run_.size() + line.size()};
      return;
    }
    out_.put(run_);
    run_ = line;
  }

 private:
  HeadWriter& out_;
  const FieldList& fields_;
  std::string_view run_;
};

/// Bytes that the fields of a list can need at most when each is written as "name: value CRLF".
std::size_t encoded_size(const FieldList& fields) noexcept;

/// "1a2b\r\n" in place; the framing that surrounds one piece of chunked data. The data is followed by CRLF.
class ChunkHeader {
 public:
  explicit ChunkHeader(std::uint64_t size) noexcept;
  std::string_view text() const noexcept { return {text_.data() + begin_, text_.size() - begin_}; }

 private:
  std::array<char, 18> text_{};
  std::size_t begin_;
};

inline constexpr std::string_view kCrlf = "\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

/// True when a field may travel in a trailer section (RFC 9110 §6.5.1): not framing, routing, authentication, content
/// description, nor anything that Tidegate itself writes.
bool may_be_trailer(std::string_view name, FieldId id) noexcept;
/// Appends "0 CRLF", the trailers that may travel, and the empty line.
void encode_last_chunk(Buffer& out, const FieldList* trailers);

}  // namespace tidegate::http
