#include <array>

#include "config/read.h"
#include "config/section.h"
#include "config/sections.h"

namespace tidegate::config {
namespace {

using upstream::HealthKind;
using upstream::HealthPolicy;
using upstream::OutlierPolicy;

void read_type(const Value& value, HealthPolicy& out) {
  constexpr std::array<Choice<HealthKind>, 3> kKinds{{{"http", HealthKind::Http}, {"tcp", HealthKind::Tcp}, {"grpc", HealthKind::Grpc}}};
  read_choice(value, out.kind, kKinds);
}

void read_path(const Value& value, HealthPolicy& out) {
  const auto text = value.text("a path such as /healthz");
  if (!text) return;
  if (!text->starts_with('/') || text->find_first_of(" \t#") != std::string::npos) {
    return value.fail(in_quotes(*text) + " is not a path: it begins with / and has no blanks");
  }
  out.path = *text;
}

void read_service(const Value& value, HealthPolicy& out) {
  constexpr std::size_t kMost = 100;
  read_text(value, out.service, "a service such as shop.Orders");
  if (out.service.size() > kMost) value.fail("longer than 100 characters");
}

void read_expect(const Value& value, HealthPolicy& out) {
  out.expect.clear();
  read_list(value, [&](const Value& item) {
    std::uint32_t status = 0;
    read_integer(item, status, {"200", "599"});
    out.expect.push_back(static_cast<std::uint16_t>(status));
  });
}

constexpr std::array kHealthFields{
    Field<HealthPolicy>{"type", read_type},
    Field<HealthPolicy>{"path", read_path},
    Field<HealthPolicy>{"host", [](In v, HealthPolicy& out) { read_text(v, out.host, "a host to send"); }},
    Field<HealthPolicy>{"service", read_service},
    Field<HealthPolicy>{"interval", [](In v, HealthPolicy& out) { read_duration(v, out.interval, {"10ms", "1h"}); }},
    Field<HealthPolicy>{"timeout", [](In v, HealthPolicy& out) { read_duration(v, out.timeout, {"10ms", "5m"}); }},
    Field<HealthPolicy>{"healthy", [](In v, HealthPolicy& out) { read_integer(v, out.healthy, {"1", "100"}); }},
    Field<HealthPolicy>{"unhealthy", [](In v, HealthPolicy& out) { read_integer(v, out.unhealthy, {"1", "100"}); }},
    Field<HealthPolicy>{"expect", read_expect},
};
constexpr Section<HealthPolicy> kHealth{"clusters.NAME.health", kHealthFields};

constexpr std::array kOutlierFields{
    Field<OutlierPolicy>{"consecutive_errors",
                         [](In v, OutlierPolicy& out) { read_integer(v, out.consecutive_errors, {"1", "10000"}); }},
    Field<OutlierPolicy>{"ejection", [](In v, OutlierPolicy& out) { read_duration(v, out.ejection, {"10ms", "1h"}); }},
    Field<OutlierPolicy>{"max_ejected", [](In v, OutlierPolicy& out) { read_share(v, out.max_ejected, {"0%", "100%"}); }},
};
constexpr Section<OutlierPolicy> kOutlier{"clusters.NAME.outlier", kOutlierFields};

}  // namespace

void read_health(const Value& value, upstream::ClusterPolicy& out) {
  out.health.emplace();
  read_section(value, kHealth, *out.health);
}

void read_outlier(const Value& value, upstream::ClusterPolicy& out) {
  out.outlier.emplace();
  read_section(value, kOutlier, *out.outlier);
}

void append_health_keys(KeyList& out) {
  kHealth.append_keys(out);
  kOutlier.append_keys(out);
}

}  // namespace tidegate::config
