#include <array>

#include "config/read.h"
#include "config/section.h"
#include "config/sections.h"
#include "config/text_rules.h"

namespace tidegate::config {
namespace {

using route::UpgradePolicy;

void read_protocols(const Value& value, UpgradePolicy& out) {
  out.protocols.clear();
  if (!value.is_list()) return;
  for (std::size_t i = 0; i < value.node().items.size(); ++i) {
    const Value item = value.item(i);
    const auto text = item.text("a protocol such as websocket");
    if (!text) continue;
    if (!is_token(*text)) {
      item.fail(in_quotes(*text) + " is not the name of a protocol");
    } else if (lower(*text) == "h2c") {
      item.fail("h2c is never upgraded to: it would carry requests past the routes");
    } else {
      out.protocols.push_back(lower(*text));
    }
  }
}

void read_on_revert(const Value& value, UpgradePolicy& out) {
  constexpr std::array<Choice<bool>, 2> kChoices{{{"keep", false}, {"close", true}}};
  read_choice(value, out.close_on_revert, kChoices);
}

constexpr std::array kFields{
    Field<UpgradePolicy>{"protocols", read_protocols},
    Field<UpgradePolicy>{"idle_timeout",
                         [](In v, UpgradePolicy& out) { read_duration(v, out.idle_timeout, {"0s", "7d"}); }},
    Field<UpgradePolicy>{"on_revert", read_on_revert},
    Field<UpgradePolicy>{"close_jitter",
                         [](In v, UpgradePolicy& out) { read_duration(v, out.close_jitter, {"0s", "10m"}); }},
};
constexpr Section<UpgradePolicy> kSection{"routes[].upgrade", kFields};

}  // namespace

void read_upgrade(const Value& value, UpgradePolicy& out) { read_section(value, kSection, out); }

void append_upgrade_keys(KeyList& out) { kSection.append_keys(out); }

}  // namespace tidegate::config
