#include "service/common/config.h"

#include "service/common/origins.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define PRIVATE_SOCKET "redis/redis.sock"

#define ROW(member) FIELD_MEMBER(struct config, member)

static const struct field rows[] = {
    {ROW(data), .type = FIELD_TEXT, .min = 1, .max = CONFIG_TEXT_BYTES - 1,
     .fallback = "distilld-data",
     .doc = "Directory that holds data sets, models, jobs and the private Redis."},
    {ROW(host), .type = FIELD_TEXT, .flags = CONFIG_SERVER, .min = 1, .max = CONFIG_TEXT_BYTES - 1,
     .fallback = "127.0.0.1", .doc = "Address to listen on."},
    {ROW(port), .type = FIELD_INT, .flags = CONFIG_SERVER, .max = 65535, .fallback = "8080",
     .doc = "Port to listen on; 0: any free one."},
    {ROW(tls_cert), .type = FIELD_TEXT, .flags = CONFIG_SERVER, .max = CONFIG_TEXT_BYTES - 1,
     .doc = "PEM file of the certificate and its chain, for HTTPS; plain HTTP without it."},
    {ROW(tls_key), .type = FIELD_TEXT, .flags = CONFIG_SERVER, .max = CONFIG_TEXT_BYTES - 1,
     .doc = "PEM file of the certificate's private key, which only its owner and group may read."},
    {ROW(insecure), .type = FIELD_BOOL, .flags = CONFIG_SERVER, .fallback = "false",
     .doc = "Listen on an address other than the loopback although nobody is asked for a key."},
    {ROW(redis), .type = FIELD_TEXT, .flags = CONFIG_SERVICE, .max = CONFIG_TEXT_BYTES - 1,
     .doc = "unix://[user@]/path or redis://[user@]host[:port][/database]; a private one without "
            "it."},
    {ROW(redis_password_file), .type = FIELD_TEXT, .flags = CONFIG_SERVICE,
     .max = CONFIG_TEXT_BYTES - 1,
     .doc = "File with the password of this Redis, which only its owner and group may read."},
    {ROW(redis_timeout_ms), .type = FIELD_INT, .flags = CONFIG_SERVICE, .min = 10, .max = 600000,
     .fallback = "2000", .doc = "Time that Redis has for connecting and for each answer."},
    {ROW(import_roots), .type = FIELD_TEXT, .flags = CONFIG_SERVER, .max = CONFIG_ROOTS_BYTES - 1,
     .doc = "Directories, separated by ':', from which data sets may be imported."},
    {ROW(cors_origins), .type = FIELD_TEXT, .flags = CONFIG_SERVER, .max = CONFIG_ROOTS_BYTES - 1,
     .doc = "Origins of web pages that may use the service, separated by ',', or *."},
    {ROW(threads), .type = FIELD_INT, .flags = CONFIG_SERVER, .min = 1, .max = 256, .fallback = "4",
     .doc = "Threads that answer requests."},
    {ROW(device), .type = FIELD_ENUM, .flags = CONFIG_SERVER, .choices = device_names,
     .fallback = "auto", .doc = "Device of predictions."},
    {ROW(predict_threads), .type = FIELD_INT, .flags = CONFIG_SERVER, .min = 1, .max = 256,
     .fallback = "2", .doc = "Threads that classify, for each model."},
    {ROW(predict_batches), .type = FIELD_INT, .flags = CONFIG_SERVER, .min = 1, .max = 64,
     .fallback = "2",
     .doc = "Batches of one model that run at the same time on a CPU, with a share of its threads; "
            "1 saves memory."},
    {ROW(predict_queue), .type = FIELD_INT, .flags = CONFIG_SERVER, .min = 1, .max = 1 << 20,
     .fallback = "1024", .doc = "Pictures that may wait for one model."},
    {ROW(models_loaded), .type = FIELD_INT, .flags = CONFIG_SERVER, .min = 1, .max = 1024,
     .fallback = "8", .doc = "Models kept in memory."},
    {ROW(models_bytes), .type = FIELD_INT, .flags = CONFIG_SERVER, .min = 1 << 20, .max = 1LL << 50,
     .fallback = "4294967296",
     .doc = "Memory of these models, weights and activations together; a model that alone needs "
            "more is refused."},
    {ROW(connections), .type = FIELD_INT, .flags = CONFIG_SERVER, .min = 1, .max = 1 << 16,
     .fallback = "1000", .doc = "Connections at the same time."},
    {ROW(address_connections), .type = FIELD_INT, .flags = CONFIG_SERVER, .max = 1 << 16,
     .fallback = "0",
     .doc = "Of them, those of one address; others are closed. 0: any number, as behind a proxy."},
    {ROW(max_body_bytes), .type = FIELD_INT, .flags = CONFIG_SERVER, .min = 1024, .max = 1 << 30,
     .fallback = "67108864", .doc = "Longest body of a request."},
    {ROW(request_timeout_ms), .type = FIELD_INT, .flags = CONFIG_SERVER, .min = 100, .max = 3600000,
     .fallback = "30000", .doc = "Time in which a whole request must arrive."},
    {ROW(drain_ms), .type = FIELD_INT, .flags = CONFIG_SERVER, .max = 3600000, .fallback = "30000",
     .doc = "Time that an orderly end may take."},
    {ROW(lease_ms), .type = FIELD_INT, .flags = CONFIG_SERVICE, .min = 300, .max = 3600000,
     .fallback = "30000", .doc = "A worker that is not heard of for so long loses its job."},
    {ROW(max_lost), .type = FIELD_INT, .flags = CONFIG_SERVICE, .min = 1, .max = 1000,
     .fallback = "5", .doc = "A job that loses so many workers in a row, without progress, fails."},
    {ROW(keep_jobs_days), .type = FIELD_INT, .flags = CONFIG_SERVER, .max = 36500, .fallback = "0",
     .doc = "Days after which finished jobs are removed, with their curves, logs and checkpoints; "
            "0: never."},
    {ROW(keep_checkpoints_days), .type = FIELD_INT, .flags = CONFIG_SERVER, .max = 36500,
     .fallback = "0",
     .doc = "Days after which the kept checkpoints of finished jobs are removed; 0: never."},
    {ROW(upload_bytes), .type = FIELD_INT, .flags = CONFIG_SERVER, .min = 1024, .max = 1LL << 50,
     .fallback = "17179869184",
     .doc = "Most bytes of one upload of a data set, all its files together."},
    {ROW(uploads_bytes), .type = FIELD_INT, .flags = CONFIG_SERVER, .max = 1LL << 50,
     .fallback = "68719476736", .doc = "Most bytes of all uploads that are open; 0: no limit."},
    {ROW(datasets_bytes), .type = FIELD_INT, .flags = CONFIG_SERVER, .max = 1LL << 50,
     .fallback = "0",
     .doc = "Most bytes of all data sets, same pictures counted once; 0: no limit."},
    {ROW(keep_uploads_hours), .type = FIELD_INT, .flags = CONFIG_SERVER, .min = 1, .max = 8760,
     .fallback = "24", .doc = "Hours after which an upload that nobody goes on with is removed."},
    {ROW(requests_per_s), .type = FIELD_FLOAT, .flags = CONFIG_SERVER, .max = 1e6, .fallback = "0",
     .doc =
         "Requests that a key, or without keys an address, may send in a second; 0: any number."},
    {ROW(requests_burst), .type = FIELD_INT, .flags = CONFIG_SERVER, .max = 1e6, .fallback = "0",
     .doc = "Of them, those that may come at once; 0: as many as in a second."},
    {ROW(active_jobs), .type = FIELD_INT, .flags = CONFIG_SERVER, .max = 1e6, .fallback = "0",
     .doc = "Jobs of a key that may be queued, running or paused; 0: any number."},
    {ROW(min_free_bytes), .type = FIELD_INT, .flags = CONFIG_SERVER, .max = 1e15, .fallback = "0",
     .doc = "With less room than this for data, jobs and uploads are refused; 0: no minimum."},
    {ROW(webhook_private), .type = FIELD_BOOL, .flags = CONFIG_SERVER, .fallback = "false",
     .doc = "Let webhooks be sent to addresses of private networks and of this machine."},
    {ROW(webhook_timeout_ms), .type = FIELD_INT, .flags = CONFIG_SERVER, .min = 100, .max = 600000,
     .fallback = "15000", .doc = "Time in which the receiver of a webhook must have answered."},
    {ROW(webhook_retry_ms), .type = FIELD_INT, .flags = CONFIG_SERVER, .min = 1, .max = 3600000,
     .fallback = "5000",
     .doc = "Wait after the first failed try of a webhook's message; later waits in proportion."},
    {ROW(ready_fd), .type = FIELD_INT, .flags = CONFIG_INTERNAL, .min = -1, .max = 65535,
     .fallback = "-1", .doc = "File descriptor on which a child of up says that it is ready."},
};
#undef ROW

