#include <array>

#include "config/addresses.h"
#include "config/read.h"
#include "config/section.h"
#include "config/sections.h"
#include "config/text_rules.h"

namespace tidegate::config {
namespace {

using route::MirrorHost;
using route::MirrorPolicy;

/// A value that begins with "-" is put after the client's host ("api.example.com-shadow", as Envoy and Istio do).
void read_host(const Value& value, MirrorPolicy& out) {
  const auto text = value.text("preserve, a suffix such as -shadow, or a host");
  if (!text || *text == "preserve") return;
  const bool suffix = text->starts_with('-');
  const bool good = suffix ? is_host_name("x" + std::string(*text))
                           : is_host_name(*text) || is_ipv4(*text) || parse_endpoint(*text).value.has_value();
  if (!good) return value.fail(in_quotes(*text) + " is neither preserve, a suffix such as -shadow, nor a host");
  out.host = {suffix ? MirrorHost::Kind::Suffix : MirrorHost::Kind::Literal, std::string(*text)};
}

constexpr std::array kFields{
    Field<MirrorPolicy>{"percent", [](In v, MirrorPolicy& out) { read_weight(v, out.percent); }},
    Field<MirrorPolicy>{"methods", [](In v, MirrorPolicy& out) { read_methods(v, out.methods); }},
    Field<MirrorPolicy>{"rate", [](In v, MirrorPolicy& out) { read_rate(v, out.rate, {"0.01/s", "1000000/s"}); }},
    Field<MirrorPolicy>{"concurrency",
                        [](In v, MirrorPolicy& out) { read_integer(v, out.concurrency, {"1", "100000"}); }},
    Field<MirrorPolicy>{"buffer", [](In v, MirrorPolicy& out) { read_size(v, out.buffer, {"64KiB", "16GiB"}); }},
    Field<MirrorPolicy>{"timeout", [](In v, MirrorPolicy& out) { read_duration(v, out.timeout, {"1ms", "1h"}); }},
    Field<MirrorPolicy>{"host", read_host},
};
constexpr Section<MirrorPolicy> kSection{"routes[].mirror", kFields};

}  // namespace

void read_mirror(const Value& value, std::optional<MirrorPolicy>& out) {
  MirrorPolicy mirror;
  mirror.percent = Weight::whole();  // who writes `mirror:` wants one; `percent: 0` keeps it ready but off
  if (read_section(value, kSection, mirror)) out = std::move(mirror);
}

void append_mirror_keys(KeyList& out) { kSection.append_keys(out); }

}  // namespace tidegate::config
