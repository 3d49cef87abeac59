#include <algorithm>
#include <array>

#include "config/read.h"
#include "config/section.h"
#include "config/sections.h"
#include "config/text_rules.h"
#include "net/tls_policy.h"

namespace tidegate::config {
namespace {

using net::CertificateFiles;
using net::TlsClientPolicy;
using net::TlsServerPolicy;

constexpr std::array kCertificateFields{
    Field<CertificateFiles>{"cert", [](In v, CertificateFiles& out) { read_text(v, out.cert, "a PEM file"); }, true},
    Field<CertificateFiles>{"key", [](In v, CertificateFiles& out) { read_text(v, out.key, "a PEM file"); }, true},
    Field<CertificateFiles>{"ocsp", [](In v, CertificateFiles& out) { read_text(v, out.ocsp, "a DER file"); }},
};
constexpr Section<CertificateFiles> kCertificate{"listeners[].tls.certificates[]", kCertificateFields};

void read_certificates(const Value& value, TlsServerPolicy& out) {
  read_list(value, [&](const Value& item) { read_section(item, kCertificate, out.certificates.emplace_back()); });
}

void read_min_version(const Value& value, TlsServerPolicy& out) {
  constexpr std::array<Choice<net::TlsVersion>, 2> kVersions{{{"1.2", net::TlsVersion::V12}, {"1.3", net::TlsVersion::V13}}};
  read_choice(value, out.min_version, kVersions);
}

void read_alpn(const Value& value, TlsServerPolicy& out) {
  constexpr std::array<Choice<std::string_view>, 2> kProtocols{{{"h2", "h2"}, {"http/1.1", "http/1.1"}}};
  out.alpn.clear();
  read_list(value, [&](const Value& item) {
    std::string_view protocol;
    if (!read_choice(item, protocol, kProtocols)) return;
    if (std::find(out.alpn.begin(), out.alpn.end(), protocol) != out.alpn.end()) return item.fail(in_quotes(protocol) + " is listed twice");
    out.alpn.emplace_back(protocol);
  });
}

void read_client_auth(const Value& value, TlsServerPolicy& out) {
  constexpr std::array<Choice<net::ClientAuth>, 2> kChoices{
      {{"require", net::ClientAuth::Require}, {"optional", net::ClientAuth::Optional}}};
  read_choice(value, out.client_auth, kChoices);
}

constexpr std::array kServerFields{
    Field<TlsServerPolicy>{"certificates", read_certificates, true},
    Field<TlsServerPolicy>{"min_version", read_min_version},
    Field<TlsServerPolicy>{"alpn", read_alpn},
    Field<TlsServerPolicy>{"client_ca", [](In v, TlsServerPolicy& out) { read_text(v, out.client_ca, "a PEM file"); }},
    Field<TlsServerPolicy>{"client_auth", read_client_auth},
};
constexpr Section<TlsServerPolicy> kServer{"listeners[].tls", kServerFields};

/// The admin API has one certificate, speaks HTTP/1.1 alone, and lets nobody in who shows none where one is asked for.
constexpr std::array kAdminFields{
    Field<TlsServerPolicy>{"cert", [](In v, TlsServerPolicy& out) { read_text(v, out.certificates.front().cert, "a PEM file"); }, true},
    Field<TlsServerPolicy>{"key", [](In v, TlsServerPolicy& out) { read_text(v, out.certificates.front().key, "a PEM file"); }, true},
    Field<TlsServerPolicy>{"min_version", read_min_version},
    Field<TlsServerPolicy>{"client_ca", [](In v, TlsServerPolicy& out) { read_text(v, out.client_ca, "a PEM file"); }},
};
constexpr Section<TlsServerPolicy> kAdmin{"admin.tls", kAdminFields};

/// RFC 6066 §3 knows host names; an address is verified, too, but not sent.
void read_sni(const Value& value, TlsClientPolicy& out) {
  const auto text = value.text("a host name");
  if (!text) return;
  if (!is_host_name(*text) && !is_ipv4(*text) && !is_ipv6(*text)) return value.fail(in_quotes(*text) + " is not a host name");
  out.sni = *text;
}

void read_ca(const Value& value, TlsClientPolicy& out) {
  const auto text = value.text("system or a PEM file");
  if (text && *text != "system") out.ca = *text;
}

void read_verify(const Value& value, TlsClientPolicy& out) {
  read_bool(value, out.verify);
  if (!out.verify) value.warn("the endpoints' certificates are not verified: whoever answers at their addresses is believed");
}

constexpr std::array kClientFields{
    Field<TlsClientPolicy>{"sni", read_sni},
    Field<TlsClientPolicy>{"ca", read_ca},
    Field<TlsClientPolicy>{"verify", read_verify},
    Field<TlsClientPolicy>{"cert", [](In v, TlsClientPolicy& out) { read_text(v, out.cert, "a PEM file"); }},
    Field<TlsClientPolicy>{"key", [](In v, TlsClientPolicy& out) { read_text(v, out.key, "a PEM file"); }},
};
constexpr Section<TlsClientPolicy> kClient{"clusters.NAME.tls", kClientFields};

}  // namespace

void read_listener_tls(const Value& value, Listener& out) {
  out.tls.emplace();
  if (!read_section(value, kServer, *out.tls)) return;
  if (value.has("client_auth") && out.tls->client_ca.empty()) value.fail("client_auth without client_ca: whose certificates?");
}

void read_admin_tls(const Value& value, Admin& out) {
  net::TlsServerPolicy& tls = out.tls.emplace();
  tls.certificates.emplace_back();
  tls.alpn = {"http/1.1"};
  read_section(value, kAdmin, tls);
}

void read_cluster_tls(const Value& value, upstream::ClusterPolicy& out) {
  out.tls.emplace();
  if (!read_section(value, kClient, *out.tls)) return;
  if (out.tls->cert.empty() != out.tls->key.empty()) value.fail("cert and key belong together: both or none");
}

void append_tls_keys(KeyList& out) {
  kServer.append_keys(out);
  kAdmin.append_keys(out);
  kCertificate.append_keys(out);
  kClient.append_keys(out);
}

}  // namespace tidegate::config
