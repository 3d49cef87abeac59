// The end of a connection, and of a stream, whose client may still send: what comes is taken in for a while, so that the client reads
// its answer and not a reset, for which a kernel throws away what it has not sent yet (RFC 9112 §9.6; for a stream RFC 9113 §8.1 allows
// the reset, and clients take it for an error).
//
// A connection ends in stages: our direction; then everything is acknowledged, for which the client may take as long as for any
// other part of an answer; then a moment for what crosses our end on its way. Nothing of it is asked for where it has no use, which is the
// session's to know.
#pragma once

#include <cstdint>

#include "base/buffer.h"
#include "base/task.h"
#include "forward/pause.h"
#include "forward/policy.h"
#include "net/byte_stream.h"
#include "net/stream.h"

namespace tidegate::forward {

enum class Taken : std::uint8_t {
  All,        ///< the client's machine has everything
  Stopped,    ///< the client has left, or took nothing for timeouts.body_idle; or the worker ends
  TooSlowly,  ///< for limits.min_response_rate
};

/// After shutdown_send(): waits until everything was taken, with the bounds that the policy has for an answer. What the client sends is
/// dropped, from a number of bytes on a block at a time and a pause between them: who sends without end costs no more than that, and an
/// end is still seen. @param scratch its bytes are dropped; holds no memory while nothing comes @param pause ended by whoever cancels
/// the stream, after that
Task<Taken> await_taken(net::Stream& stream, Buffer& scratch, const SessionPolicy& policy, Pause& pause);

/// Reads until the client's end, an error, or one of two bounds (time, bytes). @param scratch its bytes are dropped
Task<> linger(net::ByteStream& stream, Buffer& scratch);

}  // namespace tidegate::forward
