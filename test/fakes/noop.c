/* A CNI plugin that does nothing, as fast as a process can: the floor that ADD is measured against. It names an interface
 * of the host, as there is none in the pod: of a result without any, Multus tells the cluster nothing. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void) {
  static const char kResult[] = "{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"noop0\"}]}";
  char input[65536];
  while (read(0, input, sizeof input) > 0) continue;
  const char* command = getenv("CNI_COMMAND");
  if (command && strcmp(command, "ADD") == 0 && write(1, kResult, sizeof kResult - 1) < 0) return 1;
  return 0;
}
