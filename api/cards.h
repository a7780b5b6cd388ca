/*
 * cards.h - what the API says about a model and a data set, and what requests beside POST /jobs
 * carry.
 *
 * Each struct has a field table; openapi.yaml is checked against it. A card is kept as JSON beside
 * the files it describes (a model's weights need no Redis), so it can be read back.
 *
 * Ownership: class_names of a card and the pictures of a request are heap memory; release them.
 * Errors:    CORRUPT for a stored card that cannot be read; for requests as in codec.h.
 * Threads:   values; constant tables.
 */
#ifndef API_CARDS_H
#define API_CARDS_H

#include "api/errors.h"
#include "api/ids.h"
#include "api/limits.h"
#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/spec/train_spec.h"

enum {
    CARD_TEXT_BYTES = 128,
    CARD_SHA256_BYTES = 65,
    CARD_ENGINE_BYTES = 320,
    CARD_MAX_CLASSES = 65536,
    CARD_MAX_CHANNELS = 4
};

struct class_names {
    int count;
    char **item;
};

void class_names_release(struct class_names *names);               /* Zeroed or filled. */
void class_names_add(struct class_names *names, const char *name); /* Copies the name. */

/* A model, as GET /models/{id} answers. */
struct model_card {
    char id[ID_BYTES];
    char name[CARD_TEXT_BYTES];         /* of the job, or "" */
    char job[ID_BYTES];                 /* that trained it */
    char created[CLOCK_TEXT_BYTES];     /* RFC 3339 */
    char architecture[CARD_TEXT_BYTES]; /* "resnet8x4" */
    char dataset[CARD_TEXT_BYTES];
    char method[16];               /* "ce", "kd", ... */
    char teacher[CARD_TEXT_BYTES]; /* model id, or "" */
    char precision[16];
    int64_t height, width, channels, classes;
    int64_t parameters;
    int64_t weights_bytes;
    char weights_sha256[CARD_SHA256_BYTES];
    int64_t epoch;
    double loss, top1, top5; /* of the last epoch, on the test split */
    int64_t best_epoch;
    double best_top1;
    bool reproducible;
    char engine[CARD_ENGINE_BYTES]; /* that trained it: version, backend, processor; or "" */
    char dataset_sha256[CARD_SHA256_BYTES]; /* of the pictures it was trained on, or "" */
    struct class_names class_names;
    struct train_spec *spec; /* with all defaults, heap memory; NULL if no job trained it */
};
extern const struct field_table model_card_table; /* all but class_names and spec */

void model_card_release(struct model_card *card);                         /* Zeroed or filled. */
void model_card_add_json(const struct model_card *card, struct str *out); /* Appends an object. */

/* Reads what model_card_add_json wrote. */
MUST_CHECK enum status model_card_decode(struct model_card *card, const char *text, size_t len,
                                         struct error *err);

/* A registered data set, as GET /datasets/{name} answers. */
struct dataset_card {
    char name[CARD_TEXT_BYTES];
    char format[16];                /* what it was imported from: "cifar100", "images", ... */
    char created[CLOCK_TEXT_BYTES]; /* RFC 3339 */
    int64_t height, width;          /* 0: sizes differ */
    int64_t channels, classes;
    int64_t train_count, test_count;
    char sha256[CARD_SHA256_BYTES]; /* of shape, pictures and labels */
    double mean[CARD_MAX_CHANNELS], deviation[CARD_MAX_CHANNELS]; /* [channels] */
    struct class_names class_names;
};
extern const struct field_table dataset_card_table; /* all but mean, deviation, class_names */

void dataset_card_release(struct dataset_card *card); /* Zeroed or filled. */
void dataset_card_add_json(const struct dataset_card *card, struct str *out); /* An object. */

/* Reads what dataset_card_add_json wrote. */
MUST_CHECK enum status dataset_card_decode(struct dataset_card *card, const char *text, size_t len,
                                           struct error *err);

/* POST /datasets: both fields are required. */
struct dataset_request {
    char name[FIELD_TEXT_BYTES]; /* lower-case letters, digits, _ . -, not first a dot or dash */
    char path[1024];             /* absolute, on the server */
};
extern const struct field_table dataset_request_table;

/* The body of POST /datasets. */
MUST_CHECK enum status dataset_request_decode(struct dataset_request *request, const char *text,
                                              size_t len, struct field_errors *errors,
                                              struct error *err);

/* The text may name a data set: it is a file name without tricks. */
bool dataset_name_is_valid(const char *name);
void dataset_name_refuse(const char *name, struct field_errors *errors); /* Says why it may not. */

/* What POST /predict answers of a picture beside its best classes. */
enum predict_output { PREDICT_PROBABILITIES, PREDICT_LOGITS };

/* POST /predict with JSON; the pictures are decoded from base64. */
struct predict_request {
    char model[CARD_TEXT_BYTES]; /* model id or alias; required */
    int64_t top_k;
    int output; /* enum predict_output */
    int image_count;
    struct predict_image {
        uint8_t *bytes; /* a JPEG or PNG file */
        size_t len;
    } images[LIMIT_PICTURES];
};
extern const struct field_table predict_request_table; /* all but images: also the query */

void predict_request_release(struct predict_request *request); /* Zeroed or decoded. */

/* The JSON body of POST /predict. */
MUST_CHECK enum status predict_request_decode(struct predict_request *request, const char *text,
                                              size_t len, struct field_errors *errors,
                                              struct error *err);

/* What a job would cost: the answer to ?dry_run=true beside the spec. */
struct job_estimate {
    int64_t student_parameters, teacher_parameters;
    double flops_per_step;
    int64_t steps, memory_bytes;
    double seconds; /* NaN: not known */
};
extern const struct field_table job_estimate_table;

#endif
