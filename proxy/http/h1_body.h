// The body of an HTTP/1 message as events: pieces of data that point into the caller's bytes, then the end with its
// trailers. Chunked framing is checked octet by octet and dropped: extensions never travel on, sizes are written anew.
// No I/O, no buffering of data; only a trailer section is kept (bounded by kTrailerBytes).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/head.h"
#include "http/limits.h"

namespace tidegate::http {

enum class BodyEvent : std::uint8_t {
  Data,      ///< `data` is the next piece; call again with the rest
  NeedMore,  ///< everything given was consumed
  End,       ///< the body is complete; bytes after `consumed` belong to the next message
  Refused,   ///< refusal() tells why; the connection is of no further use
};

struct BodyStep {
  BodyEvent event = BodyEvent::NeedMore;
  std::string_view data{};
  std::size_t consumed = 0;
};

class BodyDecoder {
 public:
  /// Begins a body. Framing::None is at its end at once.
  void start(Framing framing, std::uint64_t length) noexcept;
  /// Takes the next step over `bytes`, which continue where the last step's `consumed` ended.
  BodyStep next(std::string_view bytes);
  /// The connection, or the stream, ended. @return true when that completes the body (until-close and frames only).
  bool end_of_stream() noexcept;

  bool done() const noexcept { return state_ == State::Done; }
  /// Bytes of data still to come, where that is known; for Framing::Length.
  std::uint64_t remaining() const noexcept { return remaining_; }
  /// All that is still to come is so many bytes of data and nothing else; 0: not so.
  std::uint64_t plain_left() const noexcept { return state_ == State::Length ? remaining_ : 0; }
  /// So many of the plain_left() bytes, which are data, went by without being shown here.
  void pass(std::uint64_t bytes) noexcept;
  /// A static text, after Refused.
  std::string_view refusal() const noexcept { return refusal_; }
  /// The trailer section, after End. Apart from the head's fields for ever (RFC 9110 §6.5.1).
  const FieldList* trailers() const noexcept { return trailers_.empty() ? nullptr : trailers_.data(); }

 private:
  enum class State : std::uint8_t {
    Length, UntilClose,
    Size, Extension, ExtensionName, ExtensionNameBlank, ExtensionEquals, ExtensionValue, ExtensionQuoted,
    ExtensionEscape, ExtensionAfterValue, ExtensionBlank, SizeLf, ChunkData, DataCr, DataLf, Trailer,
    Done, Refused,
  };

  BodyStep counted(std::string_view bytes) noexcept;
  BodyStep refuse(std::string_view reason) noexcept;
  bool take_size_line(char c) noexcept;
  bool take_size_digit(char c) noexcept;
  bool take_extension(char c) noexcept;
  BodyStep take_trailers(std::string_view bytes, std::size_t already);
  bool end_trailer_section();

  State state_ = State::Done;
  std::uint64_t remaining_ = 0;
  int size_digits_ = 0;
  std::size_t extension_bytes_ = 0;
  std::size_t extension_total_ = 0;
  std::string trailer_text_;
  std::vector<FieldList> trailers_;  // empty or one: bodies with trailers are rare
  std::string_view refusal_;
};

}  // namespace tidegate::http
