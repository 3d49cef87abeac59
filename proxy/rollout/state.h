// The states of a rollout and what may happen in each, as one table: an impossible event is an error and never silent.
//
//              start  pause  resume  promote   abort  retry  undo  step_over  hold   revert  by_hand
//   Idle       Begin  -      -       -         -      -      -     .          .      .       .
//   Running    -      Pause  .       Next      Abort  -      -     Next       Pause  Revert  Pause
//   Paused     -      .      Resume  Next      Abort  -      -     .          .      Revert  Pause
//   Baking     -      Pause  .       Complete  Abort  -      Undo  Complete   Pause  Revert  Pause
//   Completed  Begin  -      -       -         -      -      Undo  .          .      Revert  .
//   Reverted   Begin  -      -       -         -      Begin  -     .          .      .       .
//   Aborted    Begin  -      -       -         -      Begin  -     .          .      .       .
//
//   "-" is refused, "." changes nothing. Begin needs an open gate; the caller looks.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tidegate::rollout {

enum class State : std::uint8_t { Idle, Running, Paused, Baking, Completed, Reverted, Aborted };
inline constexpr std::size_t kStateCount = 7;

enum class Event : std::uint8_t {
  // what a person asks for
  Start,
  Pause,
  Resume,
  Promote,  ///< the step ends now, whatever it waits for
  Abort,    ///< everything back to old
  Retry,    ///< from the first step again
  Undo,     ///< back to the weights before the rollout
  // what happens
  StepOver,  ///< everything that the step (the bake) waited for has come
  Hold,      ///< the gate or a check wants a person to look
  Revert,
  ByHand,    ///< somebody set the weight
};
inline constexpr std::size_t kEventCount = 11;
inline constexpr std::size_t kVerbCount = 7;  ///< the first events: what a person asks for

enum class Action : std::uint8_t { Refuse, Nothing, Begin, Pause, Resume, Next, Complete, Abort, Undo, Revert };

constexpr std::array<std::string_view, kStateCount> kStateNames{"idle",      "running",  "paused", "baking",
                                                                "completed", "reverted", "aborted"};
constexpr std::array<std::string_view, kEventCount> kEventNames{
    "start", "pause", "resume", "promote", "abort", "retry", "undo", "step_over", "hold", "revert", "by_hand"};

constexpr std::string_view name(State state) noexcept { return kStateNames[static_cast<std::size_t>(state)]; }
constexpr std::string_view name(Event event) noexcept { return kEventNames[static_cast<std::size_t>(event)]; }
constexpr std::optional<State> state_named(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kStateCount; ++i) {
    if (kStateNames[i] == name) return static_cast<State>(i);
  }
  return std::nullopt;
}

constexpr Action action(State state, Event event) noexcept {
  using A = Action;
  // clang-format off
  //                                      Start      Pause      Resume      Promote      Abort      Retry      Undo       StepOver     Hold        Revert      ByHand
  constexpr A kTable[kStateCount][kEventCount]{
      /* Idle      */                    {A::Begin,  A::Refuse, A::Refuse,  A::Refuse,   A::Refuse, A::Refuse, A::Refuse, A::Nothing,  A::Nothing, A::Nothing, A::Nothing},
      /* Running   */                    {A::Refuse, A::Pause,  A::Nothing, A::Next,     A::Abort,  A::Refuse, A::Refuse, A::Next,     A::Pause,   A::Revert,  A::Pause},
      /* Paused    */                    {A::Refuse, A::Nothing, A::Resume, A::Next,     A::Abort,  A::Refuse, A::Refuse, A::Nothing,  A::Nothing, A::Revert,  A::Pause},
      /* Baking    */                    {A::Refuse, A::Pause,  A::Nothing, A::Complete, A::Abort,  A::Refuse, A::Undo,   A::Complete, A::Pause,   A::Revert,  A::Pause},
      /* Completed */                    {A::Begin,  A::Refuse, A::Refuse,  A::Refuse,   A::Refuse, A::Refuse, A::Undo,   A::Nothing,  A::Nothing, A::Revert,  A::Nothing},
      /* Reverted  */                    {A::Begin,  A::Refuse, A::Refuse,  A::Refuse,   A::Refuse, A::Begin,  A::Refuse, A::Nothing,  A::Nothing, A::Nothing, A::Nothing},
      /* Aborted   */                    {A::Begin,  A::Refuse, A::Refuse,  A::Refuse,   A::Refuse, A::Begin,  A::Refuse, A::Nothing,  A::Nothing, A::Nothing, A::Nothing}};
  // clang-format on
  return kTable[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
}

/// The gate is watched for it, its checks are asked.
constexpr bool is_active(State state) noexcept {
  return state == State::Running || state == State::Paused || state == State::Baking;
}

}  // namespace tidegate::rollout
