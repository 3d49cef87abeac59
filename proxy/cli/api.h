// Asking the server: the call itself, and every way in which it can fail as a message with the command that helps and
// an exit code. The verbs see only answers that are good. Does not print. Main thread.
#pragma once

#include <boost/json/value.hpp>
#include <boost/system/result.hpp>
#include <optional>
#include <string>

#include "admin/client.h"
#include "cli/exit_code.h"
#include "cli/options.h"

namespace tidegate::cli {

struct Trouble {
  Exit exit = Exit::Failed;
  std::string message{};  ///< empty: all is said already, only the code is left
  bool passing = false;   ///< a server that restarts gives this, too: who has seen it before may wait
};

template <class T>
using OrTrouble = boost::system::result<T, Trouble>;

/// The token, or why it cannot be read. Empty when the options name no file.
OrTrouble<std::string> read_token(const std::string& token_file);

class Api {
 public:
  Api(const Options& options, std::string token);

  struct Got {
    boost::json::value body;
    std::string etag;
  };
  /// The same with another deadline for each call.
  Api within(Duration timeout) const;

  OrTrouble<Got> get(const std::string& target) const;
  OrTrouble<Got> put(const std::string& target, const boost::json::value& body, const std::string& if_match = {}) const;
  OrTrouble<Got> post(const std::string& target, const boost::json::value& body, const std::string& if_match = {}) const;

 private:
  OrTrouble<Got> understood(const admin::Client::Result& result, const std::string& target) const;

  std::string server_;  ///< for messages
  admin::Client::Setup setup_;
  admin::Client client_;
};

/// "/api/v1/routes/NAME" and what follows.
std::string route_target(const std::string& route, std::string_view rest = {});

}  // namespace tidegate::cli
