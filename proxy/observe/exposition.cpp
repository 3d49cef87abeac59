#include "observe/exposition.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <limits>
#include <sstream>
#include <vector>

namespace tidegate::observe {

struct Exposition::Page {
  std::vector<prometheus::MetricFamily> families;
};

namespace {

prometheus::ClientMetric labelled(Exposition::Labels labels) {
  prometheus::ClientMetric metric;
  metric.label.reserve(labels.size());
  for (const auto& [name, value] : labels) metric.label.push_back({std::string(name), std::string(value)});
  return metric;
}

}  // namespace

Exposition::Exposition() : page_(std::make_unique<Page>()) {}
Exposition::~Exposition() = default;

Exposition::Family Exposition::counter(std::string_view name, std::string_view help) {
  return open(name, help, static_cast<int>(prometheus::MetricType::Counter));
}

Exposition::Family Exposition::gauge(std::string_view name, std::string_view help) {
  return open(name, help, static_cast<int>(prometheus::MetricType::Gauge));
}

Exposition::Family Exposition::histogram(std::string_view name, std::string_view help) {
  return open(name, help, static_cast<int>(prometheus::MetricType::Histogram));
}

Exposition::Family Exposition::open(std::string_view name, std::string_view help, int type) {
  page_->families.push_back({std::string(name), std::string(help), static_cast<prometheus::MetricType>(type), {}});
  return {*this, page_->families.size() - 1};
}

void Exposition::Family::add(Labels labels, double value) {
  prometheus::MetricFamily& family = page_->page_->families[index_];
  prometheus::ClientMetric metric = labelled(labels);
  if (family.type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  family.metric.push_back(std::move(metric));
}

void Exposition::Family::add(Labels labels, const LatencyTotals& totals) {
  prometheus::ClientMetric metric = labelled(labels);
  metric.histogram.sample_count = totals.count();
  metric.histogram.sample_sum = totals.sum_seconds;
  metric.histogram.bucket.reserve(totals.buckets.size());
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < totals.buckets.size(); ++i) {
    cumulative += totals.buckets[i];
    const double bound = i < totals.bounds.size() ? totals.bounds[i] : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back({cumulative, bound});
  }
  page_->page_->families[index_].metric.push_back(std::move(metric));
}

std::string Exposition::text() {
  std::erase_if(page_->families, [](const prometheus::MetricFamily& family) { return family.metric.empty(); });
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, page_->families);
  return std::move(out).str();
}

}  // namespace tidegate::observe
