// The path and query of a request, decoded, and how it fits a pattern like "/api/v1/routes/*/weight". Boost.URL
// decodes; a target that is not in origin form is refused. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidegate::admin {

struct Target {
  std::vector<std::string> segments;
  std::vector<std::pair<std::string, std::string>> query;

  static std::optional<Target> parse(const std::string& target);

  /// @param wildcard receives the segment that "*" stands for; it is not empty.
  bool fits(std::string_view pattern, std::string& wildcard) const;
};

/// One segment of a path, with everything encoded that means something in a URL.
std::string encoded_segment(std::string_view text);

}  // namespace tidegate::admin
