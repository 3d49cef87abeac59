// Randomness that need not withstand an attacker: request ids and trace ids. One generator a worker, seeded from the
// kernel. xoshiro256++ (D. Blackman, S. Vigna, 2019).
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <random>

namespace tidegate {

class Random {
 public:
  Random() {
    std::random_device device;
    for (std::uint64_t& word : state_) word = (static_cast<std::uint64_t>(device()) << 32) | device();
  }
  explicit Random(std::uint64_t seed) noexcept {
    for (std::uint64_t& word : state_) {  // splitmix64
      seed += 0x9e3779b97f4a7c15ull;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
      word = z ^ (z >> 31);
    }
  }

  std::uint64_t next() noexcept {
    const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace tidegate
