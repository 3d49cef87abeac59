// Reads a PROXY header from the front of a connection, and not a byte of what comes behind it: that is for whoever reads
// next from the socket, which may be TLS. Looks first (MSG_PEEK) and takes what belongs to the header: a header that came
// whole costs two system calls.
#pragma once

#include <string_view>

#include "base/clock.h"
#include "base/task.h"
#include "net/proxy_protocol.h"
#include "net/stream.h"

namespace tidegate::net {

struct ProxyReceived {
  ProxyRefusal refusal = ProxyRefusal::None;
  ProxyHeader header{};
  std::string_view reason{};  ///< of Malformed
};

/// @param timeout from now until the header is complete.
Task<ProxyReceived> receive_proxy_header(Stream& stream, Duration timeout);

}  // namespace tidegate::net
