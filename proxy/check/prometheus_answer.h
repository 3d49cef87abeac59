// What the answer to an instant query says about a rollout. Every series must be inside the bounds. One that is outside is
// a failure, whatever the others are; no data (an empty result, NaN, the infinity of a division by zero on the side that
// has no bound) is inconclusive and never a pass; what is not an answer to the question is an error. Pure; any thread.
//
// The format: https://prometheus.io/docs/prometheus/latest/querying/api/#expression-queries
#pragma once

#include <optional>
#include <string_view>

#include "check/answer.h"
#include "outbound/message.h"

namespace tidegate::check {

struct Bounds {
  std::optional<double> min{};
  std::optional<double> max{};
};

Answer prometheus_answer(unsigned status, std::string_view content_type, std::string_view body, const Bounds& bounds);

/// The same of what the client came back with: no answer is inconclusive, what can't become one is an error.
Answer prometheus_answer(const outbound::Result& result, const Bounds& bounds);

}  // namespace tidegate::check
