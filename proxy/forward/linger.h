// After an answer that came before the end of its request: what the client still sends is taken in for a while, so that it reads
// the answer and not a reset (RFC 9112 §9.6; RFC 9113 §8.1 allows the reset, and clients take it for an error).
#pragma once

#include "base/buffer.h"
#include "base/task.h"
#include "net/byte_stream.h"

namespace tidegate::forward {

/// Reads until the client's end, an error, or one of two bounds (time, bytes). @param scratch its bytes are dropped
Task<> linger(net::ByteStream& stream, Buffer& scratch);

}  // namespace tidegate::forward
