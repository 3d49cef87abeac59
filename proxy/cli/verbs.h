// The verbs: name, arguments and help texts, in one table that the parser, the suggestions and `--help` share. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"

namespace tidegate::cli {

struct VerbText {
  Verb verb;
  std::string_view name;
  std::vector<std::string_view> positionals;  ///< "[ROUTE]" may be left out
  std::string_view usage;                     ///< after "tidegate "
  std::string_view summary;                   ///< one line
  std::string_view details;                   ///< options and examples
};

const std::vector<VerbText>& verb_texts();
const VerbText* find_verb(std::string_view name) noexcept;

/// @param about empty = the overview. Ends with a line end.
std::string help_text(std::optional<Verb> about);

}  // namespace tidegate::cli
