/* Evaluations as JSON: what is written reads back, and what is damaged is refused. */
#include "api/evaluation.h"

#include "engine/base/mem.h"
#include "tests/support/t.h"

/* Two classes, one confusion, one worst picture. */
static void make(struct evaluation *out) {
    *out = (struct evaluation){.count = 3,
                               .loss = 0.1,
                               .top1 = 2.0 / 3,
                               .top5 = 1,
                               .ece = 0.25,
                               .brier = 0.5,
                               .precision = "f32",
                               .dataset_sha256 = "ab",
                               .n_classes = 2,
                               .n_confusions = 1,
                               .n_worst = 1};
    out->class_score = xcalloc(2, sizeof *out->class_score);
    out->class_score[0] = (struct class_score){0, 2, 1, 1, 0.5, 1};
    out->class_score[1] = (struct class_score){1, 1, 1, 2, NAN, 0.5};
    out->confusion = xcalloc(1, sizeof *out->confusion);
    out->confusion[0] = (struct confusion){0, 1, 1};
    for (int i = 0; i < EVALUATION_BINS; i++)
        out->bin[i] = (struct confidence_bin){i / 15.0, i, NAN, NAN};
    out->worst[0] = (struct worst_picture){7, 0, 1, 0.75, 1.5};
}

static void test_reads_what_it_wrote(void) {
    struct evaluation made, found;
    struct str text = STR_INIT, again = STR_INIT;
    make(&made);
    evaluation_add_stored(&made, &text);
    T_INT(evaluation_decode(&found, str_text(&text), text.len, NULL), STATUS_OK);
    evaluation_add_stored(&found, &again);
    T_STR(str_text(&again), str_text(&text));
    T_CHECK(isnan(found.class_score[1].top1));
    T_INT(found.confusion[0].predicted_index, 1);
    T_INT(found.worst[0].offset, 7);
    str_release(&text);
    str_release(&again);
    evaluation_release(&made);
    evaluation_release(&found);
}

static void test_refuses_the_rest(void) {
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"classes\":3}",
        "{\"classes\":[],\"confusions\":[[0,1,1]],\"bins\":[],\"worst\":[]}",
        "{\"classes\":[3],\"confusions\":[],\"bins\":[],\"worst\":[]}",
        "{\"classes\":[],\"confusions\":[],\"bins\":[],\"worst\":[{\"index\":0}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct evaluation found;
        struct error err = {0};
        T_INT(evaluation_decode(&found, bad[i], strlen(bad[i]), &err), STATUS_CORRUPT);
        T_CONTAINS(err.message, "stored evaluation");
    }
}

int main(void) {
    T_RUN(test_reads_what_it_wrote);
    T_RUN(test_refuses_the_rest);
    return t_done();
}
