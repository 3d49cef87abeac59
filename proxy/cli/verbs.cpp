#include "cli/verbs.h"

#include <algorithm>

namespace tidegate::cli {
namespace {

constexpr std::string_view kGlobals =
    R"(Options, before or after the verb:
  --server URL        the admin address; default $TIDEGATE_SERVER, else
                      http://127.0.0.1:9900; https is verified
  --token-file FILE   bearer token, the first of FILE
  --ca FILE           of https: the authority that the server's certificate is
                      from; default $TIDEGATE_CA, else the system's
  --cert FILE         of https: a certificate of your own, and its key; default
  --key FILE          $TIDEGATE_CERT and $TIDEGATE_KEY
  -o FORMAT           table (default), json or yaml
  --timeout TIME      give up after TIME (default 60s; none for what waits for
                      the end of a rollout)
  --reason TEXT       why; kept in the history
  -y, --yes           don't ask
  --no-color          as NO_COLOR=1; only terminals get colors anyway
  -h, --help

Exit codes: 0 ok, 1 failed or invalid, 2 usage, 3 warnings with --strict,
4 server unreachable, 5 conflict, 10 reverted by the gate, 11 aborted, 12 paused
or inconclusive, 78 run with a bad configuration, 124 timed out.
)";

constexpr std::string_view kRun =
    R"(Runs the proxy in the foreground. Weights and latches that were set at run time
are kept over a restart. Ends with 78 when the configuration is bad.

  -c, --config FILE   the configuration
      --watch         reload whenever the file changes

SIGHUP reloads the configuration, too, and opens the access log again.

Example:
  tidegate run --config /etc/tidegate/tidegate.yaml
)";

constexpr std::string_view kValidate =
    R"(Checks a configuration and tells every problem at once, as file:line:column.
Prints nothing when it is good. Opens no port and resolves no name.

  -c, --config FILE   the configuration
      --strict        warnings end with 3, too

Example:
  tidegate validate --strict --config tidegate.yaml && systemctl restart tidegate
)";

constexpr std::string_view kStatus =
    R"(Shows for each route both sides, the weight of new, the gate with its numbers,
the rollout, the mirror and what clients saw.

  -w, --watch         draw again every second, until Ctrl-C

Examples:
  tidegate status
  tidegate status api -w
  tidegate status -o json | jq '.routes[] | select(.latched) | .name'
)";

constexpr std::string_view kWeight =
    R"(Sets the share of requests that go to new, 0 to 100 in steps of 0.01. Returns
once every worker uses it. On a terminal it asks before a rise of more than 50
points. Ends with 5 when the route is latched (re-arm it first), or when somebody
changed it at the same time.

Examples:
  tidegate weight api 10 --reason "canary, ticket 4711"
  tidegate weight api 100 --yes
)";

constexpr std::string_view kMirror =
    R"(Sets the share of requests that are copied to new, 0 to 100 in steps of 0.01.
The route needs a `mirror:` in the configuration.

Example:
  tidegate mirror api 100
)";

constexpr std::string_view kRevert =
    R"(Shuts the gate by hand: new gets nothing from now on, for everybody at once, until
the route is re-armed. Never asks.

      --all           every route

Examples:
  tidegate revert api --reason "checkout fails on new"
  tidegate revert --all
)";

constexpr std::string_view kRearm =
    R"(Opens a latched route again. Its weight stays 0: raise it with `tidegate weight`.

Example:
  tidegate rearm api --reason "fixed in v42" && tidegate weight api 5
)";

constexpr std::string_view kRollout =
    R"(Raises the weight of new by the steps of the route's `rollout:`, each as soon as
its time is over and the gate and the checks agree. ACTION is one of

  start      begin with the first step; asks on a terminal
  status     where it stands
  watch      the same live, until it has ended (an idle one is waited for); lines
             where there is no terminal
  pause      stay at this step
  resume     go on
  promote    on to the next step, at once
  abort      end it, everything goes to old; never asks
  retry      once more after an abort or a revert
  undo       take back what it did

      --full          promote: to the last step; asks on a terminal
      --wait          status: print each change until it has ended, or a person is
                      needed; with --timeout TIME no longer than that

status and watch end with 0, with 10 when the gate reverted, and with 11 when it
was aborted; status also with 12 when it is paused and a person must decide. When
TIME is over: 124 while it runs, 12 while it is held for want of evidence.
status --wait ends with 1 when no rollout runs.

Examples:
  tidegate rollout start api --reason v42 --yes
  tidegate rollout status api --wait --timeout 2h
  tidegate rollout watch api
  tidegate rollout abort api --reason "ticket 4711"
)";

constexpr std::string_view kHistory =
    R"(Shows who decided what, when and why. Newest first.

  -n, --limit N       rows (default 20, at most 1000)

