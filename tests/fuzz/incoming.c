/*
 * incoming_add: any bytes as a file of a data set, in one piece and in pieces with a pause between:
 * both ways agree.
 *
 * The first byte says which file it is, the second how long the pieces are.
 */
#include "tests/fuzz/fuzz.h"

#include "engine/data/incoming.h"

enum { HEAD_BYTES = 2, NAMES = 10 };

static const char *const names[NAMES] = {
    "train.bin",      "data_batch_1.bin",           "classes.txt",       "train-images-idx3-ubyte",
    "train.tar",      "train-labels-idx1-ubyte.gz", "train.safetensors", "t10k-labels.idx1-ubyte",
    "dataset.tar.gz", "train-images-idx3-ubyte.gz",
};

/* The check goes on in another struct, as after a restart. */
static enum status pause(struct incoming *incoming) {
    struct incoming_state state = incoming->state;
    const struct incoming_kind *kind = incoming->kind;
    if (!incoming_can_pause(incoming))
        return STATUS_OK;
    incoming_release(incoming);
    return incoming_begin(incoming, kind, &state, NULL);
}

static enum status check(const char *name, const uint8_t *bytes, size_t len, size_t piece,
                         struct error *err) {
    struct incoming incoming;
    enum status status = incoming_begin(&incoming, incoming_find(name), NULL, err);
    for (size_t at = 0; at < len && !status; at += piece) {
        size_t n = len - at < piece ? len - at : piece;
        status = incoming_add(&incoming, bytes + at, n, err);
        if (!status)
            status = pause(&incoming);
    }
    if (!status)
        status = incoming_end(&incoming, err);
    incoming_release(&incoming);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    struct error whole = {0}, pieces = {0};
    if (len < HEAD_BYTES)
        return 0;
    const char *name = names[bytes[0] % NAMES];
    size_t piece = 1 + (size_t)bytes[1];
    enum status status = check(name, bytes + HEAD_BYTES, len - HEAD_BYTES, len, &whole);
    CHECK(check(name, bytes + HEAD_BYTES, len - HEAD_BYTES, piece, &pieces) == status);
    CHECK(!status || (whole.message[0] && pieces.message[0]));
    return 0;
}
