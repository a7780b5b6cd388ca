#include "engine/base/process.h"

#include <stdlib.h>
#include <unistd.h>

void process_wait_passively(char *const *argv) {
    if (getenv("OMP_WAIT_POLICY"))
        return;
    setenv("OMP_WAIT_POLICY", "passive", 1);
    execv("/proc/self/exe", argv);
}
