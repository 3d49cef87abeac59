#include <array>

#include "config/read.h"
#include "config/section.h"
#include "config/sections.h"

namespace tidegate::config {
namespace {

/// One meaning today; the word is taken so that a file can say it.
void read_store(const Value& value, State&) {
  constexpr std::array<Choice<bool>, 1> kStores{{{"sqlite", true}}};
  bool sqlite = true;
  read_choice(value, sqlite, kStores);
}

constexpr std::array kStateFields{
    Field<State>{"store", read_store},
    Field<State>{"path", [](In v, State& out) { read_text(v, out.path, "a file"); }},
};
constexpr Section<State> kState{"state", kStateFields};

constexpr std::array kAdminFields{
    Field<Admin>{"address", [](In v, Admin& out) { read_socket_address(v, out.address); }},
    Field<Admin>{"token_file", [](In v, Admin& out) { read_text(v, out.token_file, "a file"); }},
    Field<Admin>{"tls", read_admin_tls},
};
constexpr Section<Admin> kAdmin{"admin", kAdminFields};

constexpr std::array kMetricsFields{Field<SocketAddress>{"address", read_socket_address, true}};
constexpr Section<SocketAddress> kMetrics{"metrics", kMetricsFields};

void read_format(const Value& value, AccessLog&) {
  constexpr std::array<Choice<bool>, 1> kFormats{{{"json", true}}};
  bool json = true;
  read_choice(value, json, kFormats);
}

constexpr std::array kAccessFields{
    Field<AccessLog>{"path", [](In v, AccessLog& out) { read_text(v, out.path, "off, stdout or a file"); }},
    Field<AccessLog>{"format", read_format},
    Field<AccessLog>{"sample", [](In v, AccessLog& out) { read_share(v, out.sample, {"0%", "100%"}); }},
};
constexpr Section<AccessLog> kAccess{"log.access", kAccessFields};

constexpr std::array<Choice<LogLevel>, 4> kLevels{
    {{"debug", LogLevel::Debug}, {"info", LogLevel::Info}, {"warn", LogLevel::Warn}, {"error", LogLevel::Error}}};

constexpr std::array kLogFields{
    Field<Log>{"access", [](In v, Log& out) { read_section(v, kAccess, out.access); }},
    Field<Log>{"level", [](In v, Log& out) { read_choice(v, out.level, kLevels); }},
};
constexpr Section<Log> kLog{"log", kLogFields};

void read_buffers(const Value& value, Memory& out) {
  if (value.node().kind == Node::Kind::Scalar && value.node().text == "auto") return;  // 0: load.cpp asks the machine
  read_size(value, out.buffers, {"1MiB", "1024GiB"});
}

constexpr std::array kMemoryFields{Field<Memory>{"buffers", read_buffers}};
constexpr Section<Memory> kMemory{"memory", kMemoryFields};

constexpr std::array kDrainFields{
    Field<Drain>{"delay", [](In v, Drain& out) { read_duration(v, out.delay, {"0s", "1h"}); }},
    Field<Drain>{"timeout", [](In v, Drain& out) { read_duration(v, out.timeout, {"0s", "1d"}); }},
};
constexpr Section<Drain> kDrain{"drain", kDrainFields};

}  // namespace

void read_state(const Value& value, State& out) { read_section(value, kState, out); }
void read_admin(const Value& value, Admin& out) { read_section(value, kAdmin, out); }
void read_log(const Value& value, Log& out) { read_section(value, kLog, out); }
void read_memory(const Value& value, Memory& out) { read_section(value, kMemory, out); }
void read_drain(const Value& value, Drain& out) { read_section(value, kDrain, out); }

void read_metrics(const Value& value, std::optional<SocketAddress>& out) {
  SocketAddress address;
  if (read_section(value, kMetrics, address)) out = std::move(address);
}

void append_service_keys(KeyList& out) {
  kState.append_keys(out);
  kAdmin.append_keys(out);
  kMetrics.append_keys(out);
  kLog.append_keys(out);
  kAccess.append_keys(out);
  kMemory.append_keys(out);
  kDrain.append_keys(out);
}

}  // namespace tidegate::config
