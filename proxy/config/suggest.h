// "did you mean ...?": the candidate that a mistyped word is nearest to. Pure; used for keys, choices and references.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tidegate::config {

/// Edits (insert, remove, replace, swap of neighbours) that turn one word into the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// `; did you mean "weight"?`, or nothing when no candidate is near: at most one edit for each three letters. Case and
/// "-" for "_" do not count as edits, they are the commonest slips.
std::string suggestion(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace tidegate::config
