// The admin API and the metrics listener of an App, and the tokens of the one, which are read again when their file changes.
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "app_parts.h"
#include "base/join.h"
#include "observe/log.h"

namespace tidegate {

namespace {

int first_of(const std::vector<HandedSocket>& handed) { return handed.empty() ? -1 : handed.front().descriptor; }

}  // namespace

void App::Parts::take_admin_sockets() {
  const std::shared_ptr<const ActiveConfig> from = config();
  admin_socket = first_of(handed_over.take(kAdminSocket, from->config.admin.address));
  if (from->config.metrics) metrics_socket = first_of(handed_over.take(kMetricsSocket, *from->config.metrics));
}

/// Before the certificates are watched: what changes is told to the server.
void App::Parts::make_admin(const control::Certificates& certificates) {
  const std::shared_ptr<const ActiveConfig> from = config();
  const config::Admin& admin = from->config.admin;
  if (!admin.token_file.empty()) {
    tokens.is_read_once = !config::is_token_file_lasting(admin.token_file);
    config::TokenFile read = config::load_tokens(admin.token_file);  // its warnings were told with the configuration's
    if (!read.errors.empty()) throw std::runtime_error(joined(read.errors, "; "));
    tokens.last = std::move(read.tokens);
  }
  admin::Setup setup{admin.address.host, admin.address.port, tokens.last, false, services(), {}, admin_socket, certificates.admin()};
  admin_server = std::make_unique<admin::Server>(std::move(setup));
  admin_server->start();
  admin_address = admin_server->address();
  const std::optional<config::SocketAddress>& metrics = from->config.metrics;
  if (!metrics) return;
  metrics_server = std::make_unique<admin::Server>(admin::Setup{metrics->host, metrics->port, {}, true, services(), {}, metrics_socket});
  metrics_server->start();
  metrics_address = metrics_server->address();
}

/// The thread that watches files, or the main one at a reload. A bad file changes nothing, and is told once.
void App::Parts::reread_tokens() {
  const std::string file = config()->config.admin.token_file;
  if (file.empty() || tokens.is_read_once) return;
  const std::lock_guard lock(tokens.mutex);
  std::error_code ignored;
  if (std::filesystem::exists(file, ignored) && !config::is_token_file_lasting(file)) return;  // a pipe in its place would be waited for
  config::TokenFile read = config::load_tokens(file);
  const std::string errors = joined(read.errors, "; ");
  const bool told = std::exchange(tokens.told, errors) == errors;
  if (!errors.empty()) {
    if (!told) observe::log_error("admin: " + errors + "; the tokens of before stay in use");
    return;
  }
  if (read.tokens == tokens.last) return;
  for (const std::string& warning : read.warnings) observe::log_warn("admin: " + warning);
  tokens.last = read.tokens;
  admin_server->set_tokens(std::move(read.tokens));
  observe::log_info("admin: " + file + " was read again and is in use from now on");
}

}  // namespace tidegate
