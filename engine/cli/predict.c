/*
 * predict.c - `distill predict`: classifies picture files, one JSON line each.
 */
#include "engine/cli/command.h"
#include "engine/cli/line.h"

#include "engine/session/predictor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_BYTES = 16384, TOP_K_MAX = 1000 };

struct predict_command {
    char model[SPEC_TEXT_BYTES], files[FILES_BYTES];
    int64_t top_k;
    int device;
    int64_t threads;
};

#define ROW(member) FIELD_MEMBER(struct predict_command, member)

static const struct field rows[] = {
    OPTION_MODEL(struct predict_command),
    {ROW(files), .type = FIELD_TEXT, .max = FILES_BYTES - 1,
     .doc = "JPEG or PNG files, separated by commas; beside FILE arguments."},
    {ROW(top_k), .type = FIELD_INT, .min = 1, .max = TOP_K_MAX, .fallback = "5",
     .doc = "How many classes to print."},
    OPTION_DEVICE(struct predict_command),
    OPTION_THREADS(struct predict_command),
};
static const struct field_table table = FIELD_TABLE("predict", rows);

/* A group of files that is classified as one batch. */
struct group {
    struct predictor *predictor;
    size_t picture_bytes;
    int classes, top_k, count;
    const char *name[PREDICTOR_MAX_BATCH];
    uint8_t *pictures;              /* [PREDICTOR_MAX_BATCH,h,w,c] */
    float *logits;                  /* [PREDICTOR_MAX_BATCH,classes] */
    struct prediction *predictions; /* [top_k] */
    int failed;                     /* files that could not be read */
};

static enum status read_picture(const struct group *group, const char *path, uint8_t *out,
                                struct error *err) {
    const struct input input = model_input(predictor_info(group->predictor));
    char *bytes = NULL;
    size_t len = 0;
    enum status status = file_read(path, PICTURE_MAX_BYTES, &bytes, &len, err);
    if (status)
        return status;
    status = input_decode(&input, bytes, len, out, err);
    free(bytes);
    return error_wrap(err, status, "%s", path);
}

/* A file that is not a picture is one line on stderr; the others are answered. */
static void group_add(struct group *group, const char *path) {
    struct error err = {0};
    uint8_t *out = group->pictures + (size_t)group->count * group->picture_bytes;
    if (read_picture(group, path, out, &err)) {
        fprintf(stderr, "distill predict: %s\n", err.message);
        group->failed++;
        return;
    }
    group->name[group->count++] = path;
}

static void print_row(const struct group *group, int row) {
    const struct model_info *info = predictor_info(group->predictor);
    struct line line = {0}, entry = {0};
    struct str list = STR_INIT;
    prediction_top(group->logits + (size_t)row * (size_t)group->classes, group->classes,
                   group->top_k, group->predictions);
    for (int i = 0; i < group->top_k; i++) {
        const struct prediction *prediction = &group->predictions[i];
        line_text(&entry, "label", info->class_names[prediction->index]);
        line_integer(&entry, "index", prediction->index);
        line_number(&entry, "score", (double)prediction->score);
        str_addf(&list, "%s%s", i ? ", " : "[", line_end(&entry));
        line_release(&entry);
    }
    str_add(&list, "]");
    line_text(&line, "file", group->name[row]);
    line_json(&line, "predictions", str_text(&list));
    line_print(&line);
    str_release(&list);
}

static enum status group_run(struct group *group, struct error *err) {
    if (!group->count)
        return STATUS_OK;
    enum status status =
        predictor_logits(group->predictor, group->pictures, group->count, group->logits, err);
    for (int i = 0; i < group->count && !status; i++)
        print_row(group, i);
    group->count = 0;
    return status;
}

static enum status group_open(struct group *group, const struct predict_command *command,
                              struct error *err) {
    enum status status =
        predictor_create(&group->predictor, command->model, (enum device_kind)command->device,
                         (int)command->threads, PRECISION_F32, err);
    if (status)
        return status;
    const struct model_info *info = predictor_info(group->predictor);
    group->picture_bytes = (size_t)info->height * (size_t)info->width * (size_t)info->channels;
    group->classes = info->classes;
    group->top_k = command->top_k < info->classes ? (int)command->top_k : info->classes;
    group->pictures = xcalloc(PREDICTOR_MAX_BATCH, group->picture_bytes);
    group->logits = xcalloc(PREDICTOR_MAX_BATCH * (size_t)info->classes, sizeof *group->logits);
    group->predictions = xcalloc((size_t)group->top_k, sizeof *group->predictions);
    return STATUS_OK;
}

static void group_close(struct group *group) {
    predictor_free(group->predictor);
    free(group->pictures);
    free(group->logits);
    free(group->predictions);
}

/* The paths of files= (cut in place) and the names behind it, one after the other. */
static const char *next_path(char **listed, const struct names *names, int *next_name) {
    char *path = strsep(listed, ",");
    while (path && !*path)
        path = strsep(listed, ",");
    if (path)
        return path;
    return *next_name < names->count ? names->item[(*next_name)++] : NULL;
}

static enum status run(void *options, const struct names *names, struct error *err) {
    struct predict_command *command = options;
    struct group group = {0};
    char *listed = command->files;
    const char *path;
    int next_name = 0;
    if (!names->count && !command->files[0])
        return error_set_field(err, STATUS_INVALID, "files", "no picture files are given");
    enum status status = group_open(&group, command, err);
    while (!status && (path = next_path(&listed, names, &next_name))) {
        group_add(&group, path);
        if (group.count == PREDICTOR_MAX_BATCH)
            status = group_run(&group, err);
    }
    if (!status)
        status = group_run(&group, err);
    if (!status && group.failed)
        status =
            error_set(err, STATUS_INVALID, "%d of the files could not be classified", group.failed);
    group_close(&group);
    return status;
}

const struct command command_predict = {
    .name = "predict",
    .sentence = "Classifies pictures: the best classes of each file as one JSON line.",
    .names = "[FILE ...]",
    .required = {"model"},
    .table = &table,
    .options_bytes = sizeof(struct predict_command),
    .run = run,
};
