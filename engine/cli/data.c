/*
 * data.c - `distill data get NAME` fetches a known data set; `distill data import FOLDER` checks
 * one and copies it into files that open at once; `distill data sample FOLDER` writes one of a data
 * set's pictures as a PNG file.
 */
#include "engine/cli/command.h"
#include "engine/cli/line.h"

#include "engine/base/file.h"
#include "engine/data/dataset.h"
#include "engine/data/download.h"
#include "engine/data/sample.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct data_command {
    char dir[SPEC_TEXT_BYTES], out[SPEC_TEXT_BYTES];
    int split; /* enum split_kind */
    int64_t index;
};

#define ROW(member) FIELD_MEMBER(struct data_command, member)

static const struct field rows[] = {
    {ROW(dir), .type = FIELD_TEXT, .max = 500,
     .doc = "get, import: where to put it; get: data/NAME if not given. The environment's "
            "DISTILL_MIRROR, a folder or an address, stands in for the official addresses."},
    {ROW(out), .type = FIELD_TEXT, .max = 500, .doc = "sample: the PNG file to write."},
    {ROW(split), .type = FIELD_ENUM, .choices = split_names, .fallback = "test",
     .doc = "sample: which pictures to count."},
    {ROW(index), .type = FIELD_INT, .max = 1e9, .fallback = "0",
     .doc = "sample: which picture, from 0."},
};
static const struct field_table table = FIELD_TABLE("data", rows);

/* A line that renews itself on a terminal; a pipe is told nothing until the end. */
static void show_progress(void *ctx, const char *file, double fraction) {
    (void)ctx;
    fprintf(stderr, "\r\033[K%s %.0f %%", file, 100 * fraction);
    fflush(stderr);
}

static enum status describe(const char *folder, const char *name, struct error *err) {
    struct dataset dataset = {0};
    struct line line = {0};
    enum status status = dataset_open(&dataset, folder, name, err);
    if (status)
        return status;
    line_text(&line, "dataset", folder);
    line_integer(&line, "train", dataset.train.count);
    line_integer(&line, "test", dataset.test.count);
    line_integer(&line, "height", dataset.height);
    line_integer(&line, "width", dataset.width);
    line_integer(&line, "channels", dataset.channels);
    line_integer(&line, "classes", dataset.classes);
    line_text(&line, "sha256", dataset.sha256);
    line_print(&line);
    dataset_close(&dataset);
    return STATUS_OK;
}

/* ---- get ---- */

static enum status get(const struct data_command *command, const char *name, struct error *err) {
    char folder[FILE_PATH_BYTES];
    enum status status = STATUS_OK;
    if (!command->dir[0])
        status = file_join(folder, "data", name, err);
    else if (!str_copy(folder, sizeof folder, command->dir))
        status = error_set_field(err, STATUS_TOO_LARGE, "dir", "dir is too long");
    if (status)
        return status;
    bool terminal = isatty(STDERR_FILENO);
    status = download_dataset(name, folder, terminal ? show_progress : NULL, NULL, err);
    if (terminal)
        fputs("\r\033[K", stderr);
    if (status)
        rmdir(folder); /* if nothing was put there */
    return status ? status : describe(folder, name, err);
}

/* ---- import ---- */

/* The folder gets its name when all is in it. */
static enum status write_all(const struct dataset *dataset, const char *dir, struct error *err) {
    char part[FILE_PATH_BYTES];
    int len = (int)strlen(dir);
    while (len > 1 && dir[len - 1] == '/')
        len--;
    if (snprintf(part, sizeof part, "%.*s.part", len, dir) >= (int)sizeof part)
        return error_set_field(err, STATUS_TOO_LARGE, "dir", "dir is too long");
    enum status status = file_remove_all(part, err);
    if (!status)
        status = dataset_write(dataset, part, err);
    if (!status && rename(part, dir) != 0)
        status = error_set_errno(err, errno, "rename %s to %s", part, dir);
    if (status && file_remove_all(part, NULL) != STATUS_OK)
        status = error_wrap(err, status, "%s is left behind", part);
    return status;
}

static bool show_checked(void *ctx, int64_t checked, int64_t count) {
    show_progress(ctx, "checking pictures", (double)checked / (double)count);
    return true;
}

static enum status import(const struct data_command *command, const char *folder,
                          struct error *err) {
    struct dataset dataset = {0};
    if (!command->dir[0])
        return error_set_field(err, STATUS_INVALID, "dir", "dir= is required");
    if (file_exists(command->dir))
        return error_set_field(err, STATUS_CONFLICT, "dir", "%s exists already", command->dir);
    bool terminal = isatty(STDERR_FILENO);
    const struct dataset_watch watch = {NULL, show_checked};
    enum status status =
        dataset_open_watched(&dataset, folder, NULL, terminal ? &watch : NULL, err);
    if (terminal)
        fputs("\r\033[K", stderr);
    if (!status)
        status = write_all(&dataset, command->dir, err);
    dataset_close(&dataset);
    return status ? status : describe(command->dir, NULL, err);
}

/* ---- sample ---- */

static enum status write_sample(const struct data_command *command, const struct dataset *dataset,
                                struct error *err) {
    const struct split *split = command->split == SPLIT_TEST ? &dataset->test : &dataset->train;
    struct picture picture = {0};
    if (command->index >= split->count)
        return error_set_field(err, STATUS_INVALID, "index", "index must be below %lld, not %lld",
                               (long long)split->count, (long long)command->index);
    enum status status = sample_whole(dataset, split, command->index, &picture, err);
    if (!status)
        status = picture_write_png(&picture, command->out, err);
    picture_release(&picture);
    if (status)
        return status;
    struct line line = {0};
    int label = split->labels[command->index];
    line_text(&line, "file", command->out);
    line_text(&line, "label", dataset->class_names[label]);
    line_integer(&line, "index", label);
    line_print(&line);
    return STATUS_OK;
}

static enum status sample(const struct data_command *command, const char *folder,
                          struct error *err) {
    struct dataset dataset = {0};
    if (!command->out[0])
        return error_set_field(err, STATUS_INVALID, "out", "out= is required");
    enum status status = dataset_open(&dataset, folder, NULL, err);
    if (!status)
        status = write_sample(command, &dataset, err);
    dataset_close(&dataset);
    return status;
}

/* ---- the command ---- */

static const struct {
    const char *verb;
    enum status (*run)(const struct data_command *command, const char *name, struct error *err);
} verbs[] = {{"get", get}, {"import", import}, {"sample", sample}};

static enum status run(void *options, const struct names *names, struct error *err) {
    for (size_t i = 0; names->count == 2 && i < sizeof verbs / sizeof verbs[0]; i++)
        if (str_equal(names->item[0], verbs[i].verb))
            return verbs[i].run(options, names->item[1], err);
    return error_set_field(
        err, STATUS_INVALID, "name",
        "expected: distill data get NAME, distill data import FOLDER, or distill data "
        "sample FOLDER");
}

const struct command command_data = {
    .name = "data",
    .sentence = "Fetches cifar10, cifar100, mnist or fashion_mnist; imports a data set; writes a "
                "picture as PNG.",
    .names = "get NAME | import FOLDER | sample FOLDER",
    .table = &table,
    .options_bytes = sizeof(struct data_command),
    .run = run,
};
