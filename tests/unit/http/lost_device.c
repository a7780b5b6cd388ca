/* A server whose device is lost while it classifies says so and ends as failed, so that whoever
 * started it starts another. The device computes as ref does; Redis is not there. */
#include "engine/backend/backend.h"
#include "service/common/signals.h"
#include "service/http/serve.h"
#include "service/store/folders.h"
#include "service/store/model_card.h"
#include "service/store/models.h"
#include "tests/unit/session/model_fixture.h"

#include <arpa/inet.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define MODEL_ID "model_01JAAAAAAAAAAAAAAAAAAAAAAA"
#define PICTURE /* PNG of one pixel */                                                             \
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg" \
    "gg=="

extern const struct backend backend_ref;
static struct backend frail; /* ref, which is lost once there is a file of this name */
static char loss_path[300];
const struct backend *const backend_table[] = {&frail, NULL};

static struct config config;
static struct error why;

static void must(enum status status, const char *what) {
    if (status)
        T_FAIL("%s: %s", what, why.message);
}

static enum status frail_synchronize(struct device *device, struct error *err) {
    if (file_exists(loss_path))
        return error_set(err, STATUS_DEVICE_LOST, "unplugged");
    return backend_ref.synchronize(device, err);
}

static enum status fill(void *ctx, const char *folder, struct model_card *card, struct error *err) {
    (void)ctx;
    fixture_write_model(folder);
    return model_card_describe(card, folder, err);
}

static void make_model(void) {
    struct model_card card = {0};
    str_copy(card.id, sizeof card.id, MODEL_ID);
    must(folders_prepare(config.data, 0, &why), "prepare");
    must(models_create(config.data, &card, fill, NULL, &why), "model");
    model_card_release(&card);
}

/* Returns the server's process; *port is where it listens. */
static pid_t start_server(int *port) {
    int ready[2];
    CHECK(pipe(ready) == 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ready[0]);
        config.ready_fd = ready[1];
        signals_install();
        exit(serve_main(&config));
    }
    char line[128] = "";
    close(ready[1]);
    CHECK(read(ready[0], line, sizeof line - 1) > 0);
    close(ready[0]);
    CHECK(sscanf(line, "http://127.0.0.1:%d", port) == 1);
    return pid;
}

/* The status of POST /predict; the answer's text is kept. */
static int predict(int port, char *text, size_t size) {
    static const char body[] = "{\"model\":\"" MODEL_ID "\",\"images\":[\"" PICTURE "\"]}";
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), status = 0;
    CHECK(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    dprintf(fd,
            "POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
            sizeof body - 1, body);
    size_t len = 0;
    for (ssize_t got = 1; got > 0 && len < size - 1; len += (size_t)got) {
        got = read(fd, text + len, size - 1 - len);
        if (got < 0)
            break;
    }
    text[len] = 0;
    close(fd);
    return sscanf(text, "HTTP/1.1 %d", &status) == 1 ? status : -1;
}

static void ends_as_failed(void) {
    char text[4096];
    int port = 0, how = 0;
    pid_t server = start_server(&port);
    T_INT(predict(port, text, sizeof text), 200);
    must(file_write(loss_path, "", 0, &why), "loss");
    T_INT(predict(port, text, sizeof text), 503);
    T_CHECK(strstr(text, "device_lost"));
    waitpid(server, &how, 0);
    T_CHECK(WIFEXITED(how) && WEXITSTATUS(how) == EXIT_FAILURE);
}

int main(void) {
    const char *folder = t_temp_dir();
    char data[300], redis[] = "redis=unix:///nowhere/r.sock", port[] = "port=0",
                    device[] = "device=ref";
    snprintf(data, sizeof data, "data=%s/data", folder);
    snprintf(loss_path, sizeof loss_path, "%s/lost", folder);
    char *const argv[] = {data, redis, port, device};
    must(config_parse(&config, 4, argv, &why), "config");
    frail = backend_ref;
    frail.synchronize = frail_synchronize;
    setenv("DISTILLD_LOG", "error", 0);
    make_model();
    T_RUN(ends_as_failed);
    return t_done();
}
