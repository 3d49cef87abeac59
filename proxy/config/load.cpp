#include "config/load.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

#include "config/check_files.h"
#include "config/limits.h"
#include "config/machine.h"
#include "config/parse.h"
#include "config/prepare.h"
#include "config/sections.h"
#include "config/validate.h"

namespace tidegate::config {
namespace {

Loaded failed(Problems problems) { return {std::nullopt, std::move(problems).take_sorted()}; }

/// systemd gives $STATE_DIRECTORY, a list separated by ":"; without it the file's own folder has to do.
std::string default_state_path(const std::string& file_name, const Environment& environment) {
  const std::string given = environment("STATE_DIRECTORY").value_or("");
  const std::string first = given.substr(0, given.find(':'));
  const auto folder = first.empty() ? std::filesystem::path(file_name).parent_path() : std::filesystem::path(first);
  return (folder / "tidegate.db").string();
}

/// The shortest step of a rollout is what its plan says: the gate's own bound is for steps that are made by hand.
void fill_dwell(Route& route) {
  if (!route.rollout) return;
  for (const rollout::Step& step : route.rollout->steps) {
    if (step.kind != rollout::Step::Kind::Weight || !step.time) continue;
    route.gate.min_dwell_s = std::min(route.gate.min_dwell_s, seconds(*step.time));
  }
}

/// What is offered to the endpoints follows from what is to be spoken with them.
void fill_protocols(upstream::ClusterPolicy& cluster) {
  if (!cluster.tls) return;
  if (cluster.protocol == upstream::Protocol::Http2) cluster.tls->alpn = {"h2"};
  if (cluster.protocol == upstream::Protocol::Auto && cluster.may_carry_many()) cluster.tls->alpn = {"h2", "http/1.1"};
}

/// Before the files are looked at, but for a configuration from a pipe (/dev/stdin, <(generate)): it will be run from elsewhere.
void fill_state_path(Config& config, const std::string& file_name, const Environment& environment, bool is_last) {
  if (!config.state.path.empty() || (file_name.starts_with("/dev/") && !is_last)) return;
  config.state.path = default_state_path(file_name, environment);
}

void fill_defaults(Config& config) {
  if (config.workers == 0) config.workers = automatic_workers();
  if (config.memory.buffers == 0) config.memory.buffers = automatic_buffers();
  for (Route& route : config.routes) fill_dwell(route);
  for (upstream::ClusterPolicy& cluster : config.clusters) fill_protocols(cluster);
}

/// At most one byte more than allowed, which parse() then refuses. Works for pipes, too. Empty: errno says why.
std::optional<std::string> read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), &std::fclose);
  if (file == nullptr) return std::nullopt;
  std::string text(kFileBytes + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return std::nullopt;
  return text;
}

Loaded load(std::string_view yaml, const std::string& file_name, const Environment& environment, bool with_files) {
  Problems problems(file_name);
  std::optional<Node> root = parse(yaml, problems);
  if (!root) return failed(std::move(problems));
  prepare(*root, environment, problems);
  Config config;
  read_root(Value(*root, problems), config);
  validate(config, *root, problems);
  fill_state_path(config, file_name, environment, false);
  if (with_files) check_files(config, *root, problems);
  if (problems.has_error()) return failed(std::move(problems));
  fill_state_path(config, file_name, environment, true);
  fill_defaults(config);
  return {std::move(config), std::move(problems).take_sorted()};
}

}  // namespace

Loaded load_text(std::string_view yaml, const std::string& file_name, const Environment& environment) {
  return load(yaml, file_name, environment, false);
}

Loaded load_file(const std::string& path) {
  const std::optional<std::string> text = read_file(path);
  if (text) return load(*text, path, process_environment(), true);
  Problems problems(path);
  problems.error({}, "", std::string("cannot be read: ") + std::strerror(errno));
  return failed(std::move(problems));
}

}  // namespace tidegate::config
