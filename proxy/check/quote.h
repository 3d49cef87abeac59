// Text of other people in a sentence of ours: one line of valid UTF-8 of bounded length, whatever came. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tidegate::check {

/// Control characters become blanks and bytes that are not UTF-8 (RFC 3629) "?". What is over `most` bytes is cut between
/// two characters and ends in "...".
std::string quote(std::string_view text, std::size_t most);

}  // namespace tidegate::check
