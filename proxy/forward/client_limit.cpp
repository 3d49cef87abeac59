#include "forward/client_limit.h"

namespace tidegate::forward {

namespace {

std::uint64_t word_of(const unsigned char* from, int bytes) noexcept {
  std::uint64_t out = 0;
  for (int i = 0; i < bytes; ++i) out = out << 8 | from[i];
  return out;
}

}  // namespace

std::optional<ClientId> client_id(const net::Address& address) noexcept {
  unsigned char bytes[16];
  if (net::four_of(address, bytes)) return ClientId{0, 0xffff'0000'0000ull | word_of(bytes, 4)};
  if (!net::six_of(address, bytes)) return std::nullopt;
  return ClientId{word_of(bytes, 8), 0};
}

ClientLimit::Part& ClientLimit::part_of(const ClientId& client) noexcept {
  const std::uint64_t mixed = (client.high ^ client.low) * 0x9e3779b97f4a7c15ull;  // Fibonacci hashing: the top bits are the best
  return parts_[mixed >> 58];
}

bool ClientLimit::enter(const ClientId& client) {
  Part& part = part_of(client);
  const std::lock_guard lock(part.mutex);
  const std::uint32_t most = most_.load(std::memory_order_relaxed);
  const auto found = part.connections.try_emplace(client, 0).first;
  if (most == 0 || found->second < most) {  // 0: the bound was taken away since the caller looked
    ++found->second;
    return true;
  }
  return false;
}

void ClientLimit::leave(const ClientId& client) noexcept {
  Part& part = part_of(client);
  const std::lock_guard lock(part.mutex);
  const auto found = part.connections.find(client);
  if (found != part.connections.end() && --found->second == 0) part.connections.erase(found);
}

std::size_t ClientLimit::clients() {
  std::size_t out = 0;
  for (Part& part : parts_) {
    const std::lock_guard lock(part.mutex);
    out += part.connections.size();
  }
  return out;
}

}  // namespace tidegate::forward
