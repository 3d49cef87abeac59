// One access record as one line of JSON, with the names and the order of PRODUCT §5. It decides nothing about sampling
// and writes to nobody: the caller gives the room and takes the bytes. Pure, without allocation; any thread.
//
// Times are in milliseconds with at most three decimals; start_time is RFC 3339 in UTC. Every field is in every line,
// so that a reader needs no defaults: a text that is empty and a time that was not taken are null.
#pragma once

#include <cstddef>
#include <span>

#include "observe/access_record.h"

namespace tidegate::observe {

/// A line with its newline: the default of limits.uri_bytes. A bound on lines bounds what one client can take of the
/// ring.
inline constexpr std::size_t kAccessLineBytes = 16 * 1024;
/// Enough for a line whose every text is cut.
inline constexpr std::size_t kLeastLineBytes = 1024;

/// Writes the line and its '\n'. If it does not fit, the longest texts are cut to one length and end in "..."; a cut
/// falls between characters, so the line stays valid JSON.
/// @param room at least kLeastLineBytes.
/// @return bytes written; 0 only if the room is smaller.
std::size_t format_access_line(const AccessRecord& record, std::span<char> room) noexcept;

}  // namespace tidegate::observe
