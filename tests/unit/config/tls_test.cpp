// TLS of listeners and clusters: what is read, what is refused, and where a bad file is reported.
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>

#include "config/load_fixture.h"

namespace tidegate::config {
namespace {

using namespace std::chrono_literals;

TEST(ListenerTls, ReadsItsKeys) {
  const Config config = good(with_listener(
      "tls: {certificates: [{cert: a.crt, key: a.key}, {cert: b.crt, key: b.key, ocsp: b.ocsp}], min_version: '1.3', "
      "alpn: [http/1.1], client_ca: ca.pem, client_auth: optional}, limits: {tls_handshakes: 500}, "
      "timeouts: {tls_handshake: 2s}"));
  const Listener& listener = config.listeners[0];
  ASSERT_TRUE(listener.tls.has_value());
  ASSERT_EQ(listener.tls->certificates.size(), 2u);
  EXPECT_EQ(listener.tls->certificates[0], (net::CertificateFiles{"a.crt", "a.key", ""}));
  EXPECT_EQ(listener.tls->certificates[1], (net::CertificateFiles{"b.crt", "b.key", "b.ocsp"}));
  EXPECT_EQ(listener.tls->min_version, net::TlsVersion::V13);
  EXPECT_EQ(listener.tls->alpn, (std::vector<std::string>{"http/1.1"}));
  EXPECT_EQ(listener.tls->client_ca, "ca.pem");
  EXPECT_EQ(listener.tls->client_auth, net::ClientAuth::Optional);
  EXPECT_EQ(listener.tls_handshakes, 500u);
  EXPECT_EQ(listener.session.tls_handshake_timeout, 2s);
}

TEST(ListenerTls, HasTheDefaultsOfTheReference) {
  const Listener listener = good(with_listener("tls: {certificates: [{cert: a, key: b}]}")).listeners[0];
  EXPECT_EQ(listener.tls->min_version, net::TlsVersion::V12);
  EXPECT_EQ(listener.tls->alpn, (std::vector<std::string>{"h2", "http/1.1"}));
  EXPECT_EQ(listener.tls->client_auth, net::ClientAuth::Require);
  EXPECT_EQ(listener.tls_handshakes, 0u);
  EXPECT_EQ(listener.session.tls_handshake_timeout, 5s);
  EXPECT_FALSE(good(with("")).listeners[0].tls.has_value());
}

TEST(ListenerTls, RefusesWhatIsMissingOrMakesNoSense) {
  for (const auto& [keys, message] : std::vector<std::pair<const char*, const char*>>{
           {"tls: {}", "listeners[0].tls: \"certificates\" is missing"},
           {"tls: {certificates: []}", "listeners[0].tls.certificates"},
           {"tls: {certificates: [{cert: a}]}", "listeners[0].tls.certificates[0]: \"key\" is missing"},
           {"tls: {certificates: [{cert: a, key: b}], min_version: '1.1'}", "\"1.1\" is not one of 1.2, 1.3"},
           {"tls: {certificates: [{cert: a, key: b}], alpn: [h3]}", "\"h3\" is not one of h2, http/1.1"},
           {"tls: {certificates: [{cert: a, key: b}], alpn: [h2, h2]}", "\"h2\" is listed twice"},
           {"tls: {certificates: [{cert: a, key: b}], client_auth: require}", "client_auth without client_ca"},
           {"tls: {certificates: [{cert: a, key: b}], client_ca: c, client_auth: maybe}", "\"maybe\" is not one of"},
           {"limits: {tls_handshakes: 1.5}", "listeners[0].limits.tls_handshakes"}}) {
    EXPECT_TRUE(contains(bad(with_listener(keys)), message)) << keys;
  }
}

TEST(AdminTls, ReadsItsKeysAndSpeaksHttp1Alone) {
  const Admin admin = good(with("admin: {tls: {cert: a.crt, key: a.key, min_version: '1.3', client_ca: ca.pem}}\n")).admin;
  ASSERT_TRUE(admin.tls.has_value());
  EXPECT_EQ(admin.tls->certificates, (std::vector<net::CertificateFiles>{{"a.crt", "a.key", ""}}));
  EXPECT_EQ(admin.tls->min_version, net::TlsVersion::V13);
  EXPECT_EQ(admin.tls->alpn, (std::vector<std::string>{"http/1.1"}));
  EXPECT_EQ(admin.tls->client_ca, "ca.pem");
  EXPECT_EQ(admin.tls->client_auth, net::ClientAuth::Require);
  EXPECT_EQ(good(with("admin: {tls: {cert: a, key: b}}\n")).admin.tls->min_version, net::TlsVersion::V12);
  EXPECT_FALSE(good(with("")).admin.tls.has_value());
}

TEST(AdminTls, RefusesWhatIsMissingAndWhatOnlyListenersHave) {
  for (const auto& [keys, message] : std::vector<std::pair<const char*, const char*>>{
           {"{}", "admin.tls: \"cert\" is missing"},
           {"{cert: a}", "admin.tls: \"key\" is missing"},
           {"{cert: a, key: b, min_version: '1.1'}", "\"1.1\" is not one of 1.2, 1.3"},
           {"{cert: a, key: b, alpn: [h2]}", "admin.tls.alpn: unknown key here; it belongs to listeners[].tls"},
           {"{cert: a, key: b, client_ca: c, client_auth: optional}", "admin.tls.client_auth: "},
           {"{cert: a, key: b, ocsp: c}", "admin.tls.ocsp: unknown key here; it belongs to listeners[].tls.certificates[]"},
           {"{certificates: [{cert: a, key: b}]}", "admin.tls.certificates: unknown key here; it belongs to listeners[].tls"}}) {
    EXPECT_TRUE(contains(bad(with("admin: {tls: " + std::string(keys) + "}\n")), message)) << keys;
  }
}

TEST(ClusterTls, ReadsItsKeys) {
  const Config config =
      good(with_new_cluster("endpoints: ['a:1'], tls: {sni: api.example.com, ca: c.pem, verify: true, cert: d, key: e}"));
  const net::TlsClientPolicy& tls = config.clusters[1].tls.value();
  EXPECT_EQ(tls.sni, "api.example.com");
  EXPECT_EQ(tls.ca, "c.pem");
  EXPECT_TRUE(tls.verify);
  EXPECT_EQ(tls.cert, "d");
  EXPECT_EQ(tls.key, "e");
  EXPECT_EQ(config.clusters[1].scheme(), "https");
  EXPECT_EQ(good(with_new_cluster("endpoints: ['a:1'], tls: {ca: system}")).clusters[1].tls->ca, "");
  EXPECT_FALSE(config.clusters[0].tls.has_value());
}

TEST(ClusterTls, OffersWhatItsProtocolIs) {
  using List = std::vector<std::string>;
  for (const auto& [protocol, offered] : std::vector<std::pair<std::string, List>>{
           {"http1", {"http/1.1"}}, {"http2", {"h2"}}, {"auto", {"h2", "http/1.1"}}}) {
    const Config config = good(with_new_cluster("endpoints: ['a:1'], tls: {}, protocol: " + protocol));
    EXPECT_EQ(config.clusters[1].tls->alpn, offered) << protocol;
  }
}

TEST(ClusterTls, WarnsWhenNobodyIsVerified) {
  EXPECT_TRUE(contains(warned(with_new_cluster("endpoints: ['a:1'], tls: {verify: false}")),
                       "warning: clusters.new.tls.verify: the endpoints' certificates are not verified"));
}

TEST(ClusterTls, RefusesHalfAnIdentityAndNamesThatAreNone) {
  EXPECT_TRUE(contains(bad(with_new_cluster("endpoints: ['a:1'], tls: {cert: a}")), "cert and key belong together"));
  EXPECT_TRUE(contains(bad(with_new_cluster("endpoints: ['a:1'], tls: {sni: 'a b'}")), "is not a host name"));
}

TEST(ClusterTls, AnEndpointWithoutANameNeedsOne) {
  EXPECT_TRUE(contains(bad(with_new_cluster("endpoints: ['unix:/run/a.sock'], tls: {}")),
                       "clusters.new.tls: a unix-domain endpoint has no name that could be verified: sni is required"));
  good(with_new_cluster("endpoints: ['unix:/run/a.sock'], tls: {sni: a.example}"));
  good(with_new_cluster("endpoints: ['unix:/run/a.sock'], tls: {verify: false}"));
}

TEST(TlsFiles, AreReportedWhereTheyAreNamed) {
  const std::string path = (std::filesystem::temp_directory_path() / ("tidegate-tls-files-" + std::to_string(::getpid()) + ".yaml")).string();
  {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "w"), &std::fclose);
    const std::string text =
        "listeners:\n"
        "  - address: 127.0.0.1:0\n"
        "    tls:\n"
        "      certificates:\n"
        "        - cert: /nonexistent/a.crt\n"
        "          key: /nonexistent/a.key\n"
        "      client_ca: /nonexistent/ca.pem\n"
        "clusters: {old: {endpoints: ['127.0.0.1:1']}, new: {endpoints: ['127.0.0.1:2'], tls: {ca: /nonexistent/b.pem}}}\n"
        "routes: [{name: all}]\n";
    ASSERT_EQ(std::fwrite(text.data(), 1, text.size(), file.get()), text.size());
  }
  const Loaded loaded = load_file(path);
  std::filesystem::remove(path);
  EXPECT_FALSE(loaded.config.has_value());
  const std::string missing = ": cannot be read: No such file or directory\n";
  EXPECT_EQ(text_of(loaded),
            path + ":5:17: listeners[0].tls.certificates[0].cert: /nonexistent/a.crt" + missing +
            path + ":6:16: listeners[0].tls.certificates[0].key: /nonexistent/a.key" + missing +
            path + ":7:18: listeners[0].tls.client_ca: /nonexistent/ca.pem" + missing +
            path + ":8:91: clusters.new.tls.ca: /nonexistent/b.pem" + missing);
}

}  // namespace
}  // namespace tidegate::config
