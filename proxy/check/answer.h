// What a check came to. Plain values.
#pragma once

#include <optional>
#include <string>

#include "gate/ruling.h"

namespace tidegate::check {

struct Answer {
  /// Pass only when it was asked and everything held. Inconclusive: too little to say. Error: it could not be asked.
  gate::Verdict verdict = gate::Verdict::Inconclusive;
  std::string sentence{};          ///< for an operator, with the numbers
  std::optional<double> value{};   ///< of a query: the one that counts
};

}  // namespace tidegate::check
