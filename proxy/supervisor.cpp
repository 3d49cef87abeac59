#include "supervisor.h"

#include <fcntl.h>
#include <systemd/sd-daemon.h>

namespace tidegate::supervisor {

std::vector<int> take_sockets() {
  std::vector<int> sockets;
  const int count = sd_listen_fds(/*unset_environment=*/1);
  for (int i = 0; i < count; ++i) {
    const int descriptor = SD_LISTEN_FDS_START + i;
    ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
    sockets.push_back(descriptor);
  }
  return sockets;
}

void tell_ready(const std::string& status) { sd_notify(0, ("READY=1\nSTATUS=" + status).c_str()); }
void tell_reloading() { sd_notify(0, "RELOADING=1\nSTATUS=reading the configuration again"); }
void tell_main_process(pid_t pid) { sd_notify(0, ("MAINPID=" + std::to_string(pid)).c_str()); }
void tell_stopping() { sd_notify(0, "STOPPING=1\nSTATUS=draining"); }
void tell_alive() { sd_notify(0, "WATCHDOG=1"); }

Duration alive_interval() {
  std::uint64_t most = 0;
  if (sd_watchdog_enabled(0, &most) <= 0) return {};
  return std::chrono::microseconds(most / 2);
}

}  // namespace tidegate::supervisor
