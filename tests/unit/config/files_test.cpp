// Files that the configuration names: read, or looked at, where it is loaded, and reported where they are named.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "config/file_access.h"
#include "config/load_fixture.h"
#include "config/token_file.h"

namespace tidegate::config {
namespace {

namespace fs = std::filesystem;

/// A folder of its own, gone at the end.
class Files : public testing::Test {
 protected:
  Files() : folder_(fs::temp_directory_path() / ("tidegate-files-" + std::to_string(::getpid()))) {
    fs::remove_all(folder_);
    fs::create_directory(folder_);
  }
  ~Files() override { fs::remove_all(folder_); }

  std::string at(const std::string& name) const { return (folder_ / name).string(); }

  std::string write(const std::string& name, std::string_view text) const {
    std::ofstream(at(name), std::ios::binary) << text;
    ::chmod(at(name).c_str(), 0640);
    return at(name);
  }

  std::size_t count() const { return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator())); }

  /// The problems of a file with these lines after the first three, without its name.
  std::string problems(std::string_view more) const {
    const std::string file = write("t.yaml", with(more));
    std::string out;
    for (const Problem& problem : load_file(file).problems) out += to_string(problem).substr(file.size() + 1) + '\n';
    return out;
  }

  fs::path folder_;
};

TEST_F(Files, ATokenThatCannotBeReadIsReportedWhereItIsNamed) {
  EXPECT_EQ(problems("admin: {token_file: " + at("none") + "}\n"),
            "4:21: admin.token_file: " + at("none") + ": cannot be read: No such file or directory\n");
  EXPECT_EQ(problems("admin: {token_file: " + write("empty", "") + "}\n"), "4:21: admin.token_file: " + at("empty") + ": is empty\n");
  EXPECT_EQ(problems("admin: {token_file: " + write("blank", " \t\r\n# nobody\n") + "}\n"),
            "4:21: admin.token_file: " + at("blank") + ": holds no token\n");
  EXPECT_EQ(problems("admin: {token_file: " + folder_.string() + "}\n"),
            "4:21: admin.token_file: " + folder_.string() + ": is a folder\n");
  EXPECT_EQ(problems("admin: {token_file: " + write("good", " a-secret-of-many-signs \n\nanother-secret-of-some operator ci\n") + "}\n"), "");
  EXPECT_EQ(problems("admin: {token_file: " + write("bad", "a-secret-of-many-signs\na-secret-of-others viewr\n") + "}\n"),
            "4:21: admin.token_file: " + at("bad") + ":2: unknown role \"viewr\": after the token comes one of viewer, operator, admin; did you mean \"viewer\"?\n");
}

TEST_F(Files, ATokenThatIsShortOrThatOthersCanReadIsWarnedAbout) {
  const std::string shortish = write("short", "secret\n");
  EXPECT_EQ(problems("admin: {token_file: " + shortish + "}\n"),
            "4:21: warning: admin.token_file: " + shortish + ":1: the token has fewer than 16 signs: it can be guessed (openssl rand -hex 16)\n");
  const std::string open = write("open", "a-secret-of-many-signs\n");
  ::chmod(open.c_str(), 0644);
  EXPECT_EQ(problems("admin: {token_file: " + open + "}\n"), "4:21: warning: admin.token_file: " + open + ": every user of this machine can read it (chmod 640)\n");
}

