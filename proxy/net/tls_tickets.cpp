#include "net/tls_tickets.h"

#include <openssl/rand.h>

#include <algorithm>
#include <cstdlib>

namespace tidegate::net {

namespace {

/// Without random bytes there is no TLS at all.
TicketKey make() {
  TicketKey key;
  const bool made = RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) == 1 &&
                    RAND_priv_bytes(key.cipher.data(), static_cast<int>(key.cipher.size())) == 1 &&
                    RAND_priv_bytes(key.mac.data(), static_cast<int>(key.mac.size())) == 1;
  if (!made) std::abort();
  return key;
}

}  // namespace

void TicketKeys::rotate(TimePoint now) {
  if (current_ && now - made_ < kRotation) return;
  previous_ = current_ && now - made_ < 2 * kRotation ? current_ : std::nullopt;
  current_ = make();
  made_ = now;
}

TicketKey TicketKeys::current(TimePoint now) {
  const std::lock_guard lock(mutex_);
  rotate(now);
  return *current_;
}

std::optional<TicketKeys::Found> TicketKeys::find(std::span<const unsigned char, 16> name, TimePoint now) {
  const std::lock_guard lock(mutex_);
  rotate(now);
  const auto is = [name](const TicketKey& key) { return std::equal(name.begin(), name.end(), key.name.begin()); };
  if (is(*current_)) return Found{*current_, true};
  if (previous_ && is(*previous_)) return Found{*previous_, false};
  return std::nullopt;
}

}  // namespace tidegate::net
