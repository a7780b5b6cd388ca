#include "engine/data/incoming.h"

#include "engine/base/safetensors.h"
#include "engine/data/encoded.h"
#include "engine/data/formats.h"
#include "engine/data/gzip.h"

#include <string.h>

enum { TEXT_MAX_BYTES = 16 << 20, TAR_EXTRA_MAX_BYTES = 1 << 20 };

static const uint64_t ANYTHING = UINT64_MAX; /* to skip: whatever comes */

/* How a format is checked: in steps, each of which has got the bytes that it wanted. */
struct format {
    uint32_t first;     /* bytes that the first step wants */
    bool ends_anywhere; /* between two steps, but not before the first */
    enum status (*step)(struct incoming *incoming, const uint8_t *bytes, struct error *err);
};

struct incoming_kind {
    const char *name;
    const struct format *format;
    bool packed; /* by gzip */
};

/* Bytes that may be anything, and then those that the next step looks at: with 0 the end. */
static void expect(struct incoming *incoming, uint64_t skip, uint32_t want) {
    incoming->state.skip = skip;
    incoming->state.want = want;
}

/* ---- CIFAR ---- */

static enum status step_cifar(struct incoming *incoming, const struct cifar_layout *layout,
                              const uint8_t *bytes, struct error *err) {
    int32_t label;
    uint32_t label_bytes = (uint32_t)layout->label_bytes;
    int64_t row = (int64_t)(incoming->state.at / (label_bytes + CIFAR_PICTURE_BYTES));
    expect(incoming, CIFAR_PICTURE_BYTES, label_bytes);
    return cifar_read_label(layout, bytes, row, &label, err);
}

static enum status step_cifar10(struct incoming *incoming, const uint8_t *bytes,
                                struct error *err) {
    return step_cifar(incoming, &cifar10_layout, bytes, err);
}

static enum status step_cifar100(struct incoming *incoming, const uint8_t *bytes,
                                 struct error *err) {
    return step_cifar(incoming, &cifar100_layout, bytes, err);
}

/* ---- IDX ---- */

static enum status step_idx(struct incoming *incoming, int rank, const uint8_t *bytes,
                            struct error *err) {
    struct idx_header idx;
    enum status status = idx_read_header(&idx, bytes, IDX_HEADER_BYTES(rank), rank, err);
    expect(incoming, idx.data_bytes, 0);
    return status;
}

static enum status step_idx_images(struct incoming *incoming, const uint8_t *bytes,
                                   struct error *err) {
    return step_idx(incoming, IDX_IMAGES_RANK, bytes, err);
}

static enum status step_idx_labels(struct incoming *incoming, const uint8_t *bytes,
                                   struct error *err) {
    return step_idx(incoming, IDX_LABELS_RANK, bytes, err);
}

/* ---- safetensors: the length, the header, then one label after the other ---- */

static void expect_label(struct incoming *incoming, uint64_t skip) {
    struct incoming_state *state = &incoming->state;
    if (state->of.labels.left)
        expect(incoming, skip,
               (uint32_t)tensor_type_bytes((enum tensor_type)state->of.labels.type));
    else
        expect(incoming, skip + state->of.labels.behind, 0);
}

static enum status step_header(struct incoming *incoming, const uint8_t *bytes, struct error *err) {
    const char *text = (const char *)bytes;
    struct incoming_state *state = &incoming->state;
    struct safetensors file;
    const struct tensor *labels;
    uint64_t data_bytes;
    enum status status = safetensors_parse_header(&file, text, state->want, &data_bytes, err);
    if (!status)
        status = tensors_check(&file, &labels, err);
    if (!status) {
        uint64_t begin = (uint64_t)((uintptr_t)labels->data - (uintptr_t)text);
        state->of.labels.type = (int)labels->type;
        state->of.labels.count = labels->dim[0];
        state->of.labels.left = (uint64_t)labels->dim[0];
        state->of.labels.behind = data_bytes - begin - labels->bytes;
        expect_label(incoming, begin);
    }
    safetensors_close(&file);
    return status;
}

static enum status step_label(struct incoming *incoming, const uint8_t *bytes, struct error *err) {
    struct incoming_state *state = &incoming->state;
    const struct tensor labels = {.type = (enum tensor_type)state->of.labels.type};
    int64_t index = state->of.labels.count - (int64_t)state->of.labels.left;
    int32_t label;
    state->of.labels.left--;
    expect_label(incoming, 0);
    return tensors_read_label(&labels, bytes, index, &label, err);
}

