// Errors of system calls that say nothing of the peer.
#pragma once

#include <cerrno>

namespace tidegate {

/// socket() or connect() failed because this machine has run out of something: descriptors, ports, memory.
constexpr bool is_local_shortage(int error_number) noexcept {
  switch (error_number) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case ENOSPC:
    case EADDRNOTAVAIL: return true;
    default: return false;
  }
}

}  // namespace tidegate
