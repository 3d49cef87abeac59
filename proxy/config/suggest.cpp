#include "config/suggest.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "config/limits.h"
#include "config/text_rules.h"

namespace tidegate::config {
namespace {

std::string plain(std::string_view word) {
  std::string out = lower(word);
  std::replace(out.begin(), out.end(), '-', '_');
  return out;
}

/// In lower case and with "_" for "-"; from the configuration of Envoy, HAProxy, NGINX, Argo Rollouts and loggers.
constexpr std::array kSynonyms = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"h2", "http2"}, {"h2c", "http2"}, {"http/2", "http2"}, {"http/2.0", "http2"}, {"grpc", "http2"},
    {"h1", "http1"}, {"http", "http1"}, {"http/1", "http1"}, {"http/1.1", "http1"}, {"http1.1", "http1"}, {"http_1.1", "http1"},
    {"http2", "h2"}, {"http/2", "h2"}, {"http/2.0", "h2"},
    {"h1", "http/1.1"}, {"http", "http/1.1"}, {"http1", "http/1.1"}, {"http1.1", "http/1.1"}, {"http/1", "http/1.1"},
    {"https", "http"},
    {"tls1.2", "1.2"}, {"tlsv1.2", "1.2"}, {"tlsv1_2", "1.2"}, {"tls1.3", "1.3"}, {"tlsv1.3", "1.3"}, {"tlsv1_3", "1.3"},
    {"on", "accept"}, {"true", "accept"}, {"v1", "accept"}, {"v2", "accept"},
    {"none", "off"}, {"no", "off"}, {"false", "off"}, {"disabled", "off"},
    {"1", "v1"}, {"2", "v2"}, {"on", "v2"}, {"true", "v2"},
    {"warning", "warn"}, {"trace", "debug"}, {"verbose", "debug"}, {"notice", "info"}, {"fatal", "error"}, {"critical", "error"},
    {"rollback", "revert"}, {"abort", "revert"}, {"halt", "pause"}, {"hold", "pause"}, {"warn", "notify"}, {"none", "notify"},
    {"allow", "keep"}, {"preserve", "keep"}, {"deny", "reject"}, {"refuse", "reject"}, {"normalize", "remove"}, {"merge", "remove"},
    {"unescape", "decode"}, {"verify", "require"}, {"request", "optional"},
    {"refused", "connect"}, {"connect_failure", "connect"}, {"conn_failure", "connect"}, {"refused_stream", "reset"},
    {"linear", "rolling"}, {"etcd3", "etcd"}, {"db", "sqlite"},
});

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  if (word.size() > kNameBytes) return {};  // nothing that long is a slip, and the table is quadratic
  const std::string typed = plain(word);
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > kNameBytes) continue;
    const std::size_t distance = edit_distance(typed, plain(candidate));
    if (distance >= best_distance || distance >= candidate.size()) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

std::string_view synonym(std::string_view word, std::span<const std::string_view> candidates) {
  if (word.size() > kNameBytes) return {};
  const std::string typed = plain(word);
  for (const auto& [other, ours] : kSynonyms) {
    if (other == typed && std::find(candidates.begin(), candidates.end(), ours) != candidates.end()) return ours;
  }
  return {};
}

std::string did_you_mean(std::string_view word) {
  return word.empty() ? std::string() : "; did you mean \"" + std::string(word) + "\"?";
}

std::string suggestion(std::string_view word, std::span<const std::string_view> candidates) {
  return did_you_mean(nearest(word, candidates));
}

}  // namespace tidegate::config
