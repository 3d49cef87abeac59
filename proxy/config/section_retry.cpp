#include <array>

#include "config/read.h"
#include "config/section.h"
#include "config/sections.h"

namespace tidegate::config {
namespace {

using route::RetryPolicy;

enum class Cause { Connect, Reset, Timeout, BadGateway = 502, Unavailable = 503, GatewayTimeout = 504 };

constexpr std::array<Choice<Cause>, 6> kCauses{{{"connect", Cause::Connect},
                                                {"reset", Cause::Reset},
                                                {"timeout", Cause::Timeout},
                                                {"502", Cause::BadGateway},
                                                {"503", Cause::Unavailable},
                                                {"504", Cause::GatewayTimeout}}};

constexpr std::array<Choice<RetryPolicy::Methods>, 2> kMethods{
    {{"safe", RetryPolicy::Methods::Safe}, {"idempotent", RetryPolicy::Methods::Idempotent}}};

/// The list replaces the default as a whole.
void read_on(const Value& value, RetryPolicy& out) {
  out.on_connect = out.on_reset = out.on_timeout = false;
  out.on_statuses.clear();
  read_list(value, [&](const Value& item) {
    Cause cause{};
    if (!read_choice(item, cause, kCauses)) return;
    switch (cause) {
      case Cause::Connect: out.on_connect = true; break;
      case Cause::Reset: out.on_reset = true; break;
      case Cause::Timeout: out.on_timeout = true; break;
      default: out.on_statuses.push_back(static_cast<std::uint16_t>(cause));
    }
  });
}

constexpr std::array kBackoffFields{
    Field<RetryPolicy>{"base", [](In v, RetryPolicy& out) { read_duration(v, out.backoff.base, {"0s", "10s"}); }},
    Field<RetryPolicy>{"max", [](In v, RetryPolicy& out) { read_duration(v, out.backoff.most, {"0s", "10s"}); }},
};
constexpr Section<RetryPolicy> kBackoff{"routes[].retry.backoff", kBackoffFields};

/// Where only the base is given, the most is ten times that, as it is by default.
void read_backoff(const Value& value, RetryPolicy& out) {
  if (!read_section(value, kBackoff, out)) return;
  if (!value.has("max")) out.backoff.most = out.backoff.base * 10;
  if (out.backoff.base > out.backoff.most) value.fail("base is longer than max");
}

constexpr std::array kFields{
    Field<RetryPolicy>{"retries", [](In v, RetryPolicy& out) { read_integer(v, out.retries, {"0", "3"}); }},
    Field<RetryPolicy>{"on", read_on},
    Field<RetryPolicy>{"methods", [](In v, RetryPolicy& out) { read_choice(v, out.methods, kMethods); }},
    Field<RetryPolicy>{"per_try_timeout",
                       [](In v, RetryPolicy& out) { read_duration(v, out.per_try_timeout, {"0s", "1d"}); }},
    Field<RetryPolicy>{"budget", [](In v, RetryPolicy& out) { read_share(v, out.budget, {"0%", "100%"}); }},
    Field<RetryPolicy>{"backoff", read_backoff},
    Field<RetryPolicy>{"buffer", [](In v, RetryPolicy& out) { read_size(v, out.buffer, {"0", "16MiB"}); }},
    Field<RetryPolicy>{"other_side", [](In v, RetryPolicy& out) { read_bool(v, out.other_side); }},
};
constexpr Section<RetryPolicy> kSection{"routes[].retry", kFields};

}  // namespace

void read_retry(const Value& value, RetryPolicy& out) { read_section(value, kSection, out); }

void append_retry_keys(KeyList& out) {
  kSection.append_keys(out);
  kBackoff.append_keys(out);
}

}  // namespace tidegate::config
