// What systemd is told and what it hands over (sd_notify(3), sd_listen_fds(3)). Where nobody supervises nothing happens.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/clock.h"

namespace tidegate::supervisor {

/// Listening sockets that were handed over (Sockets=, *.socket units); close-on-exec, and the caller's. Once.
std::vector<int> take_sockets();

void tell_ready(const std::string& status);
/// Until tell_ready().
void tell_reloading();
/// Another process is the service from here on. What this one says then is not listened to.
void tell_main_process(pid_t pid);
void tell_stopping();
/// The program is alive, as far as WatchdogSec= wants to know: half of it is the longest that may lie between two calls.
void tell_alive();
/// How often tell_alive() is wanted; zero: never.
Duration alive_interval();

}  // namespace tidegate::supervisor