Examples:
  tidegate history
  tidegate history api -n 100 -o json
)";

constexpr std::string_view kExplain =
    R"(Shows one decision: who, when, why, and the numbers before and after. A decision
of the gate is replayed: the real gate is put into the state that the record
kept and given the deciding tick again. Ends with 1 when its answer is another.
ID is the EPOCH of `tidegate history`.

Examples:
  tidegate explain 17
  tidegate explain 17 -o json | jq .replay.same
)";

constexpr std::string_view kReload =
    R"(Reads the configuration file again, as a whole or not at all: a bad one changes
nothing, and every problem is told (exit code 1). No connection is dropped; what
is in progress ends as it began. Weights, latches and rollouts stay. Prints what
is another now, a line each.

Example:
  tidegate validate --config tidegate.yaml && tidegate reload
)";

constexpr std::string_view kDrain =
    R"(Ends the server gracefully: it is no longer ready, takes no new connections, and
lets the requests in flight finish. Returns at once.

Example:
  tidegate drain
)";

constexpr std::string_view kDemo =
    R"(Shows the whole story in about 20 seconds, on free loopback ports with the real
engine: two small clusters, load, a rising weight, a fault in new, the revert.
Ends by itself.

      --plain         lines instead of a live view

Example:
  tidegate demo
)";

constexpr std::string_view kVersion = "Prints the version of this program.\n";
constexpr std::string_view kHelp = "Shows this, or the help of a verb.\n";

constexpr std::string_view kStory =
    R"(
A canary by hand:
  tidegate run --config tidegate.yaml
  tidegate weight all 10
  tidegate status -w
  tidegate revert all
)";

}  // namespace

const std::vector<VerbText>& verb_texts() {
  static const std::vector<VerbText> kVerbs{
      {Verb::Run, "run", {}, "run --config FILE [--watch]", "the proxy, in the foreground", kRun},
      {Verb::Validate,
       "validate",
       {},
       "validate --config FILE [--strict]",
       "every problem of a configuration",
       kValidate},
      {Verb::Status, "status", {"[ROUTE]"}, "status [ROUTE] [-w]", "sides, weights, gate, rollout, mirror", kStatus},
      {Verb::Weight,
       "weight",
       {"ROUTE", "PERCENT"},
       "weight ROUTE PERCENT",
       "the share of requests that go to new",
       kWeight},
      {Verb::Mirror,
       "mirror",
       {"ROUTE", "PERCENT"},
       "mirror ROUTE PERCENT",
       "the share that is copied to new",
       kMirror},
      {Verb::Revert, "revert", {"[ROUTE]"}, "revert ROUTE | --all", "shut the gate: nothing goes to new", kRevert},
      {Verb::Rearm, "rearm", {"ROUTE"}, "rearm ROUTE", "open a latched gate, at weight 0", kRearm},
      {Verb::Rollout,
       "rollout",
       {"ACTION", "ROUTE"},
       "rollout ACTION ROUTE",
       "raise the weight by steps: start, watch ...",
       kRollout},
      {Verb::History, "history", {"[ROUTE]"}, "history [ROUTE] [--limit N]", "every decision, newest first", kHistory},
      {Verb::Explain, "explain", {"ID"}, "explain ID", "one decision, replayed from its record", kExplain},
      {Verb::Reload, "reload", {}, "reload", "read the configuration again", kReload},
      {Verb::Drain, "drain", {}, "drain", "end the server gracefully", kDrain},
      {Verb::Demo, "demo", {}, "demo [--plain]", "see a revert happen, in 20 seconds", kDemo},
      {Verb::Version, "version", {}, "version", "of this program", kVersion},
      {Verb::Help, "help", {"[VERB]"}, "help [VERB]", "this, or the help of a verb", kHelp},
  };
  return kVerbs;
}

const VerbText* find_verb(std::string_view name) noexcept {
  for (const VerbText& verb : verb_texts()) {
    if (verb.name == name) return &verb;
  }
  return nullptr;
}

std::string help_text(std::optional<Verb> about) {
  std::string out = "usage: tidegate ";
  if (about) {
    for (const VerbText& verb : verb_texts()) {
      if (verb.verb == *about) out += std::string(verb.usage) + " [OPTIONS]\n\n" + std::string(verb.details);
    }
    return out + '\n' + std::string(kGlobals);
  }
  out += "VERB [ARGUMENTS] [OPTIONS]\n\nShifts traffic from an old cluster to a new one, and back when new fails.\n\n";
  for (const VerbText& verb : verb_texts()) {
    std::string line = "  " + std::string(verb.usage);
    line.resize(std::max<std::size_t>(line.size() + 2, 38), ' ');
    out += line + std::string(verb.summary) + '\n';
  }
  return out + std::string(kStory) + '\n' + std::string(kGlobals);
}

}  // namespace tidegate::cli
