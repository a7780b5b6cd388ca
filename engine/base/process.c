#include "engine/base/process.h"

#include "engine/base/file.h"

#include <stdlib.h>
#include <unistd.h>

/* Pauses of the processor: 10 to 100 microseconds, by its kind. */
#define SPINS "2000"

void process_wait_briefly(char *const *argv) {
    if (getenv("OMP_WAIT_POLICY"))
        return;
    setenv("OMP_WAIT_POLICY", "passive", 1); /* for runtimes that know no count of spins */
    setenv("GOMP_SPINCOUNT", SPINS, 0);
    /* by its own path: the link's name would be the process's, and pkill would not find it */
    char path[FILE_PATH_BYTES] = {0};
    if (readlink("/proc/self/exe", path, sizeof path - 1) > 0)
        execv(path, argv);
    execv("/proc/self/exe", argv);
}
