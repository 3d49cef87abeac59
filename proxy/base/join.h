// Texts in a row, with something between two of them. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tidegate {

inline std::string joined(const std::vector<std::string>& all, std::string_view between) {
  std::string out;
  for (const std::string& one : all) {
    if (!out.empty()) out += between;
    out += one;
  }
  return out;
}

}  // namespace tidegate
