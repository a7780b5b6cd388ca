/*
 * evaluation.h - how well a model classifies a split of a data set, and what it takes for what.
 *
 * The numbers are one JSON object: as a file keeps it (evaluation_add_stored) and, with the names
 * of classes, as people and clients get it (evaluation_add_open). engine/session/scorer.h computes
 * them.
 *
 * Ownership: evaluation_release frees the lists.
 * Threads:   a value; constant tables.
 */
#ifndef ENGINE_SPEC_EVALUATION_H
#define ENGINE_SPEC_EVALUATION_H

#include "engine/base/sha256.h"
#include "engine/spec/fields.h"

enum {
    EVALUATION_BINS = 15,            /* of confidence, equally wide */
    EVALUATION_WORST = 64,           /* pictures that are listed */
    EVALUATION_CONFUSIONS = 100,     /* pairs of classes that are listed */
    EVALUATION_MATRIX_CLASSES = 1000 /* the whole matrix of confusion is kept up to so many */
};

/* One class. */
struct class_score {
    int64_t index, count; /* the class, and pictures of it */
    int64_t right;        /* of them, classified rightly */
    int64_t answered;     /* pictures that were taken for it, rightly or not */
    double top1;          /* right / count, its recall; NaN without pictures */
    double precision;     /* right / answered; NaN without answers */
};

/* Pictures of one class that were taken for another. */
struct confusion {
    int64_t index, predicted_index, count;
};

/* Pictures whose best class had a probability in ]from, from + 1 / EVALUATION_BINS]. */
struct confidence_bin {
    double from;
    int64_t count;
    double confidence, accuracy; /* means; NaN without pictures */
};

/* A picture with a high loss. */
struct worst_picture {
    int64_t offset;                 /* its place in the split */
    int64_t index, predicted_index; /* class, and what it was taken for */
    double score;                   /* probability of the latter */
    double loss;
};

struct evaluation {
    int64_t count;
    double loss, top1, top5, ece, brier;
    char precision[8];                     /* of the arithmetic */
    char dataset_sha256[SHA256_HEX_BYTES]; /* of the data set */
    int n_classes, n_confusions, n_worst;
    struct class_score *class_score; /* [n_classes] */
    struct confusion *confusion;     /* the largest first; all of them up to
                                        EVALUATION_MATRIX_CLASSES, else EVALUATION_CONFUSIONS */
    struct confidence_bin bin[EVALUATION_BINS];
    struct worst_picture worst[EVALUATION_WORST]; /* the worst first */
};

/* Rows of each part; evaluation_table has those that are no list. */
extern const struct field_table evaluation_table, class_score_table, confusion_table,
    confidence_bin_table, worst_picture_table;

void evaluation_release(struct evaluation *evaluation); /* Zeroed or filled. */

/* Appends the object that a file keeps; the same evaluation gives the same bytes. */
void evaluation_add_stored(const struct evaluation *evaluation, struct str *out);

/* What people and clients want to see. */
struct evaluation_view {
    char *const *class_names; /* [n_classes] */
    bool matrix;              /* also the whole matrix, if it is kept: a row a class, a column what
                                 it was taken for */
    void (*picture)(void *ctx, int rank, struct str *out); /* adds to a worst picture; or NULL */
    void *ctx;
};

/* Appends an object with the EVALUATION_CONFUSIONS largest confusions, still open for more
 * members. */
void evaluation_add_open(const struct evaluation *evaluation, const struct evaluation_view *view,
                         struct str *out);

#endif
