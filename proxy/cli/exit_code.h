// The exit codes of PRODUCT §4 that the verbs of today use. Scripts depend on them.
#pragma once

namespace tidegate::cli {

enum class Exit : int {
  Ok = 0,
  Failed = 1,  ///< failed or invalid
  Usage = 2,
  Warnings = 3,     ///< validate --strict
  Unreachable = 4,  ///< no server there
  Conflict = 5,     ///< not possible in this state, or somebody was faster
  Reverted = 10,    ///< the gate reverted the rollout
  Aborted = 11,     ///< a person ended the rollout
  Paused = 12,      ///< a person is needed, or evidence was not enough in time
  BadConfig = 78,   ///< run with a bad configuration (EX_CONFIG)
  TimedOut = 124,   ///< as timeout(1) says it
  Interrupted = 130,  ///< Ctrl-C, as shells say it: 128 and the signal
  Terminated = 143,
};

constexpr int code(Exit exit) noexcept { return static_cast<int>(exit); }

}  // namespace tidegate::cli
