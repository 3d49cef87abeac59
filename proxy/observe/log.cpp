#include "observe/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace tidegate::observe {

namespace {

spdlog::logger& logger() {
  static const auto instance = [] {
    auto made = std::make_shared<spdlog::logger>("tidegate", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return *instance;
}

}  // namespace

void set_log_level(LogLevel level) {
  switch (level) {
    case LogLevel::Debug: return logger().set_level(spdlog::level::debug);
    case LogLevel::Info: return logger().set_level(spdlog::level::info);
    case LogLevel::Warn: return logger().set_level(spdlog::level::warn);
    case LogLevel::Error: return logger().set_level(spdlog::level::err);
  }
}

void log_debug(std::string_view line) { logger().debug("{}", line); }
void log_info(std::string_view line) { logger().info("{}", line); }
void log_warn(std::string_view line) { logger().warn("{}", line); }
void log_error(std::string_view line) { logger().error("{}", line); }

}  // namespace tidegate::observe
