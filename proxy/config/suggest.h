// "did you mean ...?": the candidate that a mistyped word is nearest to. Pure; used for keys, choices and references.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tidegate::config {

/// Edits (insert, remove, replace, swap of neighbours) that turn one word into the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate that is near: at most one edit for each three letters away. Case and "-" for "_" do not count as edits, they
/// are the commonest slips. Empty when none is.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

/// What another program calls one of the candidates: "h2" is "http2" where that is one. Empty when there is none.
std::string_view synonym(std::string_view word, std::span<const std::string_view> candidates);

/// `; did you mean "weight"?`, or nothing for an empty word.
std::string did_you_mean(std::string_view word);

/// Of the nearest.
std::string suggestion(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace tidegate::config
