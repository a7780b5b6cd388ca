/* The size of a run's pictures, from its spec and its data set. */
#include "engine/spec/train_input.h"

#include "tests/support/t.h"

static void test_sizes(void) {
    static const struct {
        int image_size, resize_size, height, width; /* spec and data set */
        struct train_input expected;
    } cases[] = {
        {0, 0, 32, 32, {32, 32, 0}},       {0, 0, 5, 9, {5, 9, 0}},
        {32, 0, 32, 32, {32, 32, 0}},      {224, 0, 32, 32, {224, 224, 256}},
        {32, 0, 32, 48, {32, 32, 37}},     {0, 0, 0, 0, {224, 224, 256}},
        {64, 0, 0, 0, {64, 64, 73}},       {16, 0, 0, 0, {16, 16, 18}},
        {299, 342, 0, 0, {299, 299, 342}}, {224, 224, 0, 0, {224, 224, 224}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct train_spec spec = {.image_size = cases[i].image_size,
                                  .resize_size = cases[i].resize_size};
        struct train_input input;
        T_INT(train_input_of(&input, &spec, cases[i].height, cases[i].width, NULL), STATUS_OK);
        T_INT(input.height, cases[i].expected.height);
        T_INT(input.width, cases[i].expected.width);
        T_INT(input.shorter, cases[i].expected.shorter);
    }
}

static void check_refused(struct train_spec spec, int side, const char *reason) {
    struct train_input input;
    struct error err = {0};
    T_INT(train_input_of(&input, &spec, side, side, &err), STATUS_INVALID);
    T_STR(err.field, "resize_size");
    T_CONTAINS(err.message, reason);
}

static void test_refused(void) {
    check_refused((struct train_spec){.resize_size = 40}, 32, "taken as they are, 32x32");
    check_refused((struct train_spec){.resize_size = 223}, 0, "at least image_size, 224, not 223");
}

static void test_channels(void) {
    static const struct {
        struct train_spec spec;
        int channels;
        const char *field; /* of the refusal */
    } cases[] = {
        {{.rand_augment = 2}, 3, NULL}, {{.rand_augment = 2, .erase = 0.25}, 1, NULL},
        {{.erase = 0}, 4, NULL},        {{.rand_augment = 1}, 4, "rand_augment"},
        {{.erase = 0.25}, 2, "erase"},  {{.image_size = 32}, 2, "image_size"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        enum status status = train_input_check_channels(&cases[i].spec, cases[i].channels, &err);
        T_INT(status, cases[i].field ? STATUS_INVALID : STATUS_OK);
        if (cases[i].field)
            T_STR(err.field, cases[i].field);
    }
}

int main(void) {
    T_RUN(test_sizes);
    T_RUN(test_refused);
    T_RUN(test_channels);
    return t_done();
}
