#include "store/store.h"

#include <array>
#include <boost/throw_exception.hpp>
#include <stdexcept>

namespace tidegate::store {
namespace {

constexpr std::array<std::string_view, 16> kActions{
    "weight",        "mirror",          "revert",        "rearm",          "hold",         "would_revert",
    "rollout_start", "step",            "rollout_pause", "rollout_resume", "rollout_promote",
    "rollout_abort", "rollout_retry",   "rollout_undo",  "rollout_bake",   "rollout_completed"};

}  // namespace

std::string_view name(Action action) noexcept { return kActions[static_cast<std::size_t>(action)]; }

std::optional<Action> action_named(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kActions.size(); ++i) {
    if (kActions[i] == name) return static_cast<Action>(i);
  }
  return std::nullopt;
}

void throw_exception_from_error(const Error& error, const boost::source_location& where) {
  boost::throw_with_location(std::runtime_error(error.message), where);
}

}  // namespace tidegate::store
