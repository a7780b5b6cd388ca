/*
 * known_values.c - ops against numbers from outside: worked out by hand or with PyTorch, and the
 * losses of "Knowledge Distillation Based on Transformed Teacher Matching" in float64. Runs on
 * every backend that opens, ref included.
 */
#include "tests/ops/rig.h"
#include "tests/support/t.h"

#include "engine/base/rng.h"

enum { INPUTS = 5, OUTPUTS = 3, NUMBERS = 16 };

/* Numbers of one operand of the op; n 0: left as the problem drew it, or not checked. */
struct numbers {
    int n;
    double at[NUMBERS];
};

static const struct known {
    const char *line;
    enum opcode code;
    struct numbers in[INPUTS], out[OUTPUTS], before[OUTPUTS]; /* before: outputs, on entry */
} known[] = {
    {"conv n1 c1 h3 k1 r3 p1", /* not flipped: cross-correlation */
     OP_CONV, .in = {{9, {1, 2, 3, 4, 5, 6, 7, 8, 9}}, {9, {1, 2, 3, 4, 5, 6, 7, 8, 9}}},
     .out = {{9, {94, 154, 106, 186, 285, 186, 106, 154, 94}}}},
    {"conv n1 c1 h3 k1 r3 p1", /* an asymmetric kernel shows the direction */
     OP_CONV, .in = {{9, {1, 2, 3, 4, 5, 6, 7, 8, 9}}, {9, {0, 0, 0, 0, 0, 1, 0, 0, 0}}},
     .out = {{9, {2, 3, 0, 5, 6, 0, 8, 9, 0}}}},
    {"conv n1 c1 h3 k1 r1 s2", OP_CONV, .in = {{9, {1, 2, 3, 4, 5, 6, 7, 8, 9}}, {1, {10}}},
     .out = {{4, {10, 30, 70, 90}}}},
    {"conv n1 c4 h1 k2 r1 groups2", /* weights [k][c of the group] */
     OP_CONV, .in = {{4, {1, 2, 3, 4}}, {4, {10, 100, 1000, 10000}}}, .out = {{2, {210, 43000}}}},
    {"conv n1 c1 h1 w2 k2 r1 bias residual relu", OP_CONV,
     .in = {{2, {1, 2}}, {2, {1, -1}}, {2, {0.5, 0.25}}, {4, {1, 1, -4, 3}}},
     .out = {{4, {2.5, 0.25, 0, 1.25}}}},
    {"conv n1 c1 h1 w3 k1 r1 relu6", OP_CONV, .in = {{3, {-0.5, 3, 7}}, {1, {2}}},
     .out = {{3, {0, 6, 6}}}},
    {"conv n1 c1 h1 k2 r1 fold", OP_FOLD_BN, /* var + eps is 4 and 0.25 */
     .in = {{2, {3, -1}}, {2, {2, 0.5}}, {2, {1, -1}}, {2, {0.5, 2}}, {2, {3.99999, 0.24999}}},
     .out = {{2, {3, -1}}, {2, {0.5, -3}}}},
    {"bn_act n2 c1 h1 w2", OP_BN_ACT, /* mean 3, var 5 */
     .in = {{4, {0, 2, 4, 6}}, {1, {2}}, {1, {1}}},
     .out = {{4, {-1.683278890, 0.105573703, 1.894426297, 3.683278890}}, {1, {3}}, {1, {5}}}},
    {"bn_act n2 c1 h1 w2 relu residual", OP_BN_ACT,
     .in = {{4, {0, 2, 4, 6}}, {1, {2}}, {1, {1}}, {4, {2, -1, 0.5, -1}}},
     .out = {{4, {0.316721110, 0, 2.394426297, 2.683278890}}, {1, {3}}, {1, {5}}}},
    {"linear n2 c2 k3", OP_LINEAR,
     .in = {{4, {1, 2, -1, 0.5}}, {6, {1, 0, 0, 1, 2, -4}}, {3, {0.5, 0, -1}}},
     .out = {{6, {1.5, 2, -7, -0.5, 0.5, -5}}}},
    {"gather n3 count4 c2 h1 first2", OP_GATHER, /* two places are left of the order */
     .in = {{8, {1, 2, 3, 4, 5, 6, 7, 8}}, {4, {9, 8, 7, 6}}, {4, {2, 1, 3, 0}}},
     .out = {{6, {7, 8, 1, 2, 0, 0}}, {3, {6, 9, 0}}, {3, {3, 0, 0}}}},
    {"global_pool n1 c2 h2", OP_GLOBAL_POOL, .in = {{8, {1, 10, 2, 20, 3, 30, 6, 60}}},
     .out = {{2, {3, 30}}}},
    {"embed n1 c1 h1 all", OP_EMBED, .in = {{1, {5}}, {1, {2}}, {2, {10, 20}}},
     .out = {{2, {12, 25}}}},
    {"embed n1 c1 h1", OP_EMBED, .in = {{1, {5}}, {1, {2}}, {1, {20}}}, .out = {{2, {2, 25}}}},
    {"layer_norm n1 t2 c2 eps3", /* deviations 2 and 3 with eps */
     OP_LAYER_NORM, .in = {{4, {1, 3, 10, 10 - 4.898979486}}, {2, {2, 4}}, {2, {0.5, 0}}},
     .out = {{4, {-0.5, 2, 2.132993162, -3.265986324}},
             {2, {2, 7.550510257}},
             {2, {0.5, 1.0 / 3}}}},
    {"gelu n1 c4", OP_GELU, .in = {{4, {1, -2, 0.5, -1}}},
     .out = {{4, {0.841344746, -0.045500264, 0.345731231, -0.158655254}}}},
    {"attention n1 t2 c1", /* q k v of each token; k is 0 and log 3 */
     OP_ATTENTION, .in = {{6, {1, 0, 3, 2, 1.098612289, 7}}},
     .out = {{2, {6, 6.6}}, {2, {1.386294361, 2.302585093}}}},
    {"token_linear n1 t2 c2 k1 residual", OP_TOKEN_LINEAR,
     .in = {{4, {1, 2, 3, 4}}, {2, {1, -1}}, {1, {0.5}}, {2, {10, 20}}}, .out = {{2, {9.5, 19.5}}}},
    {"token_linear n1 t1 c1 k1 fold", OP_FOLD_SCALE, .in = {{1, {3}}, {1, {-1}}, {1, {0.5}}},
     .out = {{1, {1.5}}, {1, {-0.5}}}},
    {"sgd count2 decay0.1", /* rate 0.1, momentum 0.9 */
     OP_SGD, .in = {{2, {0.5, -1}}}, .before = {{2, {1, 2}}, {2, {0.2, 0}}},
     .out = {{2, {0.922, 2.08}}, {2, {0.78, -0.8}}}},
    {"sgd count2 decay0.1 nesterov", OP_SGD, .in = {{2, {0.5, -1}}},
     .before = {{2, {1, 2}}, {2, {0.2, 0}}}, .out = {{2, {0.8698, 2.152}}, {2, {0.78, -0.8}}}},
    {"sgd count2 decay0.1 factor", OP_SGD, .in = {{2, {5, -10}}, {1, {0.1}}},
     .before = {{2, {1, 2}}, {2, {0.2, 0}}}, .out = {{2, {0.922, 2.08}}, {2, {0.78, -0.8}}}},
    {"adamw count2 done0 decay0.1", /* rate 0.1; the first step has the size of the rate */
     OP_ADAMW, .in = {{2, {0.5, -3}}}, .before = {{2, {1, 2}}, {2, {0, 0}}, {2, {0, 0}}},
     .out = {{2, {0.89, 2.08}}, {2, {0.05, -0.3}}, {2, {0.00025, 0.009}}}},
    {"adamw count1 done1 first0.5 second0.75 epsilon0.25 decay0 factor", /* v 1.75, bias 7/16 */
     OP_ADAMW, .in = {{1, {4}}, {1, {0.5}}}, .before = {{1, {1}}, {1, {-1}}, {1, {1}}},
     .out = {{1, {1 - 0.1 * 0.5 / 0.75 / 2.25}}, {1, {0.5}}, {1, {1.75}}}},
    {"clip_norm count2 max1", OP_CLIP_NORM, .in = {{2, {3, -4}}}, .out = {{1, {0.2}}}},
    {"clip_norm count2 max6", OP_CLIP_NORM, .in = {{2, {3, -4}}}, .out = {{1, {1}}}},
    {"bn_update c2 count5", /* momentum 0.1, unbiased by 5/4 */
     OP_BN_UPDATE, .in = {{2, {10, -1}}, {2, {4, 8}}}, .before = {{2, {0, 1}}, {2, {1, 2}}},
     .out = {{2, {1, 0.8}}, {2, {1.4, 2.8}}}},
    {"tally n2 valid2", /* step 10; the second row is bad, its columns behind FINITE are unused */
     OP_TALLY, .in = {{16, {3, 2, 1, 1, 1, 1, 0, 0, 5, 4, 0.5, 0, 1, 0, 0, 0}}},
     .before = {{8, {10, 20, 30, 40, 50, 60, 0, 0}}},
     .out = {{8, {18, 26, 31.5, 41, 52, 62, 11, 1}}}},
    {"normalize n1 c3 h1", /* mean 0.4 0.5 0.45, deviation 0.2 0.3 0.25 */
     OP_NORMALIZE, .in = {{3, {255, 0, 51}}}, .out = {{3, {3, -5.0 / 3, -1}}}},
    {"add n1 c2 h1", OP_ADD, .in = {{2, {1, 2}}, {2, {-3, 0.5}}}, .out = {{2, {-2, 2.5}}}},
};