const struct field_table config_table = FIELD_TABLE("distilld", rows);

/* Addresses by their numbers: a name like 127.example.org may mean any machine. */
static bool is_loopback(const char *host) {
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return str_equal(host, "localhost");
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

/* Whoever can reach the service can use it, unless there are keys. */
static enum status check_host(const struct config *config, struct error *err) {
    char keys[FILE_PATH_BYTES];
    enum status status = config_path(config, CONFIG_KEYS_FOLDER, keys, err);
    if (status || config->insecure || is_loopback(config->host) || file_is_dir(keys))
        return status;
    return error_set_field(err, STATUS_INVALID, "host",
                           "host: %s is reachable from elsewhere and nobody would be asked for a "
                           "key; make one with distilld key, or say insecure=1 if that is meant",
                           config->host);
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
    if (!config->tls_cert[0] != !config->tls_key[0])
        return error_set_field(err, STATUS_INVALID, config->tls_cert[0] ? "tls_key" : "tls_cert",
                               "tls_cert and tls_key go together");
    if (config->redis_password_file[0] && !config->redis[0])
        return error_set_field(err, STATUS_INVALID, "redis_password_file",
                               "redis_password_file: the private Redis has no password; give "
                               "redis=URL too");
    if ((status = origins_check(config->cors_origins, err)) ||
        (status = make_absolute(config, err)) || (status = check_host(config, err)))
        return status;
    return fill_redis(config, err);
}

void config_add_help(struct str *out, unsigned hidden) {
    fields_add_help(&config_table, CONFIG_INTERNAL | hidden, NULL, out);
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
