/* Files that arrive are checked by the byte, in pieces of any size, and refused where they go
 * wrong. */
#include "engine/data/incoming.h"

#include "tests/unit/data/fixture.h"

enum { ROW = 2 + 3072, REST = 100000 };

static const char *root;

static enum status feed(const char *name, const struct str *bytes, size_t step, size_t *fed,
                        struct error *err) {
    struct incoming incoming;
    const struct incoming_kind *kind = incoming_find(name);
    CHECK(kind);
    enum status status = incoming_begin(&incoming, kind, NULL, err);
    *fed = 0;
    while (!status && *fed < bytes->len) {
        size_t n = bytes->len - *fed < step ? bytes->len - *fed : step;
        status = incoming_add(&incoming, bytes->data + *fed, n, err);
        *fed += n;
        struct incoming_state state = incoming.state;
        if (!status && incoming_can_pause(&incoming)) {
            incoming_release(&incoming);
            status = incoming_begin(&incoming, kind, &state, err);
        }
    }
    if (!status)
        T_INT(incoming.state.file_bytes, bytes->len);
    if (!status)
        status = incoming_end(&incoming, err);
    incoming_release(&incoming);
    return status;
}

static const size_t steps[] = {1, 7, 511, 4096, 1 << 20};
enum { STEPS = sizeof steps / sizeof steps[0] };

static void check_right(const char *name, struct str *bytes) {
    for (int i = 0; i < STEPS; i++) {
        struct error err = {0};
        size_t fed;
        if (feed(name, bytes, steps[i], &fed, &err))
            T_FAIL("%s: %s", name, err.message);
    }
    str_release(bytes);
}

/* Refused with these words, after at most so many bytes however much would follow. */
static void check_wrong(const char *name, struct str *bytes, size_t most, const char *words) {
    static const char rest[REST];
    str_add_bytes(bytes, rest, most ? sizeof rest : 0);
    for (int i = 0; i < STEPS; i++) {
        struct error err = {0};
        size_t fed;
        enum status status = feed(name, bytes, steps[i], &fed, &err);
        T_CHECK(status == STATUS_CORRUPT || status == STATUS_TOO_LARGE);
        T_CONTAINS(err.message, words);
        if (most)
            T_CHECK(fed < most + steps[i]);
    }
    str_release(bytes);
}

