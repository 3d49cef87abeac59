// What the process may do beyond its user's rights: next to nothing, whoever starts it. A bug in a parser then is no bug of root's.
// Part of the composition root.
#pragma once

#include <string>

namespace tidegate {

/// Gives up every capability but the right to listen on ports below 1024 and to read files whoever owns them (keys; both only if they
/// are there), and that a program which is started from here could gain any (no_new_privs). A process that follows this one has the
/// same. Before any thread is started: capabilities are a thread's own.
/// @return what an operator should know, if something was given up: "runs as root, but with cap_net_bind_service alone ..."
/// @throws std::runtime_error when the system refuses it.
std::string drop_privileges();

}  // namespace tidegate