static const struct op *op_of(const struct problem *problem, enum opcode code) {
    for (int i = 0; i < problem->program.n_ops; i++)
        if (problem->program.op[i].code == code)
            return &problem->program.op[i];
    abort();
}

static void set_numbers(struct problem *problem, int value, const struct numbers *numbers) {
    for (int i = 0; i < numbers->n; i++)
        problem_set(problem, value, i, numbers->at[i]);
}

static void check_numbers(const struct rig *rig, int value, const void *data,
                          const struct numbers *numbers) {
    const struct value *of = &rig->problem->program.value[value];
    for (int i = 0; i < numbers->n; i++) {
        double actual = plain_element(of->dtype, data, i), expected = numbers->at[i];
        if (!(fabs(actual - expected) <= 2e-6 * (1 + fabs(expected))))
            T_FAIL("%s: %s: %s[%d] is %.9g, expected %.9g", rig->problem->line,
                   rig->device.backend->name, of->name, i, actual, expected);
    }
    if (numbers->n && numbers->n != shape_elements(of->shape))
        T_FAIL("%s: %s has another size", rig->problem->line, of->name);
}

static bool open_or_fail(struct rig *rig, const struct problem *problem, enum device_kind kind) {
    struct error err;
    if (rig_open(rig, problem, kind, &err) == STATUS_OK)
        return true;
    T_FAIL("%s: %s", problem->line, err.message);
    return false;
}

