// The words after `tidegate rollout`, in the order in which help and suggestions name them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace tidegate::cli {

enum class RolloutAction : std::uint8_t { Start, Status, Watch, Pause, Resume, Promote, Abort, Retry, Undo };

struct RolloutWord {
  RolloutAction action;
  std::string_view word;  ///< as typed, and as in the API's path
  std::string_view done;  ///< "paused"; empty where nothing is changed
};

inline constexpr std::array<RolloutWord, 9> kRolloutWords{{
    {RolloutAction::Start, "start", "started"},
    {RolloutAction::Status, "status", ""},
    {RolloutAction::Watch, "watch", ""},
    {RolloutAction::Pause, "pause", "paused"},
    {RolloutAction::Resume, "resume", "resumed"},
    {RolloutAction::Promote, "promote", "promoted"},
    {RolloutAction::Abort, "abort", "aborted"},
    {RolloutAction::Retry, "retry", "retried"},
    {RolloutAction::Undo, "undo", "undone"},
}};

constexpr const RolloutWord& word_of(RolloutAction action) noexcept {
  return kRolloutWords[static_cast<std::size_t>(action)];
}
static_assert([] {
  for (const RolloutWord& one : kRolloutWords) {
    if (word_of(one.action).word != one.word) return false;
  }
  return true;
}());

}  // namespace tidegate::cli
