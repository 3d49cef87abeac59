// Another process of the program as it lies there now takes over from this one, without a lost connection. Part of the
// composition root; the conversation is handover.h's.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app.h"
#include "handover.h"

namespace tidegate {

/// Main thread; some tens of milliseconds, longer when the new one waits for DNS. @param idle called now and then meanwhile.
/// What it throws breaks the upgrade off.
/// @return the new process, when it serves: this one has only to drain. Else the log says why, and all is as before.
std::optional<pid_t> upgrade(App& app, const std::string& program, const std::vector<std::string>& arguments, const std::function<void()>& idle);

/// The part of a process that follows another one: starts `app` with what that one gives. @throws std::runtime_error
void start_after(App& app, Predecessor& before);

/// Where this program's file is: what lies there when it is asked for is what an upgrade starts.
std::string program_path();

}  // namespace tidegate