static void check_known(const struct known *row, enum device_kind kind) {
    struct problem problem;
    struct snapshot snapshot = {{0}};
    struct rig rig;
    problem_init(&problem, row->line, DTYPE_F32);
    const struct op *op = op_of(&problem, row->code);
    for (int i = 0; i < INPUTS; i++)
        set_numbers(&problem, op->in[i], &row->in[i]);
    for (int i = 0; i < OUTPUTS; i++)
        set_numbers(&problem, op->out[i], &row->before[i]);
    if (open_or_fail(&rig, &problem, kind)) {
        rig_run_ops(&rig, &problem.step[0], &snapshot);
        for (int i = 0; i < OUTPUTS; i++)
            if (row->out[i].n)
                check_numbers(&rig, op->out[i], snapshot.data[op->out[i]], &row->out[i]);
        rig_close(&rig);
    }
    snapshot_release(&snapshot);
    problem_release(&problem);
}

/* --- the losses: teacher, student and labels are the same in all rows --- */

static const struct numbers teacher = {8, {2, 1, 0, -1, .5, .5, .5, 3}};
static const struct numbers student = {8, {1, 0, -1, 2, 0, 1, 2, 3}};
static const struct numbers labels = {2, {0, 3}};

static const struct known_loss {
    const char *line;
    double ce_weight, distill_weight, loss; /* loss: the mean over both rows */
    struct numbers gradient;
} known_losses[] = {
    {"distill_loss ce n2 k4", 1, 0, 0.940189698561, {0}},
    {"distill_loss ttm n2 k4 temperature1", 0, 1, 0.496507118478, {0}},
    {"distill_loss ttm n2 k4 temperature2", 0, 1, 0.435480351625, {0}},
    {"distill_loss ttm n2 k4 temperature5",
     0,
     1,
     0.490122540492,
     {8,
      {-.046148005606, -.091182256035, -.094298282366, .231628544006, -.091527157628,
       -.063984299897, .010884949777, .144626507748}}},
    {"distill_loss ttm n2 k4 temperature10", 0, 1, 0.520449181089, {0}},
    {"distill_loss wttm n2 k4 temperature1", 0, 1, 0.496507118478, {0}},
    {"distill_loss wttm n2 k4 temperature2", 0, 1, 0.759790229396, {0}},
    {"distill_loss wttm n2 k4 temperature5",
     0,
     1,
     1.347894307674,
     {8,
      {-.12837683043, -.253655360996, -.262323678915, .64435587034, -.246953314576, -.172638759357,
       .029369145684, .390222928249}}},
    {"distill_loss wttm n2 k4 temperature10", 0, 1, 1.713539689282, {0}},
    {"distill_loss wttm n2 k4 temperature5", 1, 3, 0.940189698561 + 3 * 1.347894307674, {0}},
    {"distill_loss kd n2 k4 temperature1", 0, 1, 0.496507118478, {0}},
    {"distill_loss kd n2 k4 temperature2", 0, 1, 0.696788705936, {0}},
    {"distill_loss kd n2 k4 temperature5", 0, 1, 0.818779031088, {0}},
    {"distill_loss kd n2 k4 temperature10", 0, 1, 0.854667896976, {0}},
    {"distill_loss kd n2 k4 temperature4",
     0,
     1,
     0.799653845927,
     {8,
      {-.154809372631, -.120565660632, -.093896630912, .369271664175, -.080233233016, .013663397895,
       .134229058528, -.067659223407}}},
};

