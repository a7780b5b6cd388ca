/*
 * import.c - `distill import`: weights saved by PyTorch's originals become a model folder.
 */
#include "engine/cli/command.h"
#include "engine/cli/line.h"

#include "engine/session/model_import.h"

#include <stdio.h>

struct import_command {
    struct import_options options;
    char in[SPEC_TEXT_BYTES], out[SPEC_TEXT_BYTES];
};

static const struct field rows[] = {
    IMPORT_ROWS,
    {FIELD_MEMBER(struct import_command, in), .type = FIELD_TEXT, .max = 500,
     .doc = "A safetensors file of the network's state dict."},
    {FIELD_MEMBER(struct import_command, out), .type = FIELD_TEXT, .max = 500,
     .doc = "Folder that receives model.safetensors and model.json."},
};
static const struct field_table table = OPTION_TABLE("import", rows);

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

static void print_result(const struct import_command *command, const struct model_info *info) {
    struct line line = {0};
    line_text(&line, "model", command->out);
    line_text(&line, "architecture", info->architecture);
    line_integer(&line, "height", info->height);
    line_integer(&line, "width", info->width);
    line_integer(&line, "channels", info->channels);
    line_print(&line);
}

static enum status run(void *options, const struct names *names, struct error *err) {
    const struct import_command *command = options;
    struct model_info info = {0};
    struct misfits misfits = {0};
    (void)names;
    enum status status = import_info_find(&info, command->options.dataset, err);
    if (!status)
        status = import_info_complete(&info, &command->options, err);
    if (!status) {
        status = model_import(command->in, &info, command->out, &misfits, err);
        error_wrap(err, status, "%s", command->in);
    }
    if (status)
        print_misfits(&misfits);
    else
        print_result(command, &info);
    model_info_release(&info);
    return status;
}

const struct command command_import = {
    .name = "import",
    .sentence = "Makes a model of weights that were saved by PyTorch's original network.",
    .required = "in architecture out",
    .table = &table,
    .options_bytes = sizeof(struct import_command),
    .run = run,
};
