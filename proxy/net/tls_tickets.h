// The keys that session tickets are sealed with (RFC 5077 §4, RFC 8446 §4.6.1): made in the process, never written
// anywhere, one set for all workers, so that a client resumes on whichever worker it meets. A key seals for kRotation and
// opens for as long again; the time is an argument.
//
// Any thread: taken once a handshake, under a lock that is held for a copy.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>

#include "base/clock.h"

namespace tidegate::net {

struct TicketKey {
  std::array<unsigned char, 16> name;
  std::array<unsigned char, 32> cipher;  ///< AES-256-CBC
  std::array<unsigned char, 32> mac;     ///< HMAC-SHA-256
};

class TicketKeys {
 public:
  static constexpr Duration kRotation = std::chrono::hours(12);

  /// The key that seals now.
  TicketKey current(TimePoint now);
  struct Found {
    TicketKey key;
    bool is_current;  ///< else the client is given a new ticket
  };
  /// The key that a ticket names, if it still opens any.
  std::optional<Found> find(std::span<const unsigned char, 16> name, TimePoint now);

 private:
  void rotate(TimePoint now);

  std::mutex mutex_;
  std::optional<TicketKey> current_;
  std::optional<TicketKey> previous_;
  TimePoint made_{};
};

}  // namespace tidegate::net
