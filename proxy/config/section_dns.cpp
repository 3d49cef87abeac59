#include <algorithm>
#include <array>

#include "config/addresses.h"
#include "config/read.h"
#include "config/section.h"
#include "config/sections.h"

namespace tidegate::config {
namespace {

using upstream::DnsPolicy;

constexpr std::size_t kMostServers = 8;  // each is asked in turn, and one name has five timeouts in all

void read_servers(const Value& value, DnsPolicy& out) {
  read_list(value, [&](const Value& item) {
    const auto text = item.text("a name server such as 10.0.0.2:53");
    if (!text) return;
    Parsed<SocketAddress> server = parse_name_server(*text);
    if (!server) return item.fail(std::move(server.error));
    const std::string written = to_string(*server.value);
    if (std::find(out.servers.begin(), out.servers.end(), written) != out.servers.end()) {
      return item.fail(in_quotes(*text) + " is listed twice");
    }
    if (out.servers.size() == kMostServers) return item.fail("there are more than " + std::to_string(kMostServers) + " servers");
    out.servers.push_back(written);
  });
}

constexpr std::array kFields{
    Field<DnsPolicy>{"servers", read_servers},
    Field<DnsPolicy>{"timeout", [](In v, DnsPolicy& out) { read_duration(v, out.timeout, {"10ms", "30s"}); }},
};
constexpr Section<DnsPolicy> kSection{"dns", kFields};

}  // namespace

void read_dns(const Value& value, DnsPolicy& out) { read_section(value, kSection, out); }

void append_dns_keys(KeyList& out) { kSection.append_keys(out); }

}  // namespace tidegate::config
