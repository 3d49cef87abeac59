#include <algorithm>
#include <array>

#include "config/read.h"
#include "config/section.h"
#include "config/sections.h"

namespace tidegate::config {
namespace {

constexpr std::array kLimitFields{
    Field<Listener>{"header_bytes",
                    [](In v, Listener& out) { read_size(v, out.session.head.bytes, {"1KiB", "1MiB"}); }},
    Field<Listener>{"headers",
                    [](In v, Listener& out) { read_integer(v, out.session.head.fields, {"1", "1000"}); }},
    Field<Listener>{"uri_bytes",
                    [](In v, Listener& out) { read_size(v, out.session.head.uri_bytes, {"64B", "1MiB"}); }},
    Field<Listener>{"body_bytes",
                    [](In v, Listener& out) { read_size(v, out.session.body_bytes, {"0", "1024GiB"}); }},
    Field<Listener>{"h2_streams",
                    [](In v, Listener& out) { read_integer(v, out.session.streams, {"1", "10000"}); }},
    Field<Listener>{"connections",
                    [](In v, Listener& out) { read_integer(v, out.connections, {"1", "1000000"}); }},
    Field<Listener>{"connections_per_client",
                    [](In v, Listener& out) { read_integer(v, out.connections_per_client, {"0", "1000000"}); }},
    Field<Listener>{"requests_per_connection",
                    [](In v, Listener& out) { read_integer(v, out.session.requests_per_connection, {"0", "1000000000"}); }},
    Field<Listener>{"min_request_rate",
                    [](In v, Listener& out) { read_size(v, out.session.min_request_rate, {"0", "1GiB"}); }},
    Field<Listener>{"min_response_rate",
                    [](In v, Listener& out) { read_size(v, out.session.min_response_rate, {"0", "1GiB"}); }},
    Field<Listener>{"tls_handshakes",
                    [](In v, Listener& out) { read_integer(v, out.tls_handshakes, {"0", "1000000"}); }},
};
constexpr Section<Listener> kLimits{"listeners[].limits", kLimitFields};

/// The target is a part of the head: a head limit below the default target limit lowers that, too.
void read_limits(const Value& value, Listener& out) {
  if (!read_section(value, kLimits, out)) return;
  http::HeadLimits& head = out.session.head;
  if (head.uri_bytes <= head.bytes) return;
  if (value.has("uri_bytes")) value.fail("uri_bytes is larger than header_bytes, which the URI is a part of");
  head.uri_bytes = head.bytes;
}

constexpr std::array kTimeoutFields{
    Field<Listener>{"header",
                    [](In v, Listener& out) { read_duration(v, out.session.header_timeout, {"1ms", "1h"}); }},
    Field<Listener>{"idle",
                    [](In v, Listener& out) { read_duration(v, out.session.idle_timeout, {"1ms", "7d"}); }},
    Field<Listener>{"body_idle",
                    [](In v, Listener& out) { read_duration(v, out.session.body_idle_timeout, {"1ms", "1d"}); }},
    Field<Listener>{"rate_grace",
                    [](In v, Listener& out) { read_duration(v, out.session.rate_grace, {"100ms", "1h"}); }},
    Field<Listener>{"max_connection_age",
                    [](In v, Listener& out) { read_duration(v, out.session.max_connection_age, {"0s", "365d"}); }},
    Field<Listener>{"tls_handshake",
                    [](In v, Listener& out) { read_duration(v, out.session.tls_handshake_timeout, {"1ms", "5m"}); }},
};
constexpr Section<Listener> kTimeouts{"listeners[].timeouts", kTimeoutFields};

constexpr std::array<Choice<http::DotSegments>, 3> kDotSegments{
    {{"keep", http::DotSegments::Keep}, {"remove", http::DotSegments::Remove}, {"reject", http::DotSegments::Reject}}};
constexpr std::array<Choice<http::EscapedSlashes>, 3> kEscapedSlashes{
    {{"keep", http::EscapedSlashes::Keep}, {"reject", http::EscapedSlashes::Reject}, {"decode", http::EscapedSlashes::Decode}}};
constexpr std::array<Choice<bool>, 2> kUnreserved{{{"keep", false}, {"decode", true}}};

constexpr std::array kPathFields{
    Field<Listener>{"merge_slashes", [](In v, Listener& out) { read_bool(v, out.session.path.merge_slashes); }},
    Field<Listener>{"dot_segments", [](In v, Listener& out) { read_choice(v, out.session.path.dot_segments, kDotSegments); }},
    Field<Listener>{"escaped_slashes",
                    [](In v, Listener& out) { read_choice(v, out.session.path.escaped_slashes, kEscapedSlashes); }},
    Field<Listener>{"unreserved", [](In v, Listener& out) { read_choice(v, out.session.path.decode_unreserved, kUnreserved); }},
};
constexpr Section<Listener> kPath{"listeners[].path", kPathFields};

void read_underscores(const Value& value, Listener& out) {
  constexpr std::array<Choice<http::Underscores>, 3> kWords{
      {{"keep", http::Underscores::Keep}, {"drop", http::Underscores::Drop}, {"reject", http::Underscores::Reject}}};
  read_choice(value, out.session.head.underscores, kWords);
}

void read_proxy_protocol(const Value& value, Listener& out) {
  constexpr std::array<Choice<bool>, 2> kWords{{{"off", false}, {"accept", true}}};
  read_choice(value, out.session.proxy_protocol, kWords);
}

/// As chmod takes it: three octal digits, with or without a 0 before them.
void read_mode(const Value& value, Listener& out) {
  const auto text = value.text("a mode such as \"0660\"");
  if (!text) return;
  const std::string_view digits = text->size() == 4 && text->starts_with('0') ? text->substr(1) : *text;
  const auto octal = [](char c) { return c >= '0' && c <= '7'; };
  if (digits.size() != 3 || !std::all_of(digits.begin(), digits.end(), octal)) {
    return value.fail(in_quotes(*text) + " is not a mode such as \"0660\"");
  }
  std::uint32_t mode = 0;
  for (const char c : digits) mode = mode * 8 + static_cast<std::uint32_t>(c - '0');
  out.mode = mode;
}

constexpr std::array kFields{
    Field<Listener>{"name", [](In v, Listener& out) { read_name(v, out.name); }},
    Field<Listener>{"address", [](In v, Listener& out) { read_listener_address(v, out.address); }, true},
    Field<Listener>{"mode", read_mode},
    Field<Listener>{"proxy_protocol", read_proxy_protocol},
    Field<Listener>{"h2c", [](In v, Listener& out) { read_bool(v, out.session.h2c); }},
    Field<Listener>{"tls", read_listener_tls},
    Field<Listener>{"path", [](In v, Listener& out) { read_section(v, kPath, out); }},
    Field<Listener>{"header_underscores", read_underscores},
    Field<Listener>{"limits", read_limits},
    Field<Listener>{"timeouts", [](In v, Listener& out) { read_section(v, kTimeouts, out); }},
};
constexpr Section<Listener> kSection{"listeners[]", kFields};

}  // namespace

void read_listeners(const Value& value, std::vector<Listener>& out) {
  read_list(value, [&](const Value& item) {
    Listener& listener = out.emplace_back();
    read_section(item, kSection, listener);
    if (!item.has("name")) listener.name = "listener-" + std::to_string(out.size());
  });
}

void append_listener_keys(KeyList& out) {
  kSection.append_keys(out);
  kPath.append_keys(out);
  kLimits.append_keys(out);
  kTimeouts.append_keys(out);
  append_tls_keys(out);
}

}  // namespace tidegate::config
