/*
 * data.c - `distill data get NAME`: fetches a known data set.
 */
#include "engine/cli/command.h"
#include "engine/cli/line.h"

#include "engine/base/file.h"
#include "engine/data/dataset.h"
#include "engine/data/download.h"

#include <stdio.h>
#include <unistd.h>

struct data_command {
    char dir[SPEC_TEXT_BYTES];
};

#define ROW(member) FIELD_MEMBER(struct data_command, member)

static const struct field rows[] = {
    {ROW(dir), .type = FIELD_TEXT, .max = 500, .doc = "Where to put it; data/NAME if not given."},
};
static const struct field_table table = OPTION_TABLE("data", rows);

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

static enum status run(void *options, const struct names *names, struct error *err) {
    const struct data_command *command = options;
    char folder[FILE_PATH_BYTES];
    if (names->count != 2 || !str_equal(names->item[0], "get"))
        return error_set_field(err, STATUS_INVALID, "name", "expected: distill data get NAME");
    const char *name = names->item[1];
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
    return status ? status : describe(folder, name, err);
}

const struct command command_data = {
    .name = "data",
    .sentence = "Fetches a known data set: cifar10, cifar100, mnist or fashion_mnist.",
    .names = "get NAME",
    .table = &table,
    .options_bytes = sizeof(struct data_command),
    .run = run,
};
