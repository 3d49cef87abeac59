#include <array>

#include "config/read.h"
#include "config/section.h"
#include "config/section_outbound.h"
#include "config/sections.h"
#include "config/text_rules.h"
#include "outbound/url.h"

namespace tidegate::config {
namespace {

using outbound::TlsPolicy;

void read_ca(const Value& value, TlsPolicy& out) {
  const auto text = value.text("system or a PEM file");
  if (text && *text != "system") out.ca = *text;
}

constexpr std::array kTlsFields{
    Field<TlsPolicy>{"ca", read_ca},
    Field<TlsPolicy>{"verify", [](In v, TlsPolicy& out) { read_bool(v, out.verify); }},
    Field<TlsPolicy>{"cert", [](In v, TlsPolicy& out) { read_text(v, out.cert, "a PEM file"); }},
    Field<TlsPolicy>{"key", [](In v, TlsPolicy& out) { read_text(v, out.key, "a PEM file"); }},
};

}  // namespace

void read_url(const Value& value, std::string& out) {
  const auto text = value.text("a URL such as https://hooks.example.com/x");
  if (!text) return;
  const auto url = outbound::parse_url(std::string(*text));
  if (!url) return value.fail(url.error().message);
  out = *text;
}

void read_outbound_tls(const Value& value, outbound::TlsPolicy& out) {
  if (!read_section(value, Section<TlsPolicy>{"tls", kTlsFields}, out)) return;
  if (out.cert.empty() != out.key.empty()) value.fail("cert and key belong together: both or none");
}

void append_outbound_tls_keys(std::string_view section, KeyList& out) {
  Section<TlsPolicy>{section, kTlsFields}.append_keys(out);
}

void read_outbound_headers(const Value& value, std::vector<std::pair<std::string, std::string>>& out) {
  if (!value.is_map()) return;
  for (const Entry& entry : value.node().entries) {
    if (!is_token(entry.key.text)) {
      value.fail_key(entry, in_quotes(entry.key.text) + " is not a field name");
      continue;
    }
    const auto text = value.child(entry).text("a field value");
    if (text) out.emplace_back(entry.key.text, std::string(*text));
  }
}

}  // namespace tidegate::config
