#include "config/keys.h"

#include "config/sections.h"

namespace tidegate::config {

std::vector<std::string> known_keys() {
  KeyList out;
  append_root_keys(out);
  append_listener_keys(out);
  append_cluster_keys(out);
  append_route_keys(out);
  append_check_keys(out);
  append_notify_keys(out);
  append_dns_keys(out);
  append_service_keys(out);
  return out;
}

}  // namespace tidegate::config
