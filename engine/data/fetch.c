/* How a file of a data set comes onto this machine: curl into NAME.part, md5sum, then either its
 * own name or tar into a temporary folder, and a rename. */
#include "engine/base/str.h"
#include "engine/data/child.h"
#include "engine/data/dataset.h"
#include "engine/data/download_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PLACES = 2, MD5_TEXT = 32 };

struct fetch {
    const struct download_file *file;
    const struct download_watch *watch;
    const char *mirror; /* absolute folder or address, or NULL */
    bool mirror_is_folder;
    char target[FILE_PATH_BYTES]; /* what there is in the end: a file or a folder */
    char part[FILE_PATH_BYTES];   /* so far downloaded */
    char tmp[FILE_PATH_BYTES];    /* folder for unpacking */
};

static enum status fetch_init(struct fetch *fetch, const char *folder, struct error *err) {
    const struct download_file *file = fetch->file;
    char part[FILE_PATH_BYTES], tmp[FILE_PATH_BYTES];
    snprintf(part, sizeof part, "%s.part", file->name);
    snprintf(tmp, sizeof tmp, FILE_TMP_PREFIX "%s", file->name);
    const char *target = file->unpacks_to ? file->unpacks_to : file->name;
    enum status status = file_join(fetch->target, folder, target, err);
    if (!status)
        status = file_join(fetch->part, folder, part, err);
    return status ? status : file_join(fetch->tmp, folder, tmp, err);
}

/* Runs a program that has to succeed. */
static enum status run(const char *const *argv, struct error *err) {
    struct child_result result;
    enum status status = child_run(argv, NULL, NULL, &result, err);
    if (!status && result.exit_code != 0)
        status = error_set(err, STATUS_IO, "%s failed: %s", argv[0], result.output);
    return status;
}

/* The file's content is the published one, by one of its checksums. */
static enum status verify(const struct fetch *fetch, const char *path, struct error *err) {
    const char *const argv[] = {"md5sum", "--", path, NULL};
    struct child_result result;
    enum status status = child_run(argv, NULL, NULL, &result, err);
    if (status)
        return status;
    if (result.exit_code != 0)
        return error_set(err, STATUS_IO, "md5sum failed: %s", result.output);
    const char *sum = result.output + (result.output[0] == '\\'); /* the name was escaped */
    for (int i = 0; i < DOWNLOAD_MD5S && fetch->file->md5[i]; i++)
        if (strncmp(sum, fetch->file->md5[i], MD5_TEXT) == 0)
            return STATUS_OK;
    return error_set(err, STATUS_CORRUPT, "%s: the MD5 checksum is %.32s, published is %s",
                     fetch->file->name, sum, fetch->file->md5[0]);
}

static void report(void *ctx) {
    const struct fetch *fetch = ctx;
    double fraction = (double)file_size(fetch->part) / (double)fetch->file->bytes;
    if (fetch->watch->fn && fraction >= 0)
        fetch->watch->fn(fetch->watch->ctx, fetch->file->name, fraction < 1 ? fraction : 1);
}

/* What curl's exit codes mean here; every other failure is UNAVAILABLE. */
struct curl_code {
    int code;
    enum status status;
};

static const struct curl_code curl_codes[] = {
    {9, STATUS_NOT_FOUND},  {19, STATUS_NOT_FOUND}, {22, STATUS_NOT_FOUND}, /* no such file */
    {37, STATUS_NOT_FOUND}, {78, STATUS_NOT_FOUND}, {23, STATUS_IO},        /* cannot write */
    {33, STATUS_CORRUPT},   {36, STATUS_CORRUPT},                           /* cannot resume */
};

static enum status curl_status(const struct child_result *result) {
    if (result->exit_code == 22 && strstr(result->output, "error: 416")) /* nothing follows */
        return STATUS_CORRUPT;
    for (size_t i = 0; i < sizeof curl_codes / sizeof curl_codes[0]; i++)
        if (curl_codes[i].code == result->exit_code)
            return curl_codes[i].status;
    return STATUS_UNAVAILABLE;
}

