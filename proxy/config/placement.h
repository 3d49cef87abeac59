// Where a key belongs that its section does not know: the commonest slip after a misspelt key is a right one a level too high,
// too low, or in the section beside. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::config {

/// The sections that have the key, those that are the fewest steps up and down from `section`; at most three, else none: a name
/// that is everywhere tells nothing.
/// @param known  full paths of keys, as known_keys() gives them
std::vector<std::string> sections_with(std::string_view key, std::string_view section, std::span<const std::string> known);

/// "routes[].match.path or routes[].match.headers.NAME"; the top is "the top of the file".
std::string listed(const std::vector<std::string>& sections);

}  // namespace tidegate::config