static enum status step_tensors(struct incoming *incoming, const uint8_t *bytes,
                                struct error *err) {
    struct incoming_state *state = &incoming->state;
    size_t len;
    if (state->of.labels.count)
        return step_label(incoming, bytes, err);
    if (state->at > 0)
        return step_header(incoming, bytes, err);
    enum status status = safetensors_header_bytes(bytes, SIZE_MAX, &len, err);
    if (!status && len == 0)
        status = error_set(err, STATUS_CORRUPT, "the header is empty");
    if (!status)
        expect(incoming, 0, (uint32_t)len);
    return status;
}

/* ---- tar ---- */

static uint64_t padding_of(uint64_t size) {
    return (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
}

static enum status count_entry(struct incoming *incoming, struct error *err) {
    if (++incoming->state.of.tar.entries <= ENCODED_MAX_ITEMS)
        return STATUS_OK;
    return error_set(err, STATUS_TOO_LARGE, "the archive holds more than %d entries",
                     ENCODED_MAX_ITEMS);
}

static enum status step_tar_header(struct incoming *incoming, const uint8_t *bytes,
                                   struct error *err) {
    struct incoming_state *state = &incoming->state;
    enum tar_kind kind;
    uint64_t size;
    enum status status =
        tar_read_header(&state->of.tar.headers, bytes, state->at, &kind, &size, err);
    if (!status)
        status = count_entry(incoming, err);
    if (status)
        return status;
    if (kind == TAR_END) {
        expect(incoming, ANYTHING, 0);
    } else if (kind == TAR_NAME || kind == TAR_RECORDS) {
        if (size == 0 || size > TAR_EXTRA_MAX_BYTES)
            return error_set(err, STATUS_CORRUPT, "a name or record of %llu bytes is not in 1..%d",
                             (unsigned long long)size, TAR_EXTRA_MAX_BYTES);
        state->of.tar.kind = kind;
        expect(incoming, 0, (uint32_t)size);
    } else if (size > INT64_MAX) {
        return error_set(err, STATUS_CORRUPT, "the entry is too large");
    } else {
        expect(incoming, size + padding_of(size), TAR_BLOCK);
    }
    return STATUS_OK;
}

static enum status step_tar(struct incoming *incoming, const uint8_t *bytes, struct error *err) {
    struct incoming_state *state = &incoming->state;
    enum tar_kind kind = state->of.tar.kind;
    uint32_t size = state->want;
    if (kind != TAR_NAME && kind != TAR_RECORDS)
        return step_tar_header(incoming, bytes, err);
    state->of.tar.kind = TAR_PASS_OVER;
    expect(incoming, padding_of(size), TAR_BLOCK);
    return tar_read_extra(&state->of.tar.headers, kind, bytes, size, err);
}

/* ---- names, one a line ---- */

static enum status step_text(struct incoming *incoming, const uint8_t *bytes, struct error *err) {
    if (!bytes[0])
        return error_set(err, STATUS_CORRUPT, "not a text file");
    if (incoming->state.at >= TEXT_MAX_BYTES)
        return error_set(err, STATUS_TOO_LARGE, "more than %d bytes of names", TEXT_MAX_BYTES);
    return STATUS_OK;
}

/* ---- the table ---- */

static const struct format cifar10 = {1, true, step_cifar10}, cifar100 = {2, true, step_cifar100},
                           idx_images = {IDX_HEADER_BYTES(IDX_IMAGES_RANK), false, step_idx_images},
                           idx_labels = {IDX_HEADER_BYTES(IDX_LABELS_RANK), false, step_idx_labels},
                           tensors = {SAFETENSORS_LENGTH_BYTES, false, step_tensors},
                           tar = {TAR_BLOCK, false, step_tar}, text = {1, true, step_text};

#define IDX(name, format)                                                                          \
    {name, format, false}, {                                                                       \
        name ".gz", format, true                                                                   \
    }
#define TAR(name)                                                                                  \
    {name ".tar", &tar, false}, {name ".tar.gz", &tar, true}, {                                    \
        name ".tgz", &tar, true                                                                    \
    }

static const struct incoming_kind kinds[] = {
    {"data_batch_1.bin", &cifar10, false},
    {"data_batch_2.bin", &cifar10, false},
    {"data_batch_3.bin", &cifar10, false},
    {"data_batch_4.bin", &cifar10, false},
    {"data_batch_5.bin", &cifar10, false},
    {"test_batch.bin", &cifar10, false},
    {"batches.meta.txt", &text, false},
    {"train.bin", &cifar100, false},
    {"test.bin", &cifar100, false},
    {"fine_label_names.txt", &text, false},
    IDX("train-images-idx3-ubyte", &idx_images),
    IDX("train-labels-idx1-ubyte", &idx_labels),
    IDX("t10k-images-idx3-ubyte", &idx_images),
    IDX("t10k-labels-idx1-ubyte", &idx_labels),
    IDX("train-images.idx3-ubyte", &idx_images),
    IDX("train-labels.idx1-ubyte", &idx_labels),
    IDX("t10k-images.idx3-ubyte", &idx_images),
    IDX("t10k-labels.idx1-ubyte", &idx_labels),
    {"train.safetensors", &tensors, false},
    {"test.safetensors", &tensors, false},
    TAR("train"),
    TAR("test"),
    TAR("val"),
    TAR("dataset"), /* the whole folder */
    {"classes.txt", &text, false},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

const struct incoming_kind *incoming_find(const char *name) {
    for (int i = 0; i < KINDS; i++)
        if (str_equal(name, kinds[i].name))
            return &kinds[i];
    return NULL;
}

/* ---- the bytes ---- */

enum status incoming_begin(struct incoming *incoming, const struct incoming_kind *kind,
                           const struct incoming_state *state, struct error *err) {
    *incoming = (struct incoming){.kind = kind, .text = {.max = SAFETENSORS_MAX_HEADER_BYTES}};
    incoming->state.want = kind->format->first;
    if (kind->format == &tar) {
        incoming->state.of.tar.kind = TAR_PASS_OVER;
        tar_headers_init(&incoming->state.of.tar.headers);
    }
    if (state)
        incoming->state = *state;
    return kind->packed ? gunzip_create(&incoming->gunzip, err) : STATUS_OK;
}

void incoming_release(struct incoming *incoming) {
    str_release(&incoming->text);
    gunzip_free(incoming->gunzip);
    *incoming = (struct incoming){0};
}

bool incoming_can_pause(const struct incoming *incoming) {
    return !incoming->gunzip && !incoming->text.len;
}

/* Puts bytes beside those that the next step waits for; true with all of them once they are there.
 */
static bool gather(struct incoming *incoming, const uint8_t *bytes, size_t len,
                   const uint8_t **all) {
    struct incoming_state *state = &incoming->state;
    bool is_long = state->want > sizeof state->block;
    *all = bytes;
    if (len == state->want) /* at once */
        return true;
    if (is_long)
        str_add_bytes(&incoming->text, bytes, len);
    else
        memcpy(state->block + state->have, bytes, len);
    state->have += (uint32_t)len;
    *all = is_long ? (const uint8_t *)str_text(&incoming->text) : state->block;
    return state->have == state->want;
}

static enum status run_step(struct incoming *incoming, const uint8_t *bytes, struct error *err) {
    struct incoming_state *state = &incoming->state;
    uint64_t place = state->at;
    uint32_t wanted = state->want;
    enum status status = incoming->kind->format->step(incoming, bytes, err);
    state->at += wanted;
    state->have = 0;
    str_release(&incoming->text);
    incoming->text.max = SAFETENSORS_MAX_HEADER_BYTES;
    return error_wrap(err, status, "byte %llu", (unsigned long long)place);
}

/* Takes the content that comes next. */
static enum status take(void *ctx, const uint8_t *bytes, size_t len, struct error *err) {
    struct incoming *incoming = ctx;
    struct incoming_state *state = &incoming->state;
    enum status status = STATUS_OK;
    while (len && !status) {
        uint64_t most = state->skip ? state->skip : state->want - state->have;
        size_t n = len < most ? len : (size_t)most;
        if (n == 0)
            return error_set(err, STATUS_CORRUPT,
                             "byte %llu: there is more than the header promises",
                             (unsigned long long)state->at);
        if (state->skip) {
            state->at += n;
            state->skip -= state->skip == ANYTHING ? 0 : n;
        } else {
            const uint8_t *all;
            if (gather(incoming, bytes, n, &all))
                status = run_step(incoming, all, err);
        }
        bytes += n;
        len -= n;
    }
    return status;
}

enum status incoming_add(struct incoming *incoming, const void *bytes, size_t len,
                         struct error *err) {
    incoming->state.file_bytes += len;
    if (incoming->gunzip)
        return gunzip_add(incoming->gunzip, bytes, len, take, incoming, err);
    return take(incoming, bytes, len, err);
}

enum status incoming_end(const struct incoming *incoming, struct error *err) {
    const struct incoming_state *state = &incoming->state;
    enum status status = incoming->gunzip ? gunzip_end(incoming->gunzip, err) : STATUS_OK;
    if (status)
        return status;
    bool between = !state->skip && !state->have;
    if (state->skip == ANYTHING || (between && !state->want) ||
        (between && state->at && incoming->kind->format->ends_anywhere))
        return STATUS_OK;
    return error_set(err, STATUS_CORRUPT, "byte %llu: the file is cut off",
                     (unsigned long long)(state->at + state->have));
}
