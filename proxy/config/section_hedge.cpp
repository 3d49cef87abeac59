#include <array>

#include "config/read.h"
#include "config/section.h"
#include "config/sections.h"

namespace tidegate::config {
namespace {

using route::HedgePolicy;

void read_after(const Value& value, HedgePolicy& out) {
  const auto text = value.text("p95 or a duration such as 200ms");
  if (!text) return;
  if (*text == "p95") {
    out.after = Duration::zero();
  } else {
    read_duration(value, out.after, {"1ms", "1m"});
  }
}

/// More than these would be asked twice to do something.
void read_methods(const Value& value, HedgePolicy&) {
  enum class Methods : std::uint8_t { Safe } methods{};
  constexpr std::array<Choice<Methods>, 1> kMethods{{{"safe", Methods::Safe}}};
  read_choice(value, methods, kMethods);
}

constexpr std::array kFields{
    Field<HedgePolicy>{"after", read_after},
    Field<HedgePolicy>{"methods", read_methods},
};
constexpr Section<HedgePolicy> kSection{"routes[].hedge", kFields};

}  // namespace

void read_hedge(const Value& value, std::optional<HedgePolicy>& out) {
  HedgePolicy hedge;
  if (read_section(value, kSection, hedge)) out = hedge;
}

void append_hedge_keys(KeyList& out) { kSection.append_keys(out); }

}  // namespace tidegate::config
