/* Training gives the same bytes wherever its batches lie and however many steps a launch has, on
 * every device that opens: ref, and a GPU or the emulation of one, there in bf16 too. */
#include "tests/unit/session/devices.h"
#include "tests/unit/session/trainer_fixture.h"

static enum device_kind kind;    /* the device of the test that runs, */
static enum precision precision; /* and what it computes in */
static bool briefly;             /* f32 by one comparison only: emulated runs take many seconds */

/* Two pictures a step: ten full steps an epoch and one of the last picture. In the second epoch
 * a launch of eight is recorded, in the third it is replayed. */
static void start(struct run *run, const char *name, enum train_feed feed) {
    run_init(run, name);
    CHECK(file_remove_all(run->out, NULL) == STATUS_OK);
    run->spec.device = (int)kind;
    run->spec.precision = (int)precision;
    run->spec.epochs = 3;
    run->spec.batch_size = 2;
    run->spec.report_every = 1000;
    run->feed = feed;
}

static void check_equal(const struct run *got, const struct run *expected) {
    T_STR(got->err.message, "");
    T_STR(got->result.weights_sha256, expected->result.weights_sha256);
    T_CHECK(got->result.last.loss == expected->result.last.loss);
    T_CHECK(got->result.last.top1 == expected->result.last.top1);
    T_CHECK(got->result.best.step == expected->result.best.step);
    T_INT(got->last_step, expected->last_step);
}

/* Ticks of a run but those of its launches: while it prepares, evaluates and saves. */
static int other_ticks(const struct run *run) {
    return 1 + (int)run->spec.epochs + 1;
}

/* The same spec from the host and from the device, which is followed once a launch. */
static void compare(const struct run *host, int launches_of_an_epoch) {
    struct run fed = *host, device = *host;
    T_INT(run_again(&fed, false), STATUS_OK);
    T_INT(fed.ticks, fed.last_step + other_ticks(&fed));
    device.feed = FEED_DEVICE;
    path_in(device.out, root, "device");
    T_INT(run_again(&device, false), STATUS_OK);
    T_INT(device.ticks, device.spec.epochs * launches_of_an_epoch + other_ticks(&device));
    check_equal(&device, &fed);
}

static void batches_on_the_device_change_nothing(void) {
    struct run run;
    start(&run, "host", FEED_HOST);
    compare(&run, 3); /* 8 + 2 + 1 */
    start(&run, "host", FEED_HOST);
    run.spec.crop_padding = 0;
    run.spec.flip = false;
    run.spec.shuffle = false;
    compare(&run, 3);
    start(&run, "host", FEED_HOST);
    run.spec.augment = AUGMENT_NONE;
    run.spec.train_limit = 20;
    compare(&run, 2);
    start(&run, "host", FEED_HOST);
    run.spec.train_limit = 5;
    run.spec.batch_size = 8;
    compare(&run, 1);
}

/* The teacher takes a whole batch, padded, where the student is trained on one picture. */
static void a_teacher_changes_nothing(void) {
    struct run teacher, run;
    start(&teacher, "teacher", FEED_DEVICE);
    teacher.spec.epochs = 1;
    T_INT(run_again(&teacher, false), STATUS_OK);
    start(&run, "host", FEED_HOST);
    run_teach(&run, METHOD_WTTM, "teacher");
    run.spec.optimizer = OPTIMIZER_ADAMW;
    compare(&run, 3);
}

/* Reports and checkpoints cut launches: 8 + 2 + 1 steps become 3 3 3 1 1, and so on. */
static void launches_of_any_length_change_nothing(void) {
    static const int64_t every[][2] = {{3, 1000}, {1000, 7}, {1, 1000}, {5, 4}};
    static const int ticks[] = {5, 0, 11, 0}; /* of an epoch's launches, where all are alike */
    struct run expected;
    start(&expected, "expected", FEED_DEVICE);
    T_INT(run_again(&expected, false), STATUS_OK);
    for (int i = 0; i < 4; i++) {
        struct run run;
        start(&run, "cut", FEED_DEVICE);
        run.spec.report_every = every[i][0];
        run.spec.checkpoint_every = every[i][1];
        T_INT(run_again(&run, false), STATUS_OK);
        check_equal(&run, &expected);
        if (ticks[i])
            T_INT(run.ticks, 3 * ticks[i] + other_ticks(&run));
    }
}

static void recorded_steps_change_nothing(void) {
    struct run recorded, eager;
    start(&recorded, "recorded", FEED_DEVICE);
    T_INT(run_again(&recorded, false), STATUS_OK);
    start(&eager, "eager", FEED_DEVICE);
    eager.spec.graph = GRAPH_OFF;
    T_INT(run_again(&eager, false), STATUS_OK);
    check_equal(&eager, &recorded);
    T_INT(eager.ticks, recorded.ticks);
}

/* A wish is heard between launches; the rest goes on from the middle of an epoch, whichever way
 * the batches came before. */
static void a_stop_within_an_epoch_changes_nothing(void) {
    struct run expected;
    start(&expected, "expected", FEED_HOST);
    T_INT(run_again(&expected, false), STATUS_OK);
    for (int i = 0; i < 4; i++) {
        struct run run;
        start(&run, "stopped", i % 2 ? FEED_HOST : FEED_DEVICE);
        run.spec.report_every = i < 2 ? 3 : 1000;
        run.stop_step = 12 + i;
        T_INT(run_again(&run, false), STATUS_CANCELLED);
        run.stop_step = 0;
        run.feed = i % 2 ? FEED_DEVICE : FEED_HOST;
        T_INT(run_again(&run, true), STATUS_OK);
        check_equal(&run, &expected);
    }
}

/* What the host must change is fed by it. */
static void changed_pictures_come_from_the_host(void) {
    struct run run;
    start(&run, "host", FEED_HOST);
    run.spec.epochs = 1;
    run.spec.rand_augment = 1;
    compare(&run, 11);
}

static void diverge(struct run *run, enum train_feed feed) {
    start(run, "diverged", feed);
    run->spec.epochs = 20;
    run->spec.learning_rate = 100;
    run->spec.weight_decay = 1;
    run->spec.checkpoint_every = 4;
    T_INT(run_again(run, false), STATUS_DIVERGED);
}

static void divergence_names_the_same_step(void) {
    struct run host, device;
    diverge(&host, FEED_HOST);
    diverge(&device, FEED_DEVICE);
    T_CONTAINS(device.err.message, "the loss is not finite at step");
    T_STR(device.err.message, host.err.message);
    T_INT(device.last_checkpoint, host.last_checkpoint);
}

static void all(void) {
    recorded_steps_change_nothing();
    if (briefly && precision == PRECISION_F32)
        return;
    batches_on_the_device_change_nothing();
    a_teacher_changes_nothing();
    launches_of_any_length_change_nothing();
    a_stop_within_an_epoch_changes_nothing();
    changed_pictures_come_from_the_host();
    divergence_names_the_same_step();
}

static void on(enum device_kind device) {
    kind = device;
    precision = PRECISION_F32;
    all();
    if (kind != DEVICE_CUDA)
        return;
    precision = PRECISION_BF16;
    all();
}

static void on_devices(void) {
    on_every_device(on);
}

/* `briefly` as an argument for devices that are emulated. */
int main(int argc, char **argv) {
    briefly = argc > 1 && str_equal(argv[1], "briefly");
    char data[FILE_PATH_BYTES];
    snprintf(root, sizeof root, "%s", t_temp_dir());
    fixture_write_data(path_in(data, root, "data"), TRAIN_COUNT);
    T_RUN(on_devices);
    return t_done();
}
