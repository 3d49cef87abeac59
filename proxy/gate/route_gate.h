// The gate of a route: one Gate for each of its streams (errors, and slow answers if the route asks for them), fed from
// the same requests, and what they say together:
//
//   a revert of either is a revert; else the graver hold of the two (attribution before shared_degradation before
//   worse_than_old before no_data before observing); a promotion is one only if both say so.
//
// The streams share the false-revert budget (parameters.h), so the promise holds for both together. Each promotion is
// proven at promote_error against its own margin, so asking for both makes neither weaker. Pure, like Gate. One per
// route, owned by control, used on its thread.
#pragma once

#include <optional>

#include "gate/gate.h"

namespace tidegate::gate {

class RouteGate {
 public:
  /// @param errors as configured; @param slow nullopt: errors alone, with all of the budget.
  RouteGate(const Parameters& errors, const std::optional<SlowRule>& slow, double new_weight);

  /// One that is restored: with the parameters of its streams as they are, and a state to be filled in.
  static RouteGate with_parameters(const Parameters& errors, const std::optional<Parameters>& slow);

  // As of Gate, for each stream.
  void step(double new_weight);
  void rearm(double new_weight);
  /// @return the ruling of the stream that says most; ruling(stream) has both.
  Ruling tick(const StreamCounts& counts, double dt_s);

  bool has(Stream stream) const noexcept { return stream == Stream::Errors || slow_.has_value(); }
  /// Needs has(stream).
  const Gate& gate(Stream stream) const noexcept { return part(stream).gate; }
  Gate& gate(Stream stream) noexcept { return stream == Stream::Errors ? errors_.gate : slow_->gate; }
  /// Of the last tick. Needs has(stream).
  const Ruling& ruling(Stream stream) const noexcept { return part(stream).ruling; }
  bool old_suspect() const noexcept;

 private:
  struct OfStreams {
    Parameters errors;
    std::optional<Parameters> slow;
  };
  RouteGate(const OfStreams& parameters, double new_weight);

  struct Part {
    Part(const Parameters& parameters, double new_weight) : gate(parameters, new_weight) {
      ruling.stream = stream_of(parameters);
    }
    Gate gate;
    Ruling ruling;
  };
  const Part& part(Stream stream) const noexcept { return stream == Stream::Errors ? errors_ : *slow_; }

  Part errors_;
  std::optional<Part> slow_;
};

}  // namespace tidegate::gate
