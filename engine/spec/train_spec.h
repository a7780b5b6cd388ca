/*
 * train_spec.h - everything that decides what a job produces, in one flat struct.
 *
 * The same fields stand in a job's JSON, on the command line and in a recipe. A trained student is
 * a pure function of the hashed fields, the data set, the teacher's weights and the kind of
 * processor. Defaults that depend on other fields are filled by train_spec_finish.
 *
 * Threads: a value type; copy it.
 */
#ifndef ENGINE_SPEC_TRAIN_SPEC_H
#define ENGINE_SPEC_TRAIN_SPEC_H

#include "engine/spec/fields.h"

/* Those before METHOD_LOSSES train; predict classifies a split of the data set with a model. */
enum method {
    METHOD_CE,
    METHOD_KD,
    METHOD_TTM,
    METHOD_WTTM,
    METHOD_LOSSES,
    METHOD_PREDICT = METHOD_LOSSES,
    METHOD_COUNT
};
enum optimizer { OPTIMIZER_SGD, OPTIMIZER_ADAMW, OPTIMIZER_COUNT };
enum schedule_kind { SCHEDULE_MULTISTEP, SCHEDULE_COSINE, SCHEDULE_CONSTANT };
enum precision { PRECISION_F32, PRECISION_BF16, PRECISION_TF32, PRECISION_COUNT };
enum device_kind { DEVICE_AUTO, DEVICE_CPU, DEVICE_REF, DEVICE_CUDA };
enum graph_use { GRAPH_ON, GRAPH_OFF }; /* off: op by op where steps could be captured */
enum split_kind { SPLIT_TEST, SPLIT_TRAIN };
enum augment_kind { AUGMENT_STANDARD, AUGMENT_NONE };
enum interpolation { INTERPOLATION_BILINEAR, INTERPOLATION_BICUBIC };

/* Their words, in the order of the enum; NULL ends them. */
extern const char *const method_names[];
extern const char *const loss_names[]; /* of the methods that train */
extern const char *const optimizer_names[];
extern const char *const precision_names[];
extern const char *const device_names[];
extern const char *const graph_names[];
extern const char *const split_names[];
extern const char *const interpolation_names[];

enum { SPEC_TEXT_BYTES = 512 };

struct train_spec {
    int method;                    /* enum method */
    char teacher[SPEC_TEXT_BYTES]; /* model id or alias; directory or .safetensors at the CLI */
    char student[SPEC_TEXT_BYTES]; /* architecture; of predict the model's */
    char dataset[SPEC_TEXT_BYTES]; /* registered name; a folder at the CLI */
    char init[SPEC_TEXT_BYTES];    /* starting weights: like teacher; "" for random */
    double temperature, gamma;     /* gamma = 1 / temperature; finish fills both */
    double beta, ce_weight;
    double label_smoothing;
    double drop_path; /* stochastic depth of the last residual branch */
    int64_t epochs, batch_size;
    int optimizer; /* enum optimizer */
    double learning_rate, weight_decay;
    double momentum; /* of sgd */
    bool nesterov;
    double beta1, beta2, epsilon; /* of adamw */
    double clip_norm;             /* of all gradients together; 0: no limit */
    bool decay_all;               /* weight decay also on batch norm and biases */
    int schedule;                 /* enum schedule_kind */
    struct int_list milestones;
    double rate_factor;                  /* at each milestone */
    double warmup_epochs, warmup_factor; /* of learning_rate, in the first step */
    double min_learning_rate;            /* where cosine ends */
    int64_t image_size, resize_size;     /* 0: see train_input.h */
    int interpolation;                   /* enum interpolation */
    int augment;                         /* enum augment_kind */
    int64_t crop_padding;
    bool flip;
    int64_t rand_augment; /* ops a picture */
    double rand_augment_magnitude, rand_augment_std;
    double erase; /* probability */
    bool shuffle;
    int64_t train_limit, test_limit; /* use only the first so many pictures; 0: all */
    int64_t seed, data_seed;         /* data_seed -1: as seed; finish fills it */
    int64_t threads;
    int precision; /* enum precision */
    /* from here on: not part of the hash */
    char model[SPEC_TEXT_BYTES];            /* of predict: model id or alias */
    int split;                              /* of predict: enum split_kind */
    int device;                             /* enum device_kind */
    int64_t report_every, checkpoint_every; /* steps; 0: a tenth of an epoch, every epoch */
    char name[SPEC_TEXT_BYTES];
    struct text_list tags;
    int64_t priority;
    int64_t keep_checkpoints;        /* weights of the last so many checkpoints that stay */
    struct text_list depends_on;     /* ids of jobs that must have succeeded before */
    int64_t max_runtime_s;           /* in all attempts together; 0: no limit */
    char deadline[FIELD_TEXT_BYTES]; /* RFC 3339 time by which it must have ended, or "" */
    /* command line only */
    char out[SPEC_TEXT_BYTES];
    bool resume;
    int graph; /* enum graph_use */
    char recipe[SPEC_TEXT_BYTES];
};

/* The table of all fields above, in the order in which they are printed. */
extern const struct field_table train_spec_table;

/* Checks the fields against each other and fills what follows from others: kd gets temperature 4,
 * ce_weight 0.1, beta 0.9; ttm and wttm need temperature or gamma (not both) and beta, and get
 * ce_weight 1; ce refuses teacher, temperature, gamma and beta; all but ce require a teacher;
 * student and dataset are required; predict requires model and dataset and has no loss; tf32
 * requires device=cuda; augment=none clears crop_padding,
 * flip, rand_augment and erase. Idempotent. */
MUST_CHECK enum status train_spec_finish(struct train_spec *spec, struct error *err);

/* INVALID for tf32 on any device but cuda: no other one rounds like that. */
MUST_CHECK enum status train_spec_check_precision(int precision, int device, struct error *err);

/* Appends the hashed fields of a finished spec as canonical JSON: sorted by table order, all
 * defaults filled in. The SHA-256 of this text identifies the run. */
void train_spec_add_canonical(const struct train_spec *spec, struct str *out);

/* Appends all fields of a finished spec that a job shows, as a JSON object. */
void train_spec_add_json(const struct train_spec *spec, struct str *out);

#endif
