// What a check came to: a verdict, the sentence that says why (with its numbers, the same in log, API and CLI), and the
// number that was measured, where there is one. Plain values.
#pragma once

#include <optional>
#include <string>

#include "gate/ruling.h"

namespace tidegate::check {

struct Answer {
  gate::Verdict verdict = gate::Verdict::Error;
  std::string sentence;           ///< one line, without a stop at its end
  std::optional<double> value{};  ///< the worst one, of a Prometheus check
};

}  // namespace tidegate::check
