// Two connections joined after an Upgrade (RFC 9110 §7.8), or streams after an extended CONNECT (RFC 8441): bytes go both ways
// until one end closes, or nothing moves for the idle timeout. An end of one direction is passed on as such, and the other
// goes on.
//
// A WebSocket has no use for one direction (RFC 6455 §7.1.1): when one has ended the other may do so for a moment, and is ended. It
// can be asked to leave: the client is sent a Close frame with 1001 (RFC 6455 §7.4.1) where no frame is in
// progress, and what the server still sends is dropped; the client's own Close, which follows, ends the server's side.
//
// Owned by its exchange; one worker's thread.
#pragma once

#include <cstdint>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/task.h"
#include "http/frames.h"
#include "http/websocket_frames.h"
#include "net/byte_stream.h"

namespace tidegate::forward {

enum class TunnelEnd : std::uint8_t {
  Closed,        ///< both ends closed
  ClientBroke,   ///< the client's connection broke
  UpstreamBroke,
  Idle,          ///< nothing moved for the idle timeout
  Asked,         ///< it was asked to leave, and has
  Canceled,
};

class Tunnel {
 public:
  /// One end: its connection, and what was read from it before.
  struct End {
    net::ByteStream& stream;
    Buffer& received;
    http::Frames* frames;  ///< where the connection frames messages by itself
  };

  Tunnel(End client, End upstream, Duration idle, bool websocket);
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;

  /// Carries both directions to their end.
  Task<TunnelEnd> run();
  /// A WebSocket: the client is told to go away. Any other protocol ends at once.
  void leave();
  void cancel();

  std::uint64_t bytes_up() const noexcept { return up_.bytes; }
  std::uint64_t bytes_down() const noexcept { return down_.bytes; }

 private:
  struct Direction {
    std::uint64_t bytes = 0;
    bool done = false;
  };

  Task<> carry_up();
  Task<> carry_down();
  Task<bool> pass(End& from, End& to, Direction& direction, std::string_view bytes);
  Task<bool> say_goodbye();
  Task<> shut_down(End& end);
  void end(TunnelEnd why);
  void half_closed();
  void watch();
  static void looked(void* self);

  End client_;
  End upstream_;
  const Duration idle_;
  const bool websocket_;
  Direction up_;
  Direction down_;
  http::WebSocketFrames frames_;  // from the server
  bool leaving_ = false;
  bool closing_ = false;          // a WebSocket whose one direction has ended
  bool goodbye_said_ = false;
  bool ended_ = false;
  TunnelEnd why_ = TunnelEnd::Closed;
  std::uint64_t seen_ = 0;        // bytes of both directions when the clock was last looked at
  net::Timer clock_;
  Task<> upward_;
};

}  // namespace tidegate::forward
