/*
 * import.c - `distill import`: weights saved by PyTorch's originals become a model folder.
 */
#include "engine/cli/command.h"
#include "engine/cli/line.h"

#include "engine/session/model_import.h"

#include <stdio.h>
#include <string.h>

/* Where there is more than the error's own line can say. */
static void print_misfits(const struct misfits *misfits) {
    int total = misfits_total(misfits);
    if (total < 2)
        return;
    for (int i = 0; i < misfits->listed; i++)
        fprintf(stderr, "distill import: %s\n", misfits->item[i].detail);
    if (total > misfits->listed)
        fprintf(stderr, "distill import: and %d more\n", total - misfits->listed);
}

static void print_result(const struct import_spec *spec, const struct model_info *info) {
    struct line line = {0};
    line_text(&line, "model", spec->out);
    line_text(&line, "architecture", info->architecture);
    line_integer(&line, "height", info->height);
    line_integer(&line, "width", info->width);
    line_integer(&line, "channels", info->channels);
    line_print(&line);
}

static enum status run(void *options, const struct names *names, struct error *err) {
    const struct import_spec *spec = options;
    struct model_info info = {0};
    struct misfits misfits = {0};
    (void)names;
    enum status status = import_info_find(&info, spec->dataset, err);
    if (!status)
        status = import_info_complete(&info, spec, err);
    if (!status) {
        status = model_import(spec->in, &info, spec->out, &misfits, err);
        if (!strstr(err->message, spec->in))
            error_wrap(err, status, "%s", spec->in);
    }
    if (status)
        print_misfits(&misfits);
    else
        print_result(spec, &info);
    model_info_release(&info);
    return status;
}

const struct command command_import = {
    .name = "import",
    .sentence = "Makes a model of weights that were saved by PyTorch's original network.",
    .required = {"in", "architecture", "out"},
    .table = &import_spec_table,
    .options_bytes = sizeof(struct import_spec),
    .refused = FIELD_JOB,
    .run = run,
};
