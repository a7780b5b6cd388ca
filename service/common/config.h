/*
 * config.h - the settings of distilld: one struct, one table, key=value arguments.
 *
 * Each setting is one member and one row of config_table; help, defaults, ranges and parsing walk
 * the table. The same arguments are passed on from `distilld up` to its children.
 *
 * Errors:  INVALID with the field, its value and the allowed range.
 * Threads: immutable after config_parse.
 */
#ifndef SERVICE_COMMON_CONFIG_H
#define SERVICE_COMMON_CONFIG_H

#include "engine/base/file.h"
#include "engine/spec/train_spec.h"

/* Of the data directory. Where it is, everybody is asked for an API key: store/api_keys.h. */
#define CONFIG_KEYS_FOLDER "keys"

enum { CONFIG_TEXT_BYTES = 512, CONFIG_ROOTS_BYTES = 4096 };

struct config {
    char data[CONFIG_TEXT_BYTES];          /* the data directory, absolute after config_parse */
    char host[CONFIG_TEXT_BYTES];          /* address to listen on */
    int64_t port;                          /* 0: any free port */
    char tls_cert[CONFIG_TEXT_BYTES];      /* PEM file of the chain; "": plain HTTP */
    bool insecure;                         /* allow addresses other than the loopback */
    char redis[CONFIG_TEXT_BYTES];         /* URL; "" means the private one of the data directory */
    int64_t redis_timeout_ms;              /* for connecting and for each answer */
    char import_roots[CONFIG_ROOTS_BYTES]; /* directories, separated by ':' */
    char cors_origins[CONFIG_ROOTS_BYTES]; /* of pages that may use the service; see origins.h */
    int64_t threads;                       /* HTTP threads */
    int device;                            /* enum device_kind, for predictions */
    int64_t predict_threads;               /* for one model */
    int64_t predict_batches;               /* of one model at the same time */
    int64_t predict_queue;                 /* pictures that may wait for a model */
    int64_t models_loaded;                 /* models kept in memory */
    int64_t models_bytes;                  /* of these models: weights and activations */
    int64_t connections;                   /* at the same time */
    int64_t address_connections;           /* of them, those of one address; 0: any number */
    int64_t max_body_bytes;                /* of a request */
    int64_t request_timeout_ms;            /* for receiving one request as a whole */
    int64_t drain_ms;                      /* an orderly end takes at most so long */
    int64_t lease_ms;                      /* a worker that says nothing for so long lost its job */
    int64_t max_lost;                      /* so many lost leases make a job fail */
    int64_t keep_jobs_days;                /* finished jobs; 0: for ever */
    int64_t keep_checkpoints_days;         /* kept checkpoints of finished jobs; 0: for ever */
    int64_t upload_bytes;                  /* of an upload of a data set */
    int64_t uploads_bytes;                 /* of all that are open; 0: no limit */
    int64_t datasets_bytes;                /* of all data sets; 0: no limit */
    int64_t keep_uploads_hours;            /* uploads that nobody goes on with */
    double requests_per_s;                 /* of a key, or an address without keys; 0: any number */
    int64_t requests_burst;                /* of them at once; 0: those of one second */
    int64_t active_jobs;                   /* of a key; 0: any number */
    int64_t min_free_bytes;                /* below this nothing new is taken; 0: no minimum */
    bool webhook_private;                  /* webhooks may go to private addresses */
    int64_t webhook_timeout_ms;            /* for sending one message and its answer */
    int64_t webhook_retry_ms;              /* wait after the first try that failed */
    int64_t ready_fd; /* where a child of up writes a line (serve: its URL) when ready; -1: none */

    /* Files that hold secrets, none of which stands on a command line; "" for none. */
    char tls_key[CONFIG_TEXT_BYTES];             /* PEM, the private key of tls_cert */
    char redis_password_file[CONFIG_TEXT_BYTES]; /* of the user in redis, or of all */
};

/* The table of all settings above, in the order in which they are printed. */
extern const struct field_table config_table;

/* Defaults, then argv's key=value items, then checks across fields; makes data absolute (it need
 * not exist) and fills redis. An address other than the loopback needs API keys, or insecure=1. */
MUST_CHECK enum status config_parse(struct config *config, int argc, char *const *argv,
                                    struct error *err);

/* Flags of rows beside those of spec/fields.h: what a setting is for. Each role takes them all, as
 * `up` passes its own on. */
enum {
    CONFIG_SERVER = 1 << 16,  /* the HTTP server alone */
    CONFIG_SERVICE = 1 << 17, /* server and workers */
    CONFIG_INTERNAL = 1 << 18 /* not for users */
};

/* Appends the help text of the settings without any of these flags; of internal ones never. */
void config_add_help(struct str *out, unsigned hidden);

/* True when the Redis of this configuration is the private one in the data directory. */
bool config_redis_is_private(const struct config *config);

/* "<data>/<relative>" in a fixed buffer; TOO_LARGE when it does not fit. */
MUST_CHECK enum status config_path(const struct config *config, const char *relative,
                                   char out[FILE_PATH_BYTES], struct error *err);

#endif
