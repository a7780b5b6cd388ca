#include "service/store/schema.h"

#include "api/ids.h"
#include "engine/base/file.h"
#include "service/common/log.h"
#include "service/store/datasets.h"
#include "service/store/job_reply.h"
#include "service/store/lock_file.h"

#include <hiredis/hiredis.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { SHORT_FILE_BYTES = 256, PLACE_BYTES = FILE_PATH_BYTES + 72 };

#define ID_PREFIX_DATA "data_"

/* ---- the data directory ---- */

/* A short text file without its line end; "" when there is none. */
static enum status read_line(const char *data, const char *name, char out[SHORT_FILE_BYTES],
                             struct error *err) {
    char path[FILE_PATH_BYTES], *text;
    size_t len;
    out[0] = '\0';
    enum status status = file_join(path, data, name, err);
    if (status || !file_exists(path))
        return status;
    status = file_read(path, SHORT_FILE_BYTES - 1, &text, &len, err);
    if (status)
        return status;
    memcpy(out, text, len);
    out[len] = '\0';
    out[strcspn(out, "\n")] = '\0';
    free(text);
    return STATUS_OK;
}

static enum status write_line(const char *data, const char *name, const char *text,
                              struct error *err) {
    char path[FILE_PATH_BYTES], line[SHORT_FILE_BYTES];
    snprintf(line, sizeof line, "%s\n", text);
    enum status status = file_join(path, data, name, err);
    return status ? status : file_write(path, line, strlen(line), err);
}

static enum status data_version(const char *data, int64_t *version, struct error *err) {
    char text[SHORT_FILE_BYTES];
    *version = 0;
    enum status status = read_line(data, "schema", text, err);
    if (!status && text[0] && (!str_parse_i64(text, version) || *version < 0))
        status = error_set(err, STATUS_CORRUPT, "%s/schema holds no version", data);
    return status;
}

static enum status refuse_newer(const char *what, int64_t version, struct error *err) {
    return error_set(err, STATUS_UNSUPPORTED,
                     "%s is of schema version %lld, this distilld knows versions up to %d: a newer "
                     "one is needed",
                     what, (long long)version, SCHEMA_VERSION);
}

enum status schema_check_data(const char *data, struct error *err) {
    char what[FILE_PATH_BYTES + 32];
    int64_t version;
    enum status status = data_version(data, &version, err);
    if (status || version <= SCHEMA_VERSION)
        return status;
    snprintf(what, sizeof what, "data directory %.300s", data);
    return refuse_newer(what, version, err);
}

static enum status data_id(const char *data, char id[SHORT_FILE_BYTES], struct error *err) {
    enum status status = read_line(data, "id", id, err);
    if (!status && id[0] && !id_is_valid(id, ID_PREFIX_DATA))
        status = error_set(err, STATUS_CORRUPT, "%s/id holds no id", data);
    return status;
}

/* 1: a data directory has an id. */
static enum status give_id(const char *data, struct error *err) {
    char id[SHORT_FILE_BYTES];
    enum status status = data_id(data, id, err);
    if (status || id[0])
        return status;
    struct id_source source;
    id_source_init(&source);
    id_make(&source, ID_PREFIX_DATA, id);
    id_source_release(&source);
    return write_line(data, "id", id, err);
}

/* STEPS[n] makes version n + 1 of version n; it may be done again. */
static enum status (*const STEPS[SCHEMA_VERSION])(const char *data, struct error *err) = {
    give_id, datasets_share, /* 2: data sets share their pictures as blobs */
};

static enum status migrate_locked(const char *data, int64_t *version, struct error *err) {
    char text[32];
    enum status status = schema_check_data(data, err);
    if (!status)
        status = data_version(data, version, err);
    for (int64_t next = *version; !status && next < SCHEMA_VERSION; next++) {
        status = STEPS[next](data, err);
        snprintf(text, sizeof text, "%lld", (long long)next + 1);
        if (!status)
            status = write_line(data, "schema", text, err);
    }
    return status;
}

static enum status migrate_data(const char *data, int64_t *version, struct error *err) {
    int fd;
    enum status status = data_version(data, version, err);
    if (status || *version == SCHEMA_VERSION)
        return status;
    status = file_make_dirs(data, err);
    if (!status)
        status = lock_file_open(&fd, data, "schema.lock", err);
    if (status)
        return status;
    status = lock_file_wait(fd, LOCK_EX, err);
    if (!status)
        status = migrate_locked(data, version, err);
    close(fd);
    return status;
}

/* ---- Redis ---- */

/* id "": only looks. */
static enum status ask_redis(struct redis_pool *pool, const char *data, const char *id,
                             int64_t *version, struct error *err) {
    char host[65] = "", place[PLACE_BYTES];
    struct redis_args args = {0};
    struct redisReply *reply = NULL;
    gethostname(host, sizeof host - 1);
    snprintf(place, sizeof place, "%s:%.400s", host, data);
    redis_args_text(&args, id);
    redis_args_text(&args, "");
    redis_args_int(&args, SCHEMA_VERSION);
    redis_args_text(&args, place);
    enum status status = pool_script(pool, &script_schema, &args, &reply, err);
    if (status)
        return status;
    *version = strtoll(reply->element[1]->str, NULL, 10);
    if (reply_is(reply, "newer"))
        status = refuse_newer("Redis", *version, err);
    else if (reply_is(reply, "other"))
        status = error_set(err, STATUS_CONFLICT,
                           "data directory %.150s (%s) is not the one that belongs to this Redis, "
                           "%.150s (%s)",
                           place, id, reply->element[2]->str, reply->element[1]->str);
    redis_reply_free(reply);
    return status;
}

enum status schema_prepare(const char *data, struct redis_pool *pool, struct error *err) {
    char id[SHORT_FILE_BYTES];
    int64_t in_redis = 0, in_data = 0;
    enum status status = schema_check_data(data, err);
    if (!status)
        status = ask_redis(pool, data, "", &in_redis, err);
    if (!status)
        status = migrate_data(data, &in_data, err);
    if (!status)
        status = data_id(data, id, err);
    if (!status && !id[0])
        status = error_set(err, STATUS_CORRUPT, "%s/id is missing", data);
    if (!status)
        status = ask_redis(pool, data, id, &in_redis, err);
    if (!status && (in_redis < SCHEMA_VERSION || in_data < SCHEMA_VERSION))
        log_info("schema_updated", log_int("redis_from", in_redis), log_int("data_from", in_data),
                 log_int("to", SCHEMA_VERSION));
    return status;
}
