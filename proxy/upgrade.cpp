#include "upgrade.h"

#include <unistd.h>

#include <boost/json.hpp>
#include <exception>
#include <optional>
#include <stdexcept>

#include "observe/log.h"
#include "supervisor.h"

namespace tidegate {

namespace json = boost::json;

namespace {

constexpr Duration kToStart = std::chrono::seconds(30);
constexpr Duration kToServe = std::chrono::seconds(10);  // nothing is decided meanwhile
constexpr Duration kLook = std::chrono::milliseconds(100);

void hand_over_sockets(const App& app, const HandoverChannel& to, TimePoint deadline) {
  for (const HandedSocket& one : app.listening()) {
    to.send({{"kind", "socket"}, {"listener", one.listener}, {"address", one.address}, {"owns_file", one.owns_file}}, deadline,
            one.descriptor);
  }
  to.send({{"kind", "lock"}}, deadline, app.lock_descriptor());
  for (const auto& [host, addresses] : app.names()) {
    json::array texts;
    for (const net::Address& one : addresses) texts.emplace_back(net::host_text(one));
    to.send({{"kind", "name"}, {"host", host}, {"addresses", std::move(texts)}}, deadline);
  }
  for (const observe::HealthBoard::Record& one : app.health()) to.send(health_json(one), deadline);
  to.send({{"kind", "end"}, {"pid", static_cast<std::int64_t>(::getpid())}}, deadline);
}

json::object expect(const HandoverChannel& from, std::string_view kind, TimePoint deadline) {
  json::object body = from.receive(deadline).body;
  const json::value* const found = body.if_contains("kind");
  if (found == nullptr || *found != json::string_view(kind)) throw std::runtime_error("the new process does not speak as this one does");
  return body;
}

std::vector<std::string> texts(const json::object& body, std::string_view name) {
  std::vector<std::string> out;
  const json::value* const found = body.if_contains(name);
  if (found == nullptr || !found->is_array()) return out;
  for (const json::value& one : found->get_array()) {
    if (one.is_string()) out.emplace_back(one.get_string());
  }
  return out;
}

}  // namespace

std::optional<pid_t> upgrade(App& app, const std::string& program, const std::vector<std::string>& arguments, const std::function<void()>& idle) {
  if (::getpid() == 1) {
    observe::log_error("upgrade failed: this is process 1, and a container ends with it; replace the container");
    return std::nullopt;
  }
  std::optional<Successor> next;
  bool held = false;
  try {
    app.while_workers_stand_still([&] { next.emplace(program, arguments); });
    observe::log_info("upgrade: pid " + std::to_string(next->pid()) + " begins to take over");
    const TimePoint deadline = Clock::now() + kToStart;
    hand_over_sockets(app, next->channel(), deadline);
    while (!next->channel().wait(kLook) && Clock::now() < deadline) idle();
    expect(next->channel(), "ready", deadline);
    const json::object state = app.hold();
    held = true;
    const TimePoint end = Clock::now() + kToServe;
    next->channel().send(state, end);
    const json::object serving = expect(next->channel(), "serving", end);
    const pid_t pid = next->pid();
    auto other = std::make_shared<ChannelToOther>(next->release());
    supervisor::tell_main_process(pid);
    app.let_go(texts(serving, "left"), std::move(other));
    observe::log_info("upgrade: pid " + std::to_string(pid) + " takes over");
    return pid;
  } catch (const std::exception& error) {
    std::string how = next ? next->end(held) : std::string();  // nothing is decided until this one goes on
    if (!how.empty()) how = "; " + how;
    if (held) app.go_on();
    observe::log_error("upgrade failed: " + std::string(error.what()) + how + "; this process goes on as before");
    return std::nullopt;
  }
}

void start_after(App& app, Predecessor& before) {
  App::Before parts;
  parts.lock = before.take_lock();
  parts.names = before.names();
  parts.health = before.health();
  parts.take_state = [&before] { return before.take_state(); };
  app.start(&parts);
  try {
    before.tell_serving(app.left_over());
  } catch (const std::exception& error) {
    observe::log_warn("the process before is gone already (" + std::string(error.what()) + "): what it still served is lost");
  }
  app.own_files(std::make_shared<ChannelToOther>(before.take_channel()));
  observe::log_info("took over from pid " + std::to_string(before.pid()));
}

std::string program_path() {
  std::string path(4096, '\0');
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  path.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return path;
}

}  // namespace tidegate
