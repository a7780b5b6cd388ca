#include "service/common/config.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define PRIVATE_SOCKET "redis.sock"

#define PLACE(member) offsetof(struct config, member), sizeof(((struct config *)0)->member)

static const struct field CONFIG_FIELDS[] = {
    {"data", FIELD_TEXT, PLACE(data), 1, CONFIG_TEXT_BYTES - 1, "distilld-data", "", 0,
     "directory that holds data sets, models, jobs and the private Redis"},
    {"host", FIELD_TEXT, PLACE(host), 1, CONFIG_TEXT_BYTES - 1, "127.0.0.1", "", 0,
     "address to listen on"},
    {"port", FIELD_INT, PLACE(port), 0, 65535, "8080", "", 0, "port to listen on; 0: any free one"},
    {"insecure", FIELD_BOOL, PLACE(insecure), 0, 1, "0", "", 0,
     "listen on an address other than the loopback although nobody is asked for a key"},
    {"redis", FIELD_TEXT, PLACE(redis), 0, CONFIG_TEXT_BYTES - 1, "", "", 0,
     "unix:///path or redis://[user][:password@]host[:port][/database]; default: a private one"},
    {"redis_timeout_ms", FIELD_INT, PLACE(redis_timeout_ms), 10, 600000, "2000", "", 0,
     "time that Redis has for connecting and for each answer"},
    {"import_roots", FIELD_TEXT, PLACE(import_roots), 0, CONFIG_ROOTS_BYTES - 1, "", "", 0,
     "directories, separated by ':', from which data sets may be imported"},
    {"threads", FIELD_INT, PLACE(threads), 1, 256, "4", "", 0, "threads that answer requests"},
    {"device", FIELD_ENUM, PLACE(device), 0, 0, "auto", "auto cpu ref cuda", 0,
     "device of predictions"},
    {"predict_threads", FIELD_INT, PLACE(predict_threads), 1, 256, "2", "", 0,
     "threads of one prediction"},
    {"predict_queue", FIELD_INT, PLACE(predict_queue), 1, 1 << 20, "1024", "", 0,
     "pictures that may wait for one model"},
    {"models_loaded", FIELD_INT, PLACE(models_loaded), 1, 1024, "8", "", 0,
     "models kept in memory"},
    {"connections", FIELD_INT, PLACE(connections), 1, 1 << 16, "1000", "", 0,
     "connections at the same time"},
    {"max_body_bytes", FIELD_INT, PLACE(max_body_bytes), 1024, 1 << 30, "67108864", "", 0,
     "longest request body"},
    {"request_timeout_ms", FIELD_INT, PLACE(request_timeout_ms), 100, 3600000, "30000", "", 0,
     "time in which a whole request must arrive"},
    {"drain_ms", FIELD_INT, PLACE(drain_ms), 0, 3600000, "30000", "", 0,
     "time that an orderly end may take"},
    {"lease_ms", FIELD_INT, PLACE(lease_ms), 300, 3600000, "30000", "", 0,
     "a worker that is not heard of for so long loses its job"},
    {"max_lost", FIELD_INT, PLACE(max_lost), 1, 1000, "5", "", 0,
     "a job that loses so many workers in a row fails"},
    {"ready_fd", FIELD_INT, PLACE(ready_fd), -1, 65535, "-1", "", 0,
     "file descriptor to which serve writes its address when it is ready"},
};

const struct field_table config_table = {"distilld", CONFIG_FIELDS,
                                         sizeof CONFIG_FIELDS / sizeof *CONFIG_FIELDS};

static bool is_loopback(const char *host) {
    return str_equal(host, "localhost") || str_equal(host, "::1") || str_has_prefix(host, "127.");
}

/* Names are made absolute once, so that children and log lines mean the same place. */
static enum status make_absolute(struct config *config, struct error *err) {
    if (config->data[0] == '/')
        return STATUS_OK;
    char cwd[CONFIG_TEXT_BYTES], path[2 * CONFIG_TEXT_BYTES];
    if (!getcwd(cwd, sizeof cwd))
        return error_set_field(err, STATUS_INVALID, "data",
                               "data: the working directory's name "
                               "is too long");
    snprintf(path, sizeof path, "%s/%s", cwd, config->data);
    if (!str_copy(config->data, sizeof config->data, path))
        return error_set_field(err, STATUS_INVALID, "data", "data: %s is too long", path);
    return STATUS_OK;
}

static enum status fill_redis(struct config *config, struct error *err) {
    if (config->redis[0])
        return STATUS_OK;
    size_t longest = sizeof(((struct sockaddr_un *)0)->sun_path) - sizeof "/" PRIVATE_SOCKET;
    if (strlen(config->data) > longest)
        return error_set_field(err, STATUS_INVALID, "data",
                               "data: %s is longer than %zu characters, too long for the private "
                               "Redis's socket in it",
                               config->data, longest);
    snprintf(config->redis, sizeof config->redis, "unix://%.400s/" PRIVATE_SOCKET, config->data);
    return STATUS_OK;
}

enum status config_parse(struct config *config, int argc, char *const *argv, struct error *err) {
    memset(config, 0, sizeof *config);
    fields_default(&config_table, config);
    enum status status = fields_parse_args(&config_table, config, argc, argv, 0, err);
    if (status)
        return status;
    if (!config->insecure && !is_loopback(config->host))
        return error_set_field(err, STATUS_INVALID, "host",
                               "host: %s is reachable from elsewhere and nobody would be asked for "
                               "a key; say insecure=1 if that is meant",
                               config->host);
    if ((status = make_absolute(config, err)))
        return status;
    return fill_redis(config, err);
}

void config_add_help(struct str *out) {
    fields_add_help(&config_table, 0, out);
}

bool config_redis_is_private(const struct config *config) {
    char url[sizeof config->redis];
    snprintf(url, sizeof url, "unix://%.400s/" PRIVATE_SOCKET, config->data);
    return str_equal(url, config->redis);
}

enum status config_path(const struct config *config, const char *relative,
                        char out[FILE_PATH_BYTES], struct error *err) {
    return file_join(out, config->data, relative, err);
}