/* The label has rank 1 in row 0 and rank 0 in row 1; CE alone is the same in all rows. */
static void check_rows(const struct known_loss *row, const float *rows) {
    const float *second = rows + ROW_FIELDS;
    double distill = ((double)rows[ROW_DISTILL] + (double)second[ROW_DISTILL]) / 2;
    T_NEAR(((double)rows[ROW_LOSS] + (double)second[ROW_LOSS]) / 2, row->loss, 2e-6);
    T_NEAR(((double)rows[ROW_CE] + (double)second[ROW_CE]) / 2, 0.940189698561, 2e-6);
    T_NEAR(row->distill_weight * distill, row->loss - row->ce_weight * 0.940189698561, 4e-6);
    T_INT(rows[ROW_TOP1], 0);
    T_INT(second[ROW_TOP1], 1);
    T_INT(rows[ROW_TOP5] + second[ROW_TOP5] + rows[ROW_FINITE] + second[ROW_FINITE], 4);
    for (int column = ROW_FINITE + 1; column < ROW_FIELDS; column++)
        T_INT(rows[column] == 0 && second[column] == 0, 1);
}

static void check_loss(const struct known_loss *row, enum device_kind kind) {
    struct problem problem;
    struct snapshot snapshot = {{0}};
    struct rig rig;
    problem_init(&problem, row->line, DTYPE_F32);
    const struct op *op = op_of(&problem, OP_DISTILL_LOSS);
    set_numbers(&problem, op->in[0], &student);
    if (op->in[1] != NO_VALUE)
        set_numbers(&problem, op->in[1], &teacher);
    set_numbers(&problem, op->in[2], &labels);
    problem.step[0].student[0].ce_weight = (float)row->ce_weight;
    problem.step[0].student[0].distill_weight = (float)row->distill_weight;
    if (open_or_fail(&rig, &problem, kind)) {
        rig_run_ops(&rig, &problem.step[0], &snapshot);
        check_rows(row, snapshot.data[op->out[0]]);
        if (row->gradient.n)
            check_numbers(&rig, op->out[1], snapshot.data[op->out[1]], &row->gradient);
        rig_close(&rig);
    }
    snapshot_release(&snapshot);
    problem_release(&problem);
}

/* Equal logits rank by class: the label 2 of 0 1 1 1 1 1 1 is the second best, 6 is not in five. */
static void check_ties(enum device_kind kind) {
    static const struct numbers logits = {14, {0, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1}};
    static const struct numbers tied = {2, {2, 6}};
    struct problem problem;
    struct snapshot snapshot = {{0}};
    struct rig rig;
    problem_init(&problem, "distill_loss ce n2 k7", DTYPE_F32);
    const struct op *op = op_of(&problem, OP_DISTILL_LOSS);
    set_numbers(&problem, op->in[0], &logits);
    set_numbers(&problem, op->in[2], &tied);
    if (open_or_fail(&rig, &problem, kind)) {
        rig_run_ops(&rig, &problem.step[0], &snapshot);
        const float *rows = snapshot.data[op->out[0]];
        T_INT(rows[ROW_TOP1], 0);
        T_INT(rows[ROW_TOP5], 1);
        T_INT(rows[ROW_FIELDS + ROW_TOP5], 0);
        rig_close(&rig);
    }
    snapshot_release(&snapshot);
    problem_release(&problem);
}

/* --- augment --- */

