// ${NAME} in values. Expansion happens after the YAML was parsed, so what a variable holds can never become structure;
// it is done once (an expanded text is not expanded again) and never in keys.
//   ${NAME}            the variable; not set = a problem that names it
//   ${NAME:-default}   the default when it is not set or empty; the default itself is plain text without "}"
//   $${                a literal "${"
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::config {

/// The value of a variable; empty optional = not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// The environment of this process.
Environment process_environment();

struct Expanded {
  std::string text;
  std::vector<std::string> errors;
};

Expanded expand(std::string_view text, const Environment& environment);

}  // namespace tidegate::config
