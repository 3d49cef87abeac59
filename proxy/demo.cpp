// `tidegate demo`: two small clusters, clients, the real proxy with its real engine, and a story: three weights, a fault
// in new, the revert. It drives the proxy through the admin API like a person would, checks that what was promised
// happened, and ends by itself. Everything is on free loopback ports and in a temporary folder.

#include <signal.h>
#include <stdlib.h>

#include <boost/json.hpp>
#include <filesystem>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <thread>

#include "admin/client.h"
#include "app.h"
#include "cli/demo_load.h"
#include "cli/demo_origin.h"
#include "cli/demo_view.h"
#include "cli/terminal.h"
#include "config/load.h"
#include "run.h"

namespace tidegate {

namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr Duration kStep = 3s;          // each weight
constexpr Duration kSteady = 4s;        // after the revert
constexpr Duration kRevertWithin = 15s; // the rule needs about 2.5 s here: 20 % of 100 requests/s, burst tolerance 2 s
constexpr unsigned kFaultPercent = 20;
constexpr auto kFrame = std::chrono::milliseconds(100);

volatile sig_atomic_t interrupted = 0;

/// A folder for the state file that goes away with the demo.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tidegate-demo-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a folder in " + pattern);
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

config::Config demo_config(const std::string& old_address, const std::string& new_address, const std::string& folder) {
  const std::string yaml = "workers: 2\n"
                           "listeners: [{address: 127.0.0.1:0}]\n"
                           "clusters:\n"
                           "  old: {endpoints: [\"" + old_address + "\"]}\n"
                           "  new: {endpoints: [\"" + new_address + "\"]}\n"
                           "routes:\n"
                           "  - name: all\n"
                           "    weight: 10\n"
                           "    retry: {on: [connect, reset, 503]}\n"
                           "state: {path: " + folder + "/tidegate.db}\n"
                           "admin: {address: 127.0.0.1:0}\n";
  config::Loaded loaded = config::load_text(yaml, "demo", [](const std::string&) { return std::nullopt; });
  if (!loaded.config) throw std::logic_error("the demo's configuration: " + to_string(loaded.problems.front()));
  return std::move(*loaded.config);
}

class Demo {
 public:
  explicit Demo(const cli::DemoOptions& options)
      : terminal_(cli::process_terminal(options.color)),
        app_(demo_config(old_.address(), new_.address(), folder_.path()), {}) {
    app_.start();
    const std::string proxy = app_.listeners().front().address;
    view_.emplace(terminal_, terminal_.out_is_tty && !options.plain,
                  std::vector<std::string>{
                      "Tidegate demo  proxy http://" + proxy + "  admin http://" + app_.admin_address(),
                      "  old cluster " + old_.address() + "  new cluster " + new_.address() + "  " +
                          std::to_string(cli::DemoLoad::kPerSecond) + " requests/s"});
    api_.emplace(admin::Client::Setup{*admin::parse_server(app_.admin_address()), {}, 5s});
    const auto colon = proxy.rfind(':');
    load_.emplace(*net::make_address("127.0.0.1", static_cast<std::uint16_t>(std::stoi(proxy.substr(colon + 1)))));
    began_ = Clock::now();
  }

  int run() {
    tell("weight", "10 % of the requests go to new");
    play(kStep);
    for (const int weight : {25, 50}) {
      set_weight(weight);
      play(kStep);
    }
    fail_new();
    const bool reverted = play(kRevertWithin, true);
    if (interrupted != 0) return end_early();
    if (!reverted) return give_up("the gate did not revert");
    tell_revert();
    const std::uint64_t errors = load_->errors();
    play(500ms);  // what was on its way to new
    const std::uint64_t late = new_.requests();
    play(kSteady);
    if (interrupted != 0) return end_early();
    if (new_.requests() != late) return give_up("requests still reached new after the revert");
    if (load_->errors() != errors) return give_up("clients saw errors after the revert");
    tell("steady", "old serves everything, new got no request since; clients saw " + std::to_string(load_->errors()) +
                       " errors in " + std::to_string(load_->answers()) + " answers");
    view_->close();
    say_goodbye();
    return 0;
  }

 private:
  double now() const { return seconds(Clock::now() - began_); }
  void tell(const std::string& what, const std::string& text) { view_->event(now(), what, text); }

