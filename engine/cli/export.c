/*
 * export.c - `distill export`: a model as an ONNX file.
 */
#include "engine/cli/command.h"
#include "engine/cli/line.h"

#include "engine/onnx/export.h"

struct export_command {
    char model[SPEC_TEXT_BYTES], out[SPEC_TEXT_BYTES];
    bool normalize;
};

#define ROW(member) FIELD_MEMBER(struct export_command, member)

static const struct field rows[] = {
    OPTION_MODEL(struct export_command),
    {ROW(out), .type = FIELD_TEXT, .max = 500, .doc = "The ONNX file to write."},
    {ROW(normalize), .type = FIELD_BOOL, .fallback = "false",
     .doc = "Take pixels in 0..1 and normalise them inside; else the input is normalised already."},
};
static const struct field_table table = FIELD_TABLE("export", rows);

static void print_result(const struct export_command *command, const struct model_info *info) {
    struct line line = {0};
    line_text(&line, "file", command->out);
    line_text(&line, "architecture", info->architecture);
    line_integer(&line, "bytes", file_size(command->out));
    line_print(&line);
}

static enum status run(void *options, const struct names *names, struct error *err) {
    const struct export_command *command = options;
    struct loaded_model model = {0};
    (void)names;
    enum status status = model_load(&model, command->model, err);
    if (!status)
        status = onnx_export(&model, command->normalize, command->out, err);
    if (!status)
        print_result(command, &model.info);
    loaded_model_release(&model);
    return status;
}

const struct command command_export = {
    .name = "export",
    .sentence = "Writes a model as ONNX, for other programs.",
    .required = {"model", "out"},
    .table = &table,
    .options_bytes = sizeof(struct export_command),
    .run = run,
};
