// The verbs against the real API on a free port: what they print, and with which code they end.
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "admin/admin_fixture.h"
#include "admin/server.h"
#include "cli/api.h"
#include "cli/change.h"
#include "cli/cli.h"
#include "cli/conversation.h"
#include "cli/show.h"

namespace tidegate::cli {
namespace {

class Verbs : public testing::Test {
 protected:
  Verbs() : server_(setup({})) { server_.start(); }

  admin::Setup setup(admin::AccessRule::Tokens tokens) {
    return {"127.0.0.1", 0, std::move(tokens), false, world_.services(), {}};
  }

  /// @return the exit code; what was printed is in out_ and err_.
  int call(std::vector<std::string> arguments, bool add_server = true) {
    if (add_server) arguments.insert(arguments.end(), {"--server", server_.address()});
    out_.str({});
    err_.str({});
    in_.clear();
    const Actions actions{[this](const std::string& path, bool watch) {
                            out_ << "run " << path << (watch ? " watch" : "");
                            return 78;
                          },
                          [this](const DemoOptions& options) {
                            out_ << "demo " << options.plain << options.color;
                            return 0;
                          }};
    return dispatch(
        std::move(arguments), [](const std::string&) { return std::nullopt; },
        [this](bool color) { return Terminal{out_, err_, in_, tty_, tty_, color && tty_, 80}; }, actions);
  }
  bool printed(const std::string& part) const { return out_.str().find(part) != std::string::npos; }
  bool complained(const std::string& part) const { return err_.str().find(part) != std::string::npos; }
  Weight effective(std::size_t route) const { return world_.snapshot.routes()[route].live->split().weight; }

  std::string scratch(const std::string& name, const std::string& text) {
    const std::string path = testing::TempDir() + "tidegate-cli-" + std::to_string(::getpid()) + '-' + name;
    std::ofstream(path) << text;
    files_.push_back(path);
    return path;
  }
  void TearDown() override {
    for (const std::string& path : files_) ::unlink(path.c_str());
  }

