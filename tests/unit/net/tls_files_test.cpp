// What is wrong with certificates, keys and authorities, said in a sentence; and which certificate a name gets.
#include <gtest/gtest.h>
#include <openssl/pem.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "net/file_watch.h"
#include "net/tls_pair.h"

namespace tidegate::net::test {
namespace {

using About = TlsProblem::About;

struct Folder {
  Folder() : path((std::filesystem::temp_directory_path() / "tidegate-files-XXXXXX").string()) { EXPECT_NE(::mkdtemp(path.data()), nullptr); }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path + "/" + name) << text;
    return path + "/" + name;
  }
  std::string path;
};

/// The only problem, with what it is about.
TlsProblem problem_of(const CertificateFiles& files) {
  const TlsCertificate::Loaded loaded = TlsCertificate::load(files);
  EXPECT_EQ(loaded.problems.size(), 1u);
  return loaded.problems.empty() ? TlsProblem{} : loaded.problems.front();
}

TEST(TlsCertificate, IsReadWithItsNames) {
  const Identity made = pki().authority.issue("DNS:API.Example.com,DNS:*.example.org,IP:127.0.0.1");
  const TlsCertificate::Loaded loaded = TlsCertificate::load({made.cert, made.key, {}});
  ASSERT_NE(loaded.certificate, nullptr);
  EXPECT_TRUE(loaded.problems.empty());
  EXPECT_EQ(loaded.certificate->names(), (std::vector<std::string>{"api.example.com", "*.example.org"}));
  EXPECT_TRUE(loaded.certificate->is_valid_now());
  EXPECT_EQ(loaded.certificate->staple(), "");
}

TEST(TlsCertificate, MissingFilesAreNamed) {
  const TlsCertificate::Loaded loaded = TlsCertificate::load({"/nonexistent/a", "/nonexistent/b", {}}, 3);
  ASSERT_EQ(loaded.problems.size(), 2u);
  EXPECT_EQ(loaded.problems[0].message, "/nonexistent/a: cannot be read: No such file or directory");
  EXPECT_EQ(loaded.problems[1].about, About::Key);
  EXPECT_EQ(loaded.problems[1].index, 3u);
}

TEST(TlsCertificate, WhatIsNoPemOrDamagedIsRefused) {
  const Folder folder;
  const Identity& good = pki().server;
  EXPECT_EQ(problem_of({folder.write("empty", ""), good.key, {}}).about, About::Cert);
  EXPECT_EQ(problem_of({good.cert, folder.write("text", "not a key"), {}}).about, About::Key);
  std::ifstream file(good.cert);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::string broken = text + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  EXPECT_NE(problem_of({folder.write("chain", broken), good.key, {}}).message.find("a certificate of the chain is damaged"), std::string::npos);
}

TEST(TlsCertificate, AKeyOfAnotherIsRefusedAndBothFilesNamed) {
  const Identity other = pki().authority.issue("DNS:b");
  const TlsProblem problem = problem_of({pki().server.cert, other.key, {}});
  EXPECT_EQ(problem.message, other.key + ": is not the key of the certificate in " + pki().server.cert);
  EXPECT_EQ(problem.about, About::Key);
}

TEST(TlsCertificate, AnExpiredOneIsReadWithAWarning) {
  const Identity old = pki().authority.issue("DNS:a", -3600);
  const TlsCertificate::Loaded loaded = TlsCertificate::load({old.cert, old.key, {}});
  ASSERT_NE(loaded.certificate, nullptr);
  ASSERT_EQ(loaded.problems.size(), 1u);
  EXPECT_TRUE(loaded.problems[0].is_warning);
  EXPECT_NE(loaded.problems[0].message.find("the certificate expired on 2"), std::string::npos);
  EXPECT_FALSE(loaded.certificate->is_valid_now());
}

TEST(TlsCertificate, ADamagedOcspResponseIsRefused) {
  const Folder folder;
  const TlsProblem problem = problem_of({pki().server.cert, pki().server.key, folder.write("ocsp", "nonsense")});
  EXPECT_EQ(problem.about, About::Ocsp);
  EXPECT_NE(problem.message.find("is no successful OCSP response in DER form"), std::string::npos);
}