  /// Lets the demo go on. @return true when it was asked to watch for a revert and one came.
  bool play(Duration length, bool until_revert = false) {
    const TimePoint end = Clock::now() + length;
    while (Clock::now() < end && interrupted == 0) {
      std::this_thread::sleep_for(kFrame);
      look();
      view_->show(facts_);
      if (until_revert && facts_.latched) return true;
    }
    return false;
  }

  void look() {
    const double at = now();
    const double span = at - looked_at_;
    facts_.seconds = at;
    facts_.old_rate = smooth(facts_.old_rate, static_cast<double>(old_.requests() - old_seen_) / span);
    facts_.new_rate = smooth(facts_.new_rate, static_cast<double>(new_.requests() - new_seen_) / span);
    old_seen_ = old_.requests();
    new_seen_ = new_.requests();
    looked_at_ = at;
    facts_.answers = load_->answers();
    facts_.errors = load_->errors();
    const auto answer = api_->get("/api/v1/status");
    if (answer.has_error() || answer->status != 200) throw std::runtime_error("the admin API does not answer");
    const json::value status = json::parse(answer->body);
    const json::object& route = status.at("routes").at(0).as_object();
    facts_.weight = route.at("weight").at("effective").to_number<double>();
    facts_.latched = route.at("latched").as_bool();
    const json::object& gate = route.at("gate").as_object();
    const json::value& evidence = gate.at("statistics").at("s_new");
    const double needed = gate.at("thresholds").at("h_new").to_number<double>();
    facts_.evidence = evidence.is_null() ? 0 : std::max(0.0, evidence.to_number<double>()) / needed;
    facts_.gate = std::string(gate.at("sentence").as_string());
  }

  static double smooth(double before, double measured) { return before == 0 ? measured : before * 0.7 + measured * 0.3; }

  void set_weight(int percent) {
    const auto answer = api_->put("/api/v1/routes/all/weight", "{\"percent\": " + std::to_string(percent) + "}");
    if (answer.has_error() || answer->status != 200) throw std::runtime_error("the weight could not be set");
    tell("weight", std::to_string(percent) + " % of the requests go to new, from the next request on");
  }

  void fail_new() {
    fault_at_ = now();
    new_.fail_percent(kFaultPercent);
    tell("fault", "new now answers " + std::to_string(kFaultPercent) + " % of its requests with 503");
  }

  void tell_revert() {
    char after[32];
    std::snprintf(after, sizeof after, "%.1f", now() - fault_at_);
    tell("REVERT", "the gate sent everybody to old, " + std::string(after) + " s after the fault: " + facts_.gate);
    tell("clients", "saw " + std::to_string(load_->errors()) + " errors: each request that new failed (" +
                        std::to_string(new_.failures()) + ") was asked again of old");
  }

  int give_up(const std::string& why) {
    tell("FAILED", why);
    view_->close();
    return 1;
  }

  int end_early() {
    view_->close();
    terminal_.err << "ended before the story did\n";
    return 1;
  }

  void say_goodbye() {
    terminal_.out << "The weight is latched at 0 until a person re-arms the gate. Next:\n"
                     "  config/minimal.yaml                     put your two load balancers into it\n"
                     "  tidegate validate --config FILE         check it\n"
                     "  tidegate run --config FILE              serve\n"
                     "  tidegate weight all 10                  send 10 % to new; the gate watches\n"
                     "  tidegate status -w                      watch it\n"
                     "  tidegate history                        every decision with its reason\n";
  }

  cli::Terminal terminal_;
  TemporaryFolder folder_;
  cli::DemoOrigin old_{"old\n"};
  cli::DemoOrigin new_{"new\n"};
  App app_;
  std::optional<cli::DemoView> view_;
  std::optional<admin::Client> api_;
  std::optional<cli::DemoLoad> load_;
  TimePoint began_;
  cli::DemoFacts facts_;
  double looked_at_ = 0;
  double fault_at_ = 0;
  std::uint64_t old_seen_ = 0;
  std::uint64_t new_seen_ = 0;
};

}  // namespace

int demo(const cli::DemoOptions& options) {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGINT, [](int) { interrupted = 1; });
  ::signal(SIGTERM, [](int) { interrupted = 1; });
  try {
    Demo story(options);
    return story.run();
  } catch (const std::exception& error) {
    std::cerr << "tidegate demo: " << error.what() << '\n';
    return 1;
  }
}

}  // namespace tidegate
