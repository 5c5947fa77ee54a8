// `multus probe PATH [SOCKET_DIR]`: asks the daemon how it is, for the probes of a pod.
#pragma once

namespace multus {

/// Asks for PATH (`/healthz`, `/readyz`) on SOCKET_DIR/multus.sock and returns the exit status: 0
/// for HTTP 200, else 1 with the reason on stderr; 2 for wrong arguments. Never takes longer than
/// about 2 seconds.
///
/// `/readyz` asks after the daemon of this container: while one version takes over from another,
/// both pods see one socket, and the new pod must not count as ready because the old daemon
/// answers.
int Probe(int argc, char** argv);

}  // namespace multus
