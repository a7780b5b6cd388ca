#include "service/common/ready.h"

#include <stdio.h>
#include <unistd.h>

void ready_say(const struct config *config, const char *line) {
    int fd = (int)config->ready_fd;
    if (fd < 0)
        return;
    dprintf(fd, "%s\n", line);
    close(fd);
}

void ready_refuse(const struct config *config, const struct error *err) {
    char line[sizeof READY_REFUSAL + ERROR_MESSAGE_BYTES];
    bool stays =
        err->field[0] || err->status == STATUS_CONFLICT || err->status == STATUS_UNSUPPORTED;
    snprintf(line, sizeof line, "%s%s", READY_REFUSAL, err->message);
    if (stays)
        ready_say(config, line);
}
