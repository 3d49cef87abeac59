#include <array>

#include "config/addresses.h"
#include "config/read.h"
#include "config/section.h"
#include "config/sections.h"

namespace tidegate::config {
namespace {

void read_workers(const Value& value, Config& out) {
  if (value.node().kind == Node::Kind::Scalar && value.node().text == "auto") return;  // 0: load.cpp asks the machine
  read_integer(value, out.workers, {"1", "256"});
}

void read_trusted_proxies(const Value& value, Config& out) {
  read_list(value, [&](const Value& item) {
    const auto text = item.text("an address range such as 10.0.0.0/8");
    if (!text) return;
    Parsed<AddressRange> range = parse_range(*text);
    if (!range) return item.fail(std::move(range.error));
    out.trusted_proxies.push_back(std::move(*range.value));
  });
}

constexpr std::array kFields{
    Field<Config>{"workers", read_workers},
    Field<Config>{"listeners", [](In v, Config& out) { read_listeners(v, out.listeners); }, true},
    Field<Config>{"trusted_proxies", read_trusted_proxies},
    Field<Config>{"dns", [](In v, Config& out) { read_dns(v, out.dns); }},
    Field<Config>{"clusters", [](In v, Config& out) { read_clusters(v, out.clusters); }, true},
    Field<Config>{"routes", [](In v, Config& out) { read_routes(v, out.routes); }, true},
    Field<Config>{"checks", [](In v, Config& out) { read_checks(v, out.checks); }},
    Field<Config>{"notify", [](In v, Config& out) { read_notify(v, out.notify); }},
    Field<Config>{"state", [](In v, Config& out) { read_state(v, out.state); }},
    Field<Config>{"admin", [](In v, Config& out) { read_admin(v, out.admin); }},
    Field<Config>{"metrics", [](In v, Config& out) { read_metrics(v, out.metrics); }},
    Field<Config>{"log", [](In v, Config& out) { read_log(v, out.log); }},
    Field<Config>{"memory", [](In v, Config& out) { read_memory(v, out.memory); }},
    Field<Config>{"drain", [](In v, Config& out) { read_drain(v, out.drain); }},
};
constexpr Section<Config> kSection{"", kFields};

}  // namespace

void read_root(const Value& root, Config& out) { read_section(root, kSection, out); }

void append_root_keys(KeyList& out) { kSection.append_keys(out); }

namespace {

void read_address(const Value& value, SocketAddress& out, Parsed<SocketAddress> (*parse)(std::string_view)) {
  const auto text = value.text("an address such as 127.0.0.1:8080");
  if (!text) return;
  Parsed<SocketAddress> address = parse(*text);
  if (!address) return value.fail(std::move(address.error));
  out = std::move(*address.value);
}

}  // namespace

void read_socket_address(const Value& value, SocketAddress& out) { read_address(value, out, parse_socket_address); }
void read_listener_address(const Value& value, SocketAddress& out) { read_address(value, out, parse_listener_address); }

}  // namespace tidegate::config