  admin::test::World world_;
  admin::Server server_;
  std::ostringstream out_, err_;
  std::istringstream in_;
  bool tty_ = false;
  std::vector<std::string> files_;
};

TEST_F(Verbs, AWeightSaysWhatIsInForceAndWhatWas) {
  EXPECT_EQ(call({"weight", "api", "10"}), 0) << err_.str();
  EXPECT_EQ(out_.str(), "api: weight of new is 10 % (epoch 1), was 5 %\n");
  EXPECT_EQ(effective(0), Weight::of_units(1000));
}

TEST_F(Verbs, ARouteWithASlashIsFound) {
  EXPECT_EQ(call({"weight", "web/all", "10"}), 0) << err_.str();
  EXPECT_EQ(effective(1), Weight::of_units(1000));
}

TEST_F(Verbs, ABoldRiseIsAskedAboutOnATerminal) {
  tty_ = true;
  in_.str("n\n");
  EXPECT_EQ(call({"weight", "api", "100"}), 1);
  EXPECT_TRUE(complained("from 5 % to 100 % at once? [y/N]"));
  EXPECT_EQ(effective(0), Weight::of_units(500));
  in_.str("y\n");
  EXPECT_EQ(call({"weight", "api", "100"}), 0);
  EXPECT_EQ(effective(0), Weight::whole());
}

TEST_F(Verbs, ABoldRiseIsNotAskedAboutWithYesOrInScripts) {
  EXPECT_EQ(call({"weight", "api", "100"}), 0);
  EXPECT_EQ(call({"weight", "api", "5"}), 0);
  tty_ = true;
  EXPECT_EQ(call({"weight", "api", "100", "--yes"}), 0);
  EXPECT_EQ(call({"weight", "api", "0"}), 0);   // a fall is never asked about
  EXPECT_EQ(call({"weight", "api", "50"}), 0);  // nor is a rise of 50
  EXPECT_FALSE(complained("[y/N]"));
}

TEST_F(Verbs, ALatchedRouteIsAConflictThatNamesTheWayOut) {
  tty_ = true;  // and a revert never asks
  EXPECT_EQ(call({"revert", "api", "--reason", "incident"}), 0);
  EXPECT_EQ(out_.str(), "api is reverted: nothing goes to new (epoch 1); open it again: tidegate rearm api\n");
  EXPECT_EQ(call({"weight", "api", "10"}), 5);
  EXPECT_TRUE(complained("tidegate rearm api"));
  EXPECT_EQ(call({"rearm", "api"}), 0);
  EXPECT_EQ(out_.str(), "api is open again, its weight is 0 (epoch 2); raise it: tidegate weight api PERCENT\n");
  EXPECT_EQ(call({"rearm", "api"}), 5);
}

TEST_F(Verbs, RevertAllRevertsAll) {
  EXPECT_EQ(call({"revert", "--all"}), 0) << err_.str();
  EXPECT_EQ(effective(0), Weight::none());
  EXPECT_EQ(effective(1), Weight::none());
  EXPECT_EQ(call({"revert", "api"}), 0);
  EXPECT_TRUE(printed("note: reverted already"));
}

TEST_F(Verbs, MirrorAndDrain) {
  EXPECT_EQ(call({"mirror", "api", "100"}), 0) << err_.str();
  EXPECT_EQ(out_.str(), "api: mirror is 100 % (epoch 1), was 12.5 %\n");
  EXPECT_EQ(call({"mirror", "web/all", "100"}), 1);
  EXPECT_TRUE(complained("has no mirror"));
  EXPECT_EQ(call({"drain"}), 0);
  EXPECT_EQ(world_.drains, 1);
}

TEST_F(Verbs, ReloadSaysWhatIsAnotherALineEach) {
  world_.reload_answer = {{}, {"route api: changed", "cluster blue: added"}};
  EXPECT_EQ(call({"reload"}), 0) << err_.str();
  EXPECT_EQ(out_.str(), "route api: changed\ncluster blue: added\n");
  world_.reload_answer = {};
  EXPECT_EQ(call({"reload"}), 0);
  EXPECT_EQ(out_.str(), "nothing changed\n");
}

TEST_F(Verbs, ReloadOfABadFileSaysEveryProblemAndEndsWith1) {
  world_.reload_answer = {{"t.yaml:1:1: one", "t.yaml:2:1: two"}, {}};
  EXPECT_EQ(call({"reload"}), 1);
  EXPECT_TRUE(complained("t.yaml:1:1: one\nt.yaml:2:1: two"));
}

TEST_F(Verbs, StatusComesAsTableJsonAndYaml) {
  EXPECT_EQ(call({"status"}), 0) << err_.str();
  EXPECT_TRUE(printed("api  (epoch 0)")) << out_.str();
  EXPECT_TRUE(printed("web/all  (epoch 0)"));
  EXPECT_EQ(out_.str().find('\033'), std::string::npos);
  EXPECT_EQ(call({"status", "web/all"}), 0);
  EXPECT_FALSE(printed("api"));
  EXPECT_EQ(call({"status", "-o", "json"}), 0);
  EXPECT_EQ(boost::json::parse(out_.str()).at("version"), "9.9.9");
  EXPECT_EQ(call({"status", "api", "-o", "yaml"}), 0);
  EXPECT_TRUE(printed("name: api\nclusters:\n  old: old\n  new: new\nweight:\n  file: 5\n")) << out_.str();
}

TEST_F(Verbs, WatchDrawsOverTheLastFrameUntilItIsEnough) {
  Options options;
  options.server = *admin::parse_server(server_.address());
  const Api api(options, {});
  Terminal terminal{out_, err_, in_, true, true, false, 80};
  int frames = 1;
  EXPECT_FALSE(watch_status(api, options, terminal, [&] { return ++frames <= 3; }));
  std::size_t homes = 0;
  for (std::size_t at = out_.str().find("\033[H"); at != std::string::npos; at = out_.str().find("\033[H", at + 1))
    ++homes;
  EXPECT_EQ(homes, 3u);
}

TEST_F(Verbs, WatchOutlivesARestartOfTheServer) {
  Options options;
  options.server = *admin::parse_server(server_.address());
  const Api api(options, {});
  Terminal terminal{out_, err_, in_, false, false, false, 80};
  int frames = 1;
  EXPECT_FALSE(watch_status(api, options, terminal, [&] {
    server_.stop();
    return ++frames <= 2;
  }));
  EXPECT_TRUE(printed("nothing answers at"));
}

TEST_F(Verbs, HistoryNamesThePersonAndTheReason) {
  ASSERT_EQ(call({"weight", "api", "10", "--reason", "canary"}), 0);
  EXPECT_EQ(call({"history"}), 0);
  EXPECT_TRUE(printed("5 -> 10     " + actor() + " ")) << out_.str();
  EXPECT_TRUE(printed(" canary\n"));
  EXPECT_EQ(call({"history", "web/all"}), 0);
  EXPECT_EQ(out_.str(), "no decisions yet\n");
}

TEST_F(Verbs, HistoryOfAnUnknownRouteFailsAndNamesTheRoutes) {
  EXPECT_EQ(call({"history", "ap"}), 1);
  EXPECT_EQ(err_.str(), "tidegate: no route is named ap (routes: api, web/all)\n") << "and no second hint at the routes";
  EXPECT_EQ(out_.str(), "");
  EXPECT_EQ(call({"history", "ap", "-o", "json"}), 1);
}

TEST_F(Verbs, ExplainOfAnUnknownDecisionLeadsToTheHistory) {
  EXPECT_EQ(call({"explain", "4711"}), 1);
  EXPECT_TRUE(complained("no decision has the number 4711")) << err_.str();
  EXPECT_TRUE(complained("the decisions: tidegate history\n"));
  EXPECT_FALSE(complained("routes"));
}

TEST_F(Verbs, AnUnknownRouteFailsAndNamesTheRoutes) {
  EXPECT_EQ(call({"weight", "ap", "10"}), 1);
  EXPECT_TRUE(complained("no route is named ap (routes: api, web/all)"));
  EXPECT_EQ(call({"status", "ap"}), 1);
}

TEST_F(Verbs, WithoutAServerTheWayOutIsNamed) {
  server_.stop();
  EXPECT_EQ(call({"status"}), 4);
  EXPECT_TRUE(complained("is tidegate running? tidegate run --config FILE, or give --server URL"));
}

TEST_F(Verbs, ATokenIsReadFromAFile) {
  admin::Server guarded(setup({{"s3cret", config::Role::Admin, "admin"}}));
  guarded.start();
  const std::string file = scratch("token", "  s3cret \nsecond line\n");
  EXPECT_EQ(call({"status", "--server", guarded.address(), "--token-file", file}, false), 0) << err_.str();
  EXPECT_EQ(call({"status", "--server", guarded.address()}, false), 1);
  EXPECT_TRUE(complained("--token-file"));
  EXPECT_EQ(call({"status", "--token-file", "/nowhere"}), 1);
  EXPECT_EQ(call({"status", "--token-file", scratch("empty", "\n")}), 1);
  const std::string servers = scratch("servers", "# of the edge\r\n\r\n\ts3cret operator ci\r\nother viewer\r\n");
  EXPECT_EQ(call({"status", "--server", guarded.address(), "--token-file", servers}, false), 0) << "the first of the server's own file: " << err_.str();
}

TEST_F(Verbs, HttpsAtAPortThatDoesNotSpeakTlsIsSaid) {
  EXPECT_EQ(call({"status", "--server", "https://" + server_.address()}, false), 4);
  EXPECT_TRUE(complained("does not speak TLS")) << err_.str();
  EXPECT_TRUE(complained("--server http://HOST:PORT"));
}

TEST_F(Verbs, ACertificateFileThatCannotBeReadIsNamed) {
  EXPECT_EQ(call({"status", "--server", "https://" + server_.address(), "--ca", "/nowhere.pem"}, false), 1);
  EXPECT_TRUE(complained("/nowhere.pem")) << err_.str();
}

TEST_F(Verbs, ValidatePrintsNothingWhenAllIsGood) {
  const std::string good =
      scratch("good.yaml",
              "listeners: [{address: '127.0.0.1:8080'}]\n"
              "clusters: {old: {endpoints: ['127.0.0.1:9001']}, new: {endpoints: ['127.0.0.1:9002']}}\n"
              "routes: [{name: all, weight: 10}]\n");
  EXPECT_EQ(call({"validate", "--config", good}, false), 0);
  EXPECT_EQ(out_.str() + err_.str(), "");
  const std::string bad =
      scratch("bad.yaml", "listeners: [{address: '127.0.0.1:8080'}]\nroutes: [{name: all, wieght: 10}]\n");
  EXPECT_EQ(call({"validate", "--config", bad}, false), 1);
  EXPECT_TRUE(complained(bad + ":2:")) << err_.str();
  EXPECT_TRUE(complained("did you mean \"weight\"?"));
}

TEST_F(Verbs, StrictTurnsWarningsIntoThree) {
  const std::string odd =
      scratch("odd.yaml",
              "listeners: [{address: '127.0.0.1:8080'}]\n"
              "clusters: {old: {endpoints: ['127.0.0.1:9001']}, new: {endpoints: ['127.0.0.1:9002']}}\n"
              "routes: [{name: all, weight: 10, match: {methods: [get]}}]\n");
  EXPECT_EQ(call({"validate", "--config", odd}, false), 0);
  EXPECT_TRUE(complained("warning: ")) << err_.str();
  EXPECT_EQ(call({"validate", "--config", odd, "--strict"}, false), 3);
}

TEST_F(Verbs, AServerThatDoesNotAnswerInTimeEndsAsTimeoutDoes) {
  boost::asio::io_context io;  // the kernel accepts, nobody reads
  boost::asio::ip::tcp::acceptor silent(io, {boost::asio::ip::make_address("127.0.0.1"), 0});
  const std::string address = "127.0.0.1:" + std::to_string(silent.local_endpoint().port());
  EXPECT_EQ(call({"status", "--server", address, "--timeout", "20ms"}, false), 124);
  EXPECT_TRUE(complained("--timeout"));
}

TEST_F(Verbs, WhatDoesNotAnswerAsTidegateDoesIsSaid) {
  admin::Setup metrics = setup({});
  metrics.metrics_only = true;
  admin::Server other(std::move(metrics));
  other.start();
  EXPECT_EQ(call({"status", "--server", other.address()}, false), 1);
}

TEST_F(Verbs, UsageErrorsEndWithTwo) {
  EXPECT_EQ(call({}, false), 2);
  EXPECT_EQ(call({"staus"}, false), 2);
  EXPECT_EQ(call({"weight", "api", "200"}, false), 2);
  EXPECT_EQ(call({"status", "--server"}, false), 2);
  EXPECT_EQ(call({"weight", "api", "5", "--timeout", "1s", "--timeout", "2s"}, false), 2);
}

TEST_F(Verbs, RunAndDemoAreHandedOn) {
  EXPECT_EQ(call({"run", "--config", "t.yaml"}, false), 78);
  EXPECT_EQ(out_.str(), "run t.yaml");
  EXPECT_EQ(call({"demo"}, false), 0);
  EXPECT_EQ(out_.str(), "demo 10");  // no terminal: plain, no colors
  tty_ = true;
  EXPECT_EQ(call({"demo"}, false), 0);
  EXPECT_EQ(out_.str(), "demo 01");
}

TEST_F(Verbs, VersionAndHelpNeedNoServer) {
  EXPECT_EQ(call({"version"}, false), 0);
  EXPECT_TRUE(printed("tidegate "));
  EXPECT_EQ(call({"--help"}, false), 0);
  EXPECT_TRUE(printed("usage: tidegate VERB"));
}

}  // namespace
}  // namespace tidegate::cli
