// What was asked on the command line, as plain values. command_line.h reads them, the verbs act on them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "admin/client.h"
#include "base/clock.h"
#include "base/weight.h"
#include "cli/rollout_action.h"
#include "outbound/policy.h"

namespace tidegate::cli {

enum class Verb : std::uint8_t {
  Run,
  Validate,
  Status,
  Weight,
  Mirror,
  Revert,
  Rearm,
  Rollout,
  History,
  Explain,
  Reload,
  Drain,
  Demo,
  Version,
  Help
};

enum class Format : std::uint8_t { Table, Json, Yaml };

struct DemoOptions {
  bool plain = false;  ///< lines instead of a live view
  bool color = true;
};

struct Options {
  Verb verb = Verb::Help;

  // everywhere
  admin::ServerUrl server{"127.0.0.1", 9900};
  std::string server_text = "http://127.0.0.1:9900";  ///< as given, for messages
  std::string token_file{};
  outbound::TlsPolicy tls{};       ///< of https: --ca, --cert, --key
  Format format = Format::Table;
  Duration timeout = std::chrono::seconds(60);
  bool timeout_given = false;  ///< what waits for an end has no limit else
  std::string reason{};
  bool yes = false;
  bool color = true;  ///< false: --no-color or NO_COLOR; the terminal has a say, too

  // of verbs
  std::string config{};              ///< run, validate
  bool strict = false;               ///< validate
  std::string route{};               ///< empty = all, where a verb allows it
  tidegate::Weight percent{};        ///< weight, mirror
  bool all = false;                  ///< revert
  bool watch = false;                ///< status
  RolloutAction action = RolloutAction::Status;  ///< rollout
  bool full = false;                 ///< rollout promote
  bool wait = false;                 ///< rollout status
  std::uint32_t limit = 20;          ///< history
  std::uint64_t id = 0;              ///< explain
  bool plain = false;                ///< demo
  std::optional<Verb> help_about{};  ///< help
};

}  // namespace tidegate::cli
