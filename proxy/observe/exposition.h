// A page of metrics in the making: families with HELP and TYPE, samples with labels, rendered in Prometheus' text
// format 0.0.4. The only place that knows the Prometheus library, of which it uses the model and the serialiser: the
// registry and its metrics take locks where workers must not. What the metrics mean is in metrics.h. A local of one
// scrape.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "observe/latency_totals.h"

namespace tidegate::observe {

class Exposition {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  /// One metric of the page; valid as long as the page.
  class Family {
   public:
    void add(Labels labels, double value);
    void add(Labels labels, std::uint64_t value) { add(labels, static_cast<double>(value)); }
    void add(Labels labels, std::int64_t value) { add(labels, static_cast<double>(value)); }
    void add(Labels labels, bool value) { add(labels, value ? 1.0 : 0.0); }
    void add(Labels labels, const LatencyTotals& totals);

   private:
    friend class Exposition;
    Family(Exposition& page, std::size_t index) : page_(&page), index_(index) {}
    Exposition* page_;
    std::size_t index_;
  };

  Exposition();
  ~Exposition();
  Exposition(const Exposition&) = delete;
  Exposition& operator=(const Exposition&) = delete;

  Family counter(std::string_view name, std::string_view help);
  Family gauge(std::string_view name, std::string_view help);
  Family histogram(std::string_view name, std::string_view help);

  /// The last call. Families without a sample are left out.
  std::string text();

 private:
  struct Page;  // keeps the library out of this header
  Family open(std::string_view name, std::string_view help, int type);

  std::unique_ptr<Page> page_;
};

}  // namespace tidegate::observe