static enum status run_curl(struct fetch *fetch, const char *address, struct error *err) {
    const char *const argv[] = {"curl",         "--fail",        "--location",  "--silent",
                                "--show-error", "--proto-redir", "=http,https", "--connect-timeout",
                                "20",           "--speed-limit", "1000",        "--speed-time",
                                "60",           "--continue-at", "-",           "--output",
                                fetch->part,    "--url",         address,       NULL};
    struct child_result result;
    enum status status = child_run(argv, report, fetch, &result, err);
    if (status || result.exit_code == 0)
        return status;
    return error_set(err, curl_status(&result), "%s: %s", address, result.output);
}

/* A path as part of a file: address. */
static void add_encoded(struct str *out, const char *path) {
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-~";
    for (; *path; path++) {
        if (strchr(plain, *path))
            str_add_bytes(out, path, 1);
        else
            str_addf(out, "%%%02X", (unsigned char)*path);
    }
}

/* Where the file may be: a mirror has it in a folder of the data set's name (MNIST and
 * Fashion-MNIST share their file names), or beside all others. */
static void place_address(const struct fetch *fetch, int place, struct str *out) {
    const struct download_file *file = fetch->file;
    if (!fetch->mirror) {
        str_addf(out, "%s%s", file->address, file->name);
        return;
    }
    if (fetch->mirror_is_folder) {
        str_add(out, "file://");
        add_encoded(out, fetch->mirror);
    } else {
        size_t len = strlen(fetch->mirror);
        str_add_bytes(out, fetch->mirror, len - (fetch->mirror[len - 1] == '/'));
    }
    if (place == 0)
        str_addf(out, "/%s", file->dataset);
    str_addf(out, "/%s", file->name);
}

/* Downloads into fetch->part, behind what is already there. */
static enum status curl_places(struct fetch *fetch, struct error *err) {
    enum status status = STATUS_NOT_FOUND;
    for (int place = fetch->mirror ? 0 : 1; place < MAX_PLACES && status == STATUS_NOT_FOUND;
         place++) {
        struct str address = STR_INIT;
        place_address(fetch, place, &address);
        status = run_curl(fetch, str_text(&address), err);
        str_release(&address);
    }
    return status;
}

/* Downloads and checks. What was left of an earlier download is continued; if that does not give
 * the right content, it is thrown away and the file downloaded afresh. */
static enum status obtain(struct fetch *fetch, struct error *err) {
    bool resumed = file_size(fetch->part) > 0;
    if (resumed && verify(fetch, fetch->part, NULL) == STATUS_OK)
        return STATUS_OK;
    enum status status = STATUS_CORRUPT;
    for (int tries = resumed ? 2 : 1; tries > 0 && status == STATUS_CORRUPT; tries--) {
        status = curl_places(fetch, err);
        if (!status)
            status = verify(fetch, fetch->part, err);
        if (status == STATUS_CORRUPT)
            remove(fetch->part);
    }
    return status;
}

static enum status move(const char *from, const char *to, struct error *err) {
    return rename(from, to) == 0 ? STATUS_OK : error_set_errno(err, errno, "cannot make %s", to);
}

/* Runs a program that fills fetch->tmp, and moves the data set's folder out of there. */
static enum status place_folder(struct fetch *fetch, const char *const *argv, struct error *err) {
    struct dataset dataset;
    char made[FILE_PATH_BYTES];
    enum status status = file_join(made, fetch->tmp, fetch->file->unpacks_to, err);
    if (!status)
        status = file_remove_all(fetch->tmp, err);
    if (!status)
        status = file_make_dirs(fetch->tmp, err);
    if (!status)
        status = run(argv, err);
    if (!status)
        status = dataset_open(&dataset, made, fetch->file->dataset, err);
    if (!status) {
        dataset_close(&dataset);
        status = move(made, fetch->target, err);
    }
    enum status removed = file_remove_all(fetch->tmp, status ? NULL : err);
    return status ? status : removed;
}

