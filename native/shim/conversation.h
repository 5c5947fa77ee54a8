// The shim's talk with the daemon: one request, then frames until the answer.
#pragma once

#include <string>

#include "shim/answer.h"
#include "shim/invocation.h"

namespace multus {

/// How a conversation ended. No child of ours is left in any case.
struct Ending {
  enum class Kind {
    kAnswered,   ///< `answer` is for the runtime.
    kLost,       ///< No daemon, or none any more; `reason` says what happened.
    kSignalled,  ///< We were told to stop, by `signal`.
  };
  Kind kind = Kind::kLost;
  Answer answer;
  std::string reason;
  int signal = 0;
};

/// Connects, sends the request, executes what the daemon asks for. TERM, INT and HUP end it from
/// the moment that the connection stands; before, they have their default effect. The signal mask
/// is restored.
Ending Converse(const Invocation& invocation);

}  // namespace multus
