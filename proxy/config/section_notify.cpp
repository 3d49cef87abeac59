#include <array>

#include "config/read.h"
#include "config/section.h"
#include "config/section_outbound.h"
#include "config/sections.h"

namespace tidegate::config {
namespace {

using notify::Event;
using notify::Format;
using notify::NotifyPolicy;

constexpr std::array<Choice<Format>, 2> kFormats{{{"json", Format::Json}, {"slack", Format::Slack}}};

constexpr std::array kWebhookFields{
    Field<NotifyPolicy>{"url", [](In v, NotifyPolicy& out) { read_url(v, out.destination.url); }, true},
    Field<NotifyPolicy>{"format", [](In v, NotifyPolicy& out) { read_choice(v, out.format, kFormats); }},
    Field<NotifyPolicy>{"timeout", [](In v, NotifyPolicy& out) { read_duration(v, out.timeout, {"10ms", "5m"}); }},
    Field<NotifyPolicy>{"tls", [](In v, NotifyPolicy& out) { read_outbound_tls(v, out.destination.tls); }},
    Field<NotifyPolicy>{"headers", [](In v, NotifyPolicy& out) { read_outbound_headers(v, out.destination.headers); }},
};
constexpr Section<NotifyPolicy> kWebhook{"notify[].webhook", kWebhookFields};

constexpr std::array<Choice<Event>, notify::kEventCount> event_choices() {
  std::array<Choice<Event>, notify::kEventCount> out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = {notify::name(static_cast<Event>(i)), static_cast<Event>(i)};
  return out;
}
constexpr auto kEvents = event_choices();

void read_on(const Value& value, NotifyPolicy& out) {
  read_list(value, [&](const Value& item) {
    Event event = Event::Started;
    if (read_choice(item, event, kEvents)) out.on[static_cast<std::size_t>(event)] = true;
  });
}

constexpr std::array kFields{
    Field<NotifyPolicy>{"webhook", [](In v, NotifyPolicy& out) { read_section(v, kWebhook, out); }, true},
    Field<NotifyPolicy>{"on", read_on},
};
constexpr Section<NotifyPolicy> kSection{"notify[]", kFields};

}  // namespace

/// Without `on` it is told of everything.
void read_notify(const Value& value, std::vector<NotifyPolicy>& out) {
  read_list(value, [&](const Value& item) {
    NotifyPolicy& one = out.emplace_back();
    if (read_section(item, kSection, one) && !item.has("on")) one.on.fill(true);
  });
}

void append_notify_keys(KeyList& out) {
  kSection.append_keys(out);
  kWebhook.append_keys(out);
  append_outbound_tls_keys("notify[].webhook.tls", out);
}

}  // namespace tidegate::config