static enum status unpack(struct fetch *fetch, struct error *err) {
    const char *const argv[] = {"tar",
                                "--extract",
                                "--gzip",
                                "--force-local",
                                "--no-same-owner",
                                "--no-same-permissions",
                                "--file",
                                fetch->part,
                                "--directory",
                                fetch->tmp,
                                NULL};
    enum status status = place_folder(fetch, argv, err);
    if (!status)
        remove(fetch->part);
    return status;
}

/* A folder as mirror may hold an archive's content instead of the archive. */
static bool find_unpacked(const struct fetch *fetch, char path[FILE_PATH_BYTES]) {
    const struct download_file *file = fetch->file;
    char inside[FILE_PATH_BYTES];
    if (!fetch->mirror_is_folder || !file->unpacks_to)
        return false;
    return (file_join(inside, fetch->mirror, file->dataset, NULL) == STATUS_OK &&
            file_join(path, inside, file->unpacks_to, NULL) == STATUS_OK && file_is_dir(path)) ||
           (file_join(path, fetch->mirror, file->unpacks_to, NULL) == STATUS_OK &&
            file_is_dir(path));
}

static enum status copy_unpacked(struct fetch *fetch, const char *from, struct error *err) {
    const char *const argv[] = {"cp", "-RL", "--", from, fetch->tmp, NULL};
    return place_folder(fetch, argv, err);
}

static bool is_there(const struct fetch *fetch) {
    return fetch->file->unpacks_to
               ? file_is_dir(fetch->target)
               : file_exists(fetch->target) && verify(fetch, fetch->target, NULL) == STATUS_OK;
}

static enum status fetch_run(struct fetch *fetch, struct error *err) {
    struct error failure = {0}; /* of the places tried, of which a later one may succeed */
    char unpacked[FILE_PATH_BYTES];
    if (is_there(fetch))
        return STATUS_OK;
    enum status status = obtain(fetch, &failure);
    if (status == STATUS_NOT_FOUND && find_unpacked(fetch, unpacked))
        return copy_unpacked(fetch, unpacked, err);
    if (status)
        return error_set(err, status == STATUS_NOT_FOUND ? STATUS_UNAVAILABLE : status, "%s",
                         failure.message);
    report(fetch);
    return fetch->file->unpacks_to ? unpack(fetch, err) : move(fetch->part, fetch->target, err);
}

static enum status unknown_name(const struct download_table *table, const char *name,
                                struct error *err) {
    struct str known = STR_INIT;
    const char *last = "";
    for (size_t i = 0; i < table->count; i++) {
        if (!str_equal(table->files[i].dataset, last))
            str_addf(&known, "%s%s", *last ? ", " : "", table->files[i].dataset);
        last = table->files[i].dataset;
    }
    enum status status =
        error_set(err, STATUS_INVALID, "\"%s\" is not known; known are %s", name, str_text(&known));
    str_release(&known);
    return status;
}

enum status download_from(const struct download_table *table, const char *name, const char *mirror,
                          const char *folder, const struct download_watch *watch,
                          struct error *err) {
    bool known = false, is_address = mirror && strstr(mirror, "://");
    mirror = mirror && *mirror ? mirror : NULL;
    char *path = mirror && !is_address ? realpath(mirror, NULL) : NULL;
    if (mirror && !is_address && !path)
        return error_set(err, STATUS_UNAVAILABLE, "there is no mirror folder %s", mirror);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < table->count && !status; i++) {
        struct fetch fetch = {
            &table->files[i], watch, path ? path : mirror, path != NULL, "", "", ""};
        if (!str_equal(fetch.file->dataset, name))
            continue;
        known = true;
        status = file_make_dirs(folder, err);
        if (!status)
            status = fetch_init(&fetch, folder, err);
        if (!status)
            status = fetch_run(&fetch, err);
    }
    free(path);
    return known ? status : unknown_name(table, name, err);
}