/* What the definition of the op says of one byte, straight from the random words. */
static uint8_t augmented(const struct problem *problem, const struct op *op, int n,
                         const int at[3]) {
    struct shape shape = problem->program.value[op->in[0]].shape;
    const uint8_t *x = problem->data[op->in[0]];
    uint32_t index = (uint32_t)((const int32_t *)problem->data[op->in[1]])[n];
    struct rng_block block =
        rng_philox(problem->step[0].data_seed, index, problem->step[0].epoch, RNG_AUGMENT, 0);
    int padding = op->attr.augment.padding;
    uint32_t offsets = (uint32_t)(2 * padding + 1);
    bool flip = op->attr.augment.flip && block.word[2] & 1;
    int h = at[0] + (int)rng_below(block.word[0], offsets) - padding;
    int w = (flip ? shape.w - 1 - at[1] : at[1]) + (int)rng_below(block.word[1], offsets) - padding;
    if (h < 0 || h >= shape.h || w < 0 || w >= shape.w)
        return 0;
    return x[((n * shape.h + h) * shape.w + w) * shape.c + at[2]];
}

static void check_augmented(const struct problem *problem, const struct op *op, const uint8_t *y) {
    struct shape shape = problem->program.value[op->in[0]].shape;
    int wrong = 0;
    for (int n = 0; n < shape.n; n++)
        for (int h = 0; h < shape.h; h++)
            for (int w = 0; w < shape.w; w++)
                for (int c = 0; c < shape.c; c++)
                    wrong += *y++ != augmented(problem, op, n, (const int[]){h, w, c});
    T_INT(wrong, 0);
}

static void check_augment(const char *line, enum device_kind kind) {
    struct problem problem;
    struct snapshot snapshot = {{0}};
    struct rig rig;
    problem_init(&problem, line, DTYPE_F32);
    const struct op *op = op_of(&problem, OP_AUGMENT);
    if (open_or_fail(&rig, &problem, kind)) {
        rig_run_ops(&rig, &problem.step[0], &snapshot);
        check_augmented(&problem, op, snapshot.data[op->out[0]]);
        rig_close(&rig);
    }
    snapshot_release(&snapshot);
    problem_release(&problem);
}

/* --- residual --- */

/* Kept pictures by the definition, straight from the random words: branch / (1 - drop), or x. */
static void check_kept(const struct problem *problem, const struct op *op, const float *y) {
    struct shape shape = problem->program.value[op->in[0]].shape;
    const float *x = problem->data[op->in[0]], *branch = problem->data[op->in[1]];
    const struct step *step = &problem->step[0];
    int kept = 0, wrong = 0;
    for (int n = 0; n < shape.n; n++) {
        struct rng_block block = rng_philox(step->seed, (uint32_t)n, (uint32_t)step->index,
                                            RNG_DROP_PATH, (uint32_t)op->attr.residual.layer);
        bool keep = rng_unit(block.word[0]) >= op->attr.residual.drop;
        double factor = keep ? 1 / (1 - (double)op->attr.residual.drop) : 0;
        kept += keep;
        for (int c = 0; c < shape.c; c++)
            wrong += fabs((double)*x++ + factor * (double)*branch++ - (double)*y++) > 1e-6;
    }
    T_INT(wrong, 0);
    T_INT(kept > 64 && kept < 128, 1); /* three quarters of 128 are 96 */
}

static void check_residual(enum device_kind kind) {
    struct problem problem;
    struct snapshot snapshot = {{0}};
    struct rig rig;
    problem_init(&problem, "residual n128 c8 drop0.25 layer5", DTYPE_F32);
    const struct op *op = op_of(&problem, OP_RESIDUAL);
    if (open_or_fail(&rig, &problem, kind)) {
        rig_run_ops(&rig, &problem.step[0], &snapshot);
        check_kept(&problem, op, snapshot.data[op->out[0]]);
        rig_close(&rig);
    }
    snapshot_release(&snapshot);
    problem_release(&problem);
}

/* --- */

static void check_all(enum device_kind kind) {
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        check_known(&known[i], kind);
    for (size_t i = 0; i < sizeof known_losses / sizeof known_losses[0]; i++)
        check_loss(&known_losses[i], kind);
    check_ties(kind);
    check_augment("augment n32 c3 h6 w5 p2 flip", kind);
    check_augment("augment n8 c1 h4 p0 flip", kind);
    check_augment("augment n8 c3 h4 p6", kind);
    check_residual(kind);
}

static void on_ref(void) {
    check_all(DEVICE_REF);
}

static void on_others(void) {
    for (int i = 0; i < RIG_OTHERS; i++)
        if (rig_find(rig_others[i].kind).here)
            check_all(rig_others[i].kind);
}

int main(void) {
    T_RUN(on_ref);
    T_RUN(on_others);
    return t_done();
}
