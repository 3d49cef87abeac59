// Requests and failures of one side, tick by tick, in virtual time: Poisson arrivals, each failing with a probability that
// may change from tick to tick. Failures and successes of such a stream are two independent Poisson counts, so a tick costs
// two look-ups. The generator and the sampling are written out, so that a seed gives the same traffic everywhere.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <vector>

#include "gate/ruling.h"

namespace tidegate::simulate {

/// xoshiro256** (Blackman, Vigna), seeded by splitmix64.
class Chance {
 public:
  explicit Chance(std::uint64_t seed) noexcept {
    for (std::uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
      z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
      word = z ^ (z >> 31);
    }
  }
  /// In [0, 1).
  double uniform() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

 private:
  static std::uint64_t rotated(std::uint64_t x, int k) noexcept { return (x << k) | (x >> (64 - k)); }
  std::uint64_t next() noexcept {
    const std::uint64_t result = rotated(state_[1] * 5, 7) * 9, t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotated(state_[3], 45);
    return result;
  }
  std::uint64_t state_[4]{};
};

/// A Poisson count of a given mean, by inversion of its distribution.
class Poisson {
 public:
  explicit Poisson(double mean) {
    double term = std::exp(-mean), sum = 0.0;
    const auto most = static_cast<std::uint64_t>(mean + 12.0 * std::sqrt(mean) + 30.0);
    if (term < 1e-300) {  // a large mean: from its logarithm
      for (std::uint64_t k = 0; k <= most; ++k) {
        sum += std::exp(static_cast<double>(k) * std::log(mean) - mean - std::lgamma(static_cast<double>(k) + 1.0));
        up_to_.push_back(sum);
      }
      return;
    }
    for (std::uint64_t k = 0; k <= most; ++k) {
      sum += term;
      up_to_.push_back(sum);
      term *= mean / static_cast<double>(k + 1);
    }
  }
  std::uint64_t draw(Chance& chance) const noexcept {
    const double u = chance.uniform();
    if (u < up_to_[0]) return 0;  // most ticks of a rare event
    return static_cast<std::uint64_t>(std::upper_bound(up_to_.begin(), up_to_.end(), u) - up_to_.begin());
  }

 private:
  std::vector<double> up_to_;
};

/// One side.
class Side {
 public:
  explicit Side(double requests_per_tick) : requests_(requests_per_tick) {}

  struct Tick {
    std::uint64_t total = 0;
    std::uint64_t failures = 0;
  };
  Tick draw(double failing, Chance& chance) {
    if (requests_ <= 0.0) return {};
    if (failing != failing_ || rates_ == nullptr) {
      failing_ = failing;
      rates_ = &tables_.try_emplace(failing, requests_, failing).first->second;
    }
    const std::uint64_t failures = rates_->failures.draw(chance);
    return {failures + rates_->successes.draw(chance), failures};
  }

 private:
  struct Rates {
    Rates(double requests, double failing) : failures(requests * failing), successes(requests * (1.0 - failing)) {}
    Poisson failures, successes;
  };
  double requests_;
  double failing_ = -1.0;
  const Rates* rates_ = nullptr;
  std::map<double, Rates> tables_;
};

/// Both sides of a route.
class Traffic {
 public:
  /// @param new_rps, old_rps requests a second.
  Traffic(double new_rps, double old_rps, double tick_s, std::uint64_t seed)
      : new_(new_rps * tick_s), old_(old_rps * tick_s), chance_(seed) {}

  gate::Counts tick(double new_failing, double old_failing) {
    const Side::Tick n = new_.draw(new_failing, chance_), o = old_.draw(old_failing, chance_);
    return {n.total, n.failures, o.total, o.failures};
  }
  Chance& chance() noexcept { return chance_; }

 private:
  Side new_, old_;
  Chance chance_;
};

}  // namespace tidegate::simulate
