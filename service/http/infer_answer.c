#include "service/http/infer_answer.h"

#include "engine/base/mem.h"
#include "engine/session/predictor.h"

#include <stdlib.h>
#include <string.h>

/* One output on its way: numbers or texts of one row after the other, to JSON or bytes. */
struct writing {
    const struct inference_answer *answer;
    const struct inference_output *output;
    struct str *out;
    struct prediction *best; /* [best] */
    float *row;              /* [classes] */
};

static void separate(struct writing *writing) {
    if (!writing->output->is_binary)
        str_json_item(writing->out);
}

/* Little-endian on every machine. */
static void add_u32(struct str *out, uint32_t number) {
    uint8_t bytes[] = {(uint8_t)number, (uint8_t)(number >> 8), (uint8_t)(number >> 16),
                       (uint8_t)(number >> 24)};
    str_add_bytes(out, bytes, sizeof bytes);
}

static void add_number(struct writing *writing, float number) {
    uint32_t bits;
    separate(writing);
    if (!writing->output->is_binary) {
        str_add_float(writing->out, number);
        return;
    }
    memcpy(&bits, &number, sizeof bits);
    add_u32(writing->out, bits);
}

static void add_text(struct writing *writing, const struct str *text) {
    separate(writing);
    if (!writing->output->is_binary) {
        str_add_json(writing->out, str_text(text));
        return;
    }
    add_u32(writing->out, (uint32_t)text->len);
    str_add_bytes(writing->out, str_text(text), text->len);
}

/* ---- rows ---- */

static int64_t best_count(const struct inference_output *output, const struct model_info *info) {
    return output->best < info->classes ? output->best : info->classes;
}

/* "score:index:label", best first. */
static void add_best(struct writing *writing, const float *logits) {
    const struct model_info *info = writing->answer->info;
    int count = (int)best_count(writing->output, info);
    bool raw = writing->output->kind == INFERENCE_LOGITS;
    struct str text = STR_INIT;
    prediction_top(logits, info->classes, count, writing->best);
    for (int i = 0; i < count; i++) {
        int index = writing->best[i].index;
        str_clear(&text);
        str_add_float(&text, raw ? logits[index] : writing->best[i].score);
        str_addf(&text, ":%d:", index);
        str_add(&text, info->class_names[index]);
        add_text(writing, &text);
    }
    str_release(&text);
}

static void add_all(struct writing *writing, const float *logits) {
    int classes = writing->answer->info->classes;
    const float *row = logits;
    if (writing->output->kind == INFERENCE_PROBABILITIES) {
        prediction_softmax(logits, classes, writing->row);
        row = writing->row;
    }
    for (int i = 0; i < classes; i++)
        add_number(writing, row[i]);
}

static void add_rows(const struct inference_answer *answer, const struct inference_output *output,
                     struct str *out) {
    size_t classes = (size_t)answer->info->classes;
    struct writing writing = {.answer = answer, .output = output, .out = out};
    writing.best = xcalloc(classes, sizeof *writing.best);
    writing.row = xcalloc(classes, sizeof *writing.row);
    for (int i = 0; i < answer->count && !out->clipped; i++) {
        const float *logits = answer->logits + (size_t)i * classes;
        if (output->best)
            add_best(&writing, logits);
        else
            add_all(&writing, logits);
    }
    free(writing.best);
    free(writing.row);
}

/* ---- outputs ---- */

static void add_output(const struct inference_answer *answer, const struct inference_output *output,
                       struct str *json, struct str *binary) {
    int64_t width = output->best ? best_count(output, answer->info) : answer->info->classes;
    str_addf(json, "{\"name\":\"%s\",\"datatype\":\"%s\",\"shape\":[%d,%lld],",
             inference_output_name(output->kind), output->best ? "BYTES" : "FP32", answer->count,
             (long long)width);
    if (output->is_binary) {
        size_t before = binary->len;
        add_rows(answer, output, binary);
        str_addf(json, "\"parameters\":{\"binary_data_size\":%zu}}", binary->len - before);
        return;
    }
    str_add(json, "\"data\":[");
    add_rows(answer, output, json);
    str_add(json, "]}");
}

enum status inference_answer_add(const struct inference_request *asked,
                                 const struct inference_answer *answer, struct str *out,
                                 size_t *json_len, struct error *err) {
    struct str binary = STR_INIT;
    str_add(out, "{\"model_name\":");
    str_add_json(out, answer->model_id);
    if (asked->id)
        str_add_json(str_json_key(out, "id"), asked->id);
    str_add(out, ",\"outputs\":[");
    for (int i = 0; i < asked->output_count; i++)
        add_output(answer, &asked->output[i], str_json_item(out), &binary);
    str_add(out, "]}");
    *json_len = out->len;
    if (binary.len)
        str_add_bytes(out, binary.data, binary.len);
    bool clipped = out->clipped || binary.clipped;
    str_release(&binary);
    if (clipped)
        return error_set(err, STATUS_TOO_LARGE, "the answer is too long, ask for fewer pictures");
    return STATUS_OK;
}