TEST_F(Files, ATokenThatCanBeReadOnlyOnceIsLeftForTheStart) {
  const std::string pipe = at("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_TRUE(check_tokens(pipe).errors.empty()) << "and nobody waits for who writes into it";
}

TEST_F(Files, TheStateAndTheAccessLogNeedAFolder) {
  EXPECT_EQ(problems("state: {path: " + at("none/tidegate.db") + "}\n"),
            "4:15: state.path: " + at("none/tidegate.db") + ": the folder " + at("none") + " does not exist\n");
  EXPECT_EQ(problems("log: {access: {path: " + at("none/access.log") + "}}\n"),
            "4:22: log.access.path: " + at("none/access.log") + ": the folder " + at("none") + " does not exist\n");
  const std::string file = write("file", "");
  EXPECT_EQ(problems("state: {path: " + file + "/tidegate.db}\n"), "4:15: state.path: " + file + "/tidegate.db: " + file + " is not a folder\n");
  EXPECT_EQ(problems("state: {path: " + folder_.string() + "}\n"), "4:15: state.path: " + folder_.string() + ": is a folder\n");
  EXPECT_EQ(problems("log: {access: {path: " + folder_.string() + "}}\n"), "4:22: log.access.path: " + folder_.string() + ": is a folder\n");
}

TEST_F(Files, NothingIsMadeByLooking) {
  EXPECT_EQ(problems("state: {path: " + at("s.db") + "}\nlog: {access: {path: " + at("a.log") + "}}\n"), "");
  EXPECT_EQ(problems(""), "") << "the default place of the state, beside the configuration";
  EXPECT_EQ(count(), 1u) << "the configuration alone";
}

/// Nothing is forbidden to root.
class AsNobody {
 public:
  AsNobody() : was_root_(::geteuid() == 0 && ::seteuid(65534) == 0) {}
  ~AsNobody() {
    if (was_root_ && ::seteuid(0) != 0) ADD_FAILURE() << "could not become root again";
  }

 private:
  bool was_root_;
};

TEST_F(Files, WhatMayNotBeReadOrWrittenIsReported) {
  const std::string log = write("a.log", ""), state = write("s.db", ""), token = write("token", "secret\n");
  for (const std::string& file : {log, state}) ::chmod(file.c_str(), 0444);
  ::chmod(token.c_str(), 0);
  {
    const AsNobody nobody;
    EXPECT_EQ(check_tokens(token).errors, std::vector<std::string>{token + ": cannot be read: Permission denied"});
    EXPECT_EQ(writing_problem(log, Written::Alone), log + ": cannot be written: Permission denied");
    EXPECT_EQ(writing_problem(state, Written::WithNeighbours), state + ": cannot be written: Permission denied");
  }
  for (const std::string& file : {log, state}) ::chmod(file.c_str(), 0666);
  ::chmod(folder_.c_str(), 0555);
  {
    const AsNobody nobody;
    EXPECT_EQ(writing_problem(log, Written::Alone), "");
    const std::string refused = ": no file can be made in " + folder_.string() + ": Permission denied";
    EXPECT_EQ(writing_problem(at("b.log"), Written::Alone), at("b.log") + refused);
    EXPECT_EQ(writing_problem(state, Written::WithNeighbours), state + refused) << "SQLite makes files beside it";
  }
  ::chmod(folder_.c_str(), 0755);
}

TEST_F(Files, TlsFilesOfChecksAndNotificationsAreRead) {
  const std::string none = at("none");
  const std::string missing = ": cannot be read: No such file or directory\n";
  EXPECT_EQ(problems("checks:\n"
                     "  errors: {prometheus: {url: 'https://p', query: q, max: 1, tls: {ca: " + none + "}}}\n"
                     "  hook: {webhook: {url: 'https://h', tls: {cert: " + none + ", key: " + none + "}}}\n"
                     "notify: [{webhook: {url: 'https://n', tls: {ca: " + write("ca", "no PEM") + "}}}]\n"),
            "5:71: checks.errors.prometheus.tls.ca: " + none + missing +
            "6:50: checks.hook.webhook.tls.cert: " + none + missing +
            "6:" + std::to_string(57 + none.size()) + ": checks.hook.webhook.tls.key: " + none + missing +
            "7:49: notify[0].webhook.tls.ca: " + at("ca") + ": holds no certificate in PEM form (no start line)\n");
  EXPECT_EQ(problems("notify: [{webhook: {url: 'https://n', tls: {ca: system, verify: true}}}]\n"), "");
}

}  // namespace
}  // namespace tidegate::config