static void test_names(void) {
    static const char *const unknown[] = {"",      "x",         "../train.bin", "train.bin.part",
                                          "train", "Train.bin", "dataset.json", "card.json"};
    static const char *const known[] = {"data_batch_5.bin",
                                        "test_batch.bin",
                                        "train.bin",
                                        "t10k-labels-idx1-ubyte",
                                        "classes.txt",
                                        "train.safetensors",
                                        "val.tar",
                                        "dataset.tgz",
                                        "test.tar.gz",
                                        "batches.meta.txt",
                                        "fine_label_names.txt",
                                        "train-images.idx3-ubyte.gz"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        T_CHECK(!incoming_find(unknown[i]));
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        T_CHECK(incoming_find(known[i]) != NULL);
}

static struct str rows(int coarse, int fine) {
    static const char picture[ROW - 2];
    struct str bytes = STR_INIT;
    const char label[2] = {(char)coarse, (char)fine};
    for (int i = 0; i < 3; i++) {
        str_add_bytes(&bytes, i < 2 ? "\1\1" : label, 2);
        str_add_bytes(&bytes, picture, sizeof picture);
    }
    return bytes;
}

static void test_cifar(void) {
    struct str bytes = rows(99, 99);
    check_right("train.bin", &bytes);
    bytes = rows(1, 100);
    check_wrong("test.bin", &bytes, 2 * ROW + 2, "byte 6148: label 100 of row 2 is not in 0..99");
    bytes = rows(1, 1);
    bytes.len--;
    check_wrong("train.bin", &bytes, 0, "byte 9221: the file is cut off");
    bytes = (struct str){0};
    check_wrong("data_batch_5.bin", &bytes, 0, "cut off");
    str_add(&bytes, "\12");
    check_wrong("data_batch_1.bin", &bytes, 1, "label 10 of row 0 is not in 0..9");
}

static struct str idx(int rank, uint8_t count, size_t data) {
    struct str bytes = STR_INIT;
    const char header[] = {0, 0, 8, (char)rank, 0, 0, 0, (char)count, 0, 0, 0, 3, 0, 0, 0, 2};
    str_add_bytes(&bytes, header, 4 + 4 * (size_t)rank);
    for (size_t i = 0; i < data; i++)
        str_add_bytes(&bytes, "\7", 1);
    return bytes;
}

static void test_idx(void) {
    struct str bytes = idx(3, 4, 24);
    check_right("train-images-idx3-ubyte", &bytes);
    bytes = idx(1, 4, 4);
    check_right("t10k-labels.idx1-ubyte", &bytes);
    bytes = idx(1, 4, 4);
    check_wrong("train-images-idx3-ubyte", &bytes, 16, "byte 0: wrong magic number");
    bytes = idx(3, 0, 0);
    check_wrong("train-images-idx3-ubyte", &bytes, 16, "count 0 is not in 1..");
    bytes = idx(3, 4, 24);
    check_wrong("train-images-idx3-ubyte", &bytes, 41, "byte 40: there is more than the header");
    bytes = idx(3, 4, 23);
    check_wrong("train-images-idx3-ubyte", &bytes, 0, "cut off");
}

static struct str tensors(const char *labels, int64_t label) {
    struct str header = STR_INIT, bytes = STR_INIT;
    str_addf(&header,
             "{\"images\":{\"dtype\":\"U8\",\"shape\":[2,1,2,1],\"data_offsets\":[0,4]},"
             "\"labels\":{\"dtype\":\"%s\",\"shape\":[2],\"data_offsets\":[4,20]}}%*s",
             labels, 600, ""); /* longer than a block */
    uint64_t len = header.len;
    const int64_t values[] = {1, label};
    str_add_bytes(&bytes, &len, sizeof len);
    str_add_bytes(&bytes, header.data, header.len);
    str_add_bytes(&bytes, "1234", 4);
    str_add_bytes(&bytes, values, sizeof values);
    str_release(&header);
    return bytes;
}

static void test_tensors(void) {
    struct str bytes = tensors("I64", 2);
    check_right("train.safetensors", &bytes);
    bytes = tensors("I64", -1);
    size_t len = bytes.len;
    check_wrong("train.safetensors", &bytes, len, "label -1 of picture 1 is not in 0..");
    bytes = tensors("F64", 2);
    check_wrong("test.safetensors", &bytes, len - 20, "\"labels\" is F64, expected I64 or I32");
    bytes = tensors("U64", 2);
    bytes.data[8] = ' ';
    check_wrong("test.safetensors", &bytes, len - 20, "does not begin with '{'");
    bytes = (struct str){0};
    str_add(&bytes, "PK\3\4\1\1\1\1");
    check_wrong("test.safetensors", &bytes, 8, "a checkpoint of PyTorch");
    str_add(&bytes, "\1\1\1\1\1\1\1\1");
    check_wrong("test.safetensors", &bytes, 8, "at most");
    bytes = tensors("I64", 2);
    bytes.len--;
    check_wrong("test.safetensors", &bytes, 0, "cut off");
}

/* What the system's tar makes of root/in, with these arguments; perhaps through a filter. */
static struct str pack(const char *arguments, const char *filter) {
    struct str bytes = STR_INIT;
    char path[FILE_PATH_BYTES], *data;
    size_t len;
    shell("rm -rf %s/in && mkdir -p %s/in/b && cd %s/in && printf one > b/1.jpg && "
          "printf %%600s '' > b/2.jpg && ln -s 1.jpg b/3.jpg && "
          "printf long > b/$(printf %%0180d 4) && tar -cf - --sort=name %s %s > ../packed",
          root, root, root, arguments, filter);
    CHECK(file_join(path, root, "packed", NULL) == STATUS_OK);
    CHECK(file_read(path, 1 << 20, &data, &len, NULL) == STATUS_OK);
    str_add_bytes(&bytes, data, len);
    free(data);
    return bytes;
}

#define WITHOUT_LINK "--exclude=3.jpg b"

static void test_tar(void) {
    static const char *const formats[] = {"--format=gnu " WITHOUT_LINK,
                                          "--format=pax " WITHOUT_LINK};
    for (int i = 0; i < 2; i++) {
        struct str bytes = pack(formats[i], "");
        check_right("train.tar", &bytes);
        bytes = pack(formats[i], "");
        bytes.len -= bytes.len - 2100;
        check_wrong("dataset.tar", &bytes, 0, "cut off");
    }
    struct str bytes = pack("b/3.jpg", "");
    check_wrong("val.tar", &bytes, 512, "b/3.jpg is a link; pack with --dereference");
    bytes = pack("-P --transform='s,^,../,' b/1.jpg", "");
    check_wrong("val.tar", &bytes, 512, "leads out of its folder");
    bytes = pack("-P --transform='s,^,/,' b/1.jpg", "");
    check_wrong("val.tar", &bytes, 512, "is absolute");
    bytes = pack(WITHOUT_LINK, "");
    bytes.data[0]++;
    check_wrong("test.tar", &bytes, 512, "not a tar file, or damaged");
}

static void test_gzip(void) {
    if (!has_gzip()) {
        struct incoming incoming;
        T_INT(incoming_begin(&incoming, incoming_find("train.tgz"), NULL, NULL),
              STATUS_UNSUPPORTED);
        incoming_release(&incoming);
        return;
    }
    struct str bytes = pack(WITHOUT_LINK, "| gzip -c");
    check_right("dataset.tar.gz", &bytes);
    bytes = pack(WITHOUT_LINK, "| gzip -c");
    bytes.len -= 9;
    check_wrong("train.tgz", &bytes, 0, "truncated");
    bytes = pack(WITHOUT_LINK, "| gzip -c");
    size_t len = bytes.len;
    check_wrong("train.tgz", &bytes, len + 1, "bytes after the end");
    bytes = pack(WITHOUT_LINK, "");
    check_wrong("train.tar.gz", &bytes, 16, "not a sound gzip file");
    bytes = pack("b/3.jpg", "| gzip -c");
    len = bytes.len;
    check_wrong("train.tar.gz", &bytes, len, "is a link");
}

/* A gigabyte and sixteen times the file are allowed, not more. */
static void test_bomb(void) {
    struct error err = {0};
    struct str bytes = STR_INIT;
    char path[FILE_PATH_BYTES], *data;
    size_t len, fed;
    if (!has_gzip())
        return;
    shell("cd %s && head -c 1400000000 /dev/zero | gzip -1 > packed", root);
    CHECK(file_join(path, root, "packed", NULL) == STATUS_OK);
    CHECK(file_read(path, 64 << 20, &data, &len, NULL) == STATUS_OK);
    str_add_bytes(&bytes, data, len);
    free(data);
    T_INT(feed("train.tar.gz", &bytes, 4096, &fed, &err), STATUS_TOO_LARGE);
    T_CONTAINS(err.message, "unpack to more than");
    T_CHECK(fed < len);
    str_release(&bytes);
}

static void test_text(void) {
    struct str bytes = STR_INIT;
    str_add(&bytes, "cat\ndog");
    check_right("classes.txt", &bytes);
    str_add_bytes(&bytes, "cat\0", 4);
    check_wrong("classes.txt", &bytes, 4, "byte 3: not a text file");
}

int main(void) {
    root = t_temp_dir();
    T_RUN(test_names);
    T_RUN(test_cifar);
    T_RUN(test_idx);
    T_RUN(test_tensors);
    T_RUN(test_tar);
    T_RUN(test_gzip);
    T_RUN(test_bomb);
    T_RUN(test_text);
    CHECK(file_remove_all(root, NULL) == STATUS_OK);
    return t_done();
}
