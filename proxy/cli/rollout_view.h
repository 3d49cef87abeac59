// A rollout as a table (`rollout status`), and the parts of it that the live picture has, too: what stands above, steps,
// checks, what is missing. Pure but for the time zone: facts in, text out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "cli/rollout_facts.h"
#include "cli/terminal.h"

namespace tidegate::cli {

inline constexpr std::size_t kRolloutLabel = 12;  // "  reverted  "

/// State, steps, checks, and what it waits for. Fits the style's columns.
std::string rollout_table(const RolloutFacts& facts, const ViewStyle& style);

/// State, who started it and when, why it was reverted. @param now_ms wall clock; 0: without "ago".
std::string rollout_head(const RolloutFacts& facts, std::int64_t now_ms, const ViewStyle& style);
/// Done, current, to come.
std::string rollout_steps(const RolloutFacts& facts, const ViewStyle& style);
std::string rollout_checks(const RolloutFacts& facts, const ViewStyle& style);
/// Each thing that is missing, in the server's words. The head says the time.
std::string rollout_waiting(const RolloutFacts& facts, const ViewStyle& style);

Tone tone_of(RolloutState state) noexcept;
/// Of a gate or a check.
Tone tone_of(const std::string& verdict) noexcept;

/// No line is longer than the terminal, whatever words the server's texts have.
std::string fitted(const std::string& view, const ViewStyle& style);

}  // namespace tidegate::cli
