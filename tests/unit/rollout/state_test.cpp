#include "rollout/state.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace tidegate::rollout {
namespace {

char letter(Action action) {
  switch (action) {
    case Action::Refuse: return '-';
    case Action::Nothing: return '.';
    case Action::Begin: return 'B';
    case Action::Pause: return 'P';
    case Action::Resume: return 'R';
    case Action::Next: return 'N';
    case Action::Complete: return 'C';
    case Action::Abort: return 'A';
    case Action::Undo: return 'U';
    case Action::Revert: return 'V';
  }
  return '?';
}

// In the order of Event: start pause resume promote abort retry undo | step_over hold revert by_hand.
TEST(RolloutState, EveryPairOfStateAndEventHasTheActionThatTheDrawingShows) {
  const std::map<State, std::string> drawn{
      {State::Idle, "B------....."},      {State::Running, "-P.NA--NPVP"},   {State::Paused, "-.RNA--..VP"},
      {State::Baking, "-P.CA-UCPVP"},     {State::Completed, "B-----U..V."}, {State::Reverted, "B----B-...."},
      {State::Aborted, "B----B-...."},
  };
  for (std::size_t s = 0; s < kStateCount; ++s) {
    const auto state = static_cast<State>(s);
    std::string row;
    for (std::size_t e = 0; e < kEventCount; ++e) row += letter(action(state, static_cast<Event>(e)));
    EXPECT_EQ(row, drawn.at(state).substr(0, kEventCount)) << name(state);
  }
}

TEST(RolloutState, WhatAPersonAsksForIsNeverIgnoredWhereItMeansSomething) {
  for (std::size_t s = 0; s < kStateCount; ++s) {
    const auto state = static_cast<State>(s);
    if (is_active(state)) {
      EXPECT_EQ(action(state, Event::Abort), Action::Abort);
      EXPECT_EQ(action(state, Event::Revert), Action::Revert);
      EXPECT_EQ(action(state, Event::Start), Action::Refuse);
    } else {
      EXPECT_EQ(action(state, Event::Start), Action::Begin);
      EXPECT_EQ(action(state, Event::Abort), Action::Refuse);
    }
  }
}

TEST(RolloutState, NamesReadBackAsWhatTheyName) {
  for (std::size_t s = 0; s < kStateCount; ++s) EXPECT_EQ(state_named(name(static_cast<State>(s))), static_cast<State>(s));
  EXPECT_FALSE(state_named("walking"));
}

}  // namespace
}  // namespace tidegate::rollout