TEST(TlsAuthorities, WhatIsNoneIsRefused) {
  const Folder folder;
  std::string problem;
  EXPECT_EQ(TlsAuthorities::load(folder.write("none", "hello"), problem), nullptr);
  EXPECT_NE(problem.find("holds no certificate in PEM form"), std::string::npos);
  EXPECT_EQ(TlsAuthorities::load("/nonexistent/ca", problem), nullptr);
  EXPECT_NE(problem.find("cannot be read"), std::string::npos);
  problem.clear();
  EXPECT_NE(TlsAuthorities::load(pki().authority.ca(), problem), nullptr);
  EXPECT_EQ(problem, "");
}

/// The first DNS name of the certificate that a client is shown which asks for `name`.
std::string shown(const std::shared_ptr<const TlsServerContext>& server, const std::string& name) {
  Loop loop;
  TlsPair pair(loop);
  TlsClientPolicy policy;
  policy.sni = name;
  policy.verify = false;
  pair.secure(server, pki().client_context(policy));
  pair.shake_hands();
  EXPECT_TRUE(pair.established());
  const std::string fingerprint = pair.client.tls()->peer_fingerprint();
  for (const auto& one : server->certificates()) {
    if (one->fingerprint() == fingerprint) return one->names().front();
  }
  return "?";
}

TEST(TlsServerContext, PicksTheExactNameThenAWildcardForOneLabelThenTheFirst) {
  TlsServerPolicy policy;
  for (const char* names : {"DNS:first.test", "DNS:*.example.com", "DNS:exact.example.com", "DNS:*.deep.example.com"}) {
    const Identity made = pki().authority.issue(names);
    policy.certificates.push_back({made.cert, made.key, {}});
  }
  const auto server = pki().server_context(policy);
  EXPECT_EQ(shown(server, "exact.example.com"), "exact.example.com");
  EXPECT_EQ(shown(server, "EXACT.example.COM"), "exact.example.com");
  EXPECT_EQ(shown(server, "other.example.com"), "*.example.com");
  EXPECT_EQ(shown(server, "a.deep.example.com"), "*.deep.example.com");
  EXPECT_EQ(shown(server, "a.b.example.com"), "first.test");
  EXPECT_EQ(shown(server, "example.com"), "first.test");
  EXPECT_EQ(shown(server, "127.0.0.1"), "first.test");  // no name is sent
}

// --- files that change

class Watching {
 public:
  explicit Watching(std::vector<std::string> files)
      : watch(std::move(files), [this] {
          const std::lock_guard lock(mutex_);
          ++times_;
          changed_.notify_all();
        }) {
    watch.start();
  }
  /// Waits for so many calls.
  bool sees(int times) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(9), [&] { return times_ >= times; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int times_ = 0;

 public:
  FileWatch watch;
};

TEST(FileWatch, SeesFilesWrittenReplacedMadeAndDeleted) {
  const Folder folder;
  const std::string file = folder.write("a", "1");
  Watching watching({file, folder.path + "/later"});
  folder.write("a", "22");
  EXPECT_TRUE(watching.sees(1));
  std::filesystem::rename(folder.write("b", "3"), file);
  EXPECT_TRUE(watching.sees(2));
  folder.write("later", "x");
  EXPECT_TRUE(watching.sees(3));
  std::filesystem::remove(file);
  EXPECT_TRUE(watching.sees(4));
}

TEST(FileWatch, SeesALinkSwappedAsKubernetesDoesIt) {
  const Folder folder;
  for (const char* revision : {"..1", "..2"}) {
    std::filesystem::create_directory(folder.path + "/" + revision);
    folder.write(std::string(revision) + "/tls.crt", revision);
  }
  std::filesystem::create_symlink("..1", folder.path + "/..data");
  std::filesystem::create_symlink("..data/tls.crt", folder.path + "/tls.crt");
  Watching watching({folder.path + "/tls.crt"});
  std::filesystem::create_symlink("..2", folder.path + "/..data_tmp");
  std::filesystem::rename(folder.path + "/..data_tmp", folder.path + "/..data");
  EXPECT_TRUE(watching.sees(1));
}

TEST(FileWatch, IsPokedAndStopped) {
  const Folder folder;
  Watching watching({folder.write("a", "1")});
  watching.watch.poke();
  EXPECT_TRUE(watching.sees(1));
  watching.watch.stop();
  watching.watch.stop();
}

}  // namespace
}  // namespace tidegate::net::test
