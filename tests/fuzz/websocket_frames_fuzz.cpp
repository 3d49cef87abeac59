// The places between WebSocket frames in arbitrary bytes: those that an independent reading of the headers finds, however the
// bytes arrive; and a frame that is put in at one of them, as a tunnel does when it says goodbye, changes nothing behind it.
#include <algorithm>

#include "http/websocket_frames.h"
#include "input.h"

namespace tidegate::fuzz {
namespace {

using http::WebSocketFrames;

/// RFC 6455 §5.2. @return the size of the frame at the front of `bytes`; nothing: it is not all there.
std::size_t first_frame(std::string_view bytes) {
  const auto byte = [&](std::size_t at) { return static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[at])); };
  if (bytes.size() < 2) return 0;
  std::size_t header = 2;
  std::uint64_t payload = byte(1) & 127;
  const std::size_t wide = payload == 126 ? 2 : payload == 127 ? 8 : 0;
  if (wide != 0) {
    if (bytes.size() < header + wide) return 0;
    payload = 0;
    for (std::size_t i = 0; i < wide; ++i) payload = payload * 256 + byte(header + i);
    header += wide;
  }
  if (byte(1) >= 128) header += 4;
  return header <= bytes.size() && payload <= bytes.size() - header ? header + static_cast<std::size_t>(payload) : 0;
}

/// The places between two frames, and the end where it is one.
std::vector<std::size_t> places_of(std::string_view bytes) {
  std::vector<std::size_t> out;
  std::size_t at = 0;
  while (const std::size_t frame = first_frame(bytes.substr(at))) out.push_back(at += frame);
  return out;
}

/// Feeds the pieces that end at `ends`, each in memory of its own, and holds each answer against the places.
void check(std::string_view bytes, const std::vector<std::size_t>& places, const std::vector<std::size_t>& ends) {
  WebSocketFrames frames;
  std::size_t from = 0;
  for (std::size_t i = 0; i <= ends.size(); ++i) {
    const std::size_t to = i < ends.size() ? ends[i] : bytes.size();
    const std::vector<char> piece(bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.begin() + static_cast<std::ptrdiff_t>(to));
    const std::size_t told = frames.feed({piece.data(), piece.size()});
    const auto behind = std::upper_bound(places.begin(), places.end(), to);
    const std::size_t last = behind == places.begin() ? 0 : *(behind - 1);
    must(told == (last > from ? last - from : 0), "another place between two frames");
    must(frames.between() == (to == last), "it is between two frames, or is not");
    from = to;
  }
}

}  // namespace
}  // namespace tidegate::fuzz

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace tidegate::fuzz;
  const Input input(data, size);
  const std::vector<std::size_t> places = places_of(input.bytes);
  check(input.bytes, places, {});
  check(input.bytes, places, {input.cut});
  if (input.bytes.size() <= kByteByByte) check(input.bytes, places, every_byte(input.bytes.size()));
  if (places.empty()) return 0;

  const std::size_t place = places[input.choices % places.size()];
  std::string with_close(input.bytes);
  with_close.insert(place, tidegate::http::kCloseToClient);
  std::vector<std::size_t> moved = places;
  const auto at = std::find(moved.begin(), moved.end(), place);
  std::for_each(at, moved.end(), [](std::size_t& each) { each += tidegate::http::kCloseToClient.size(); });
  moved.insert(std::lower_bound(moved.begin(), moved.end(), place), place);
  check(with_close, moved, {place});
  return 0;
}
