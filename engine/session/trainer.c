#include "engine/session/trainer.h"

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/graph/optimizer.h"
#include "engine/session/model_report.h"
#include "engine/session/trainer_internal.h"
#include "engine/spec/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- tallies --- */

static void read_tally(const struct runnable *runnable, double tally[TALLY_FIELDS]) {
    memset(tally, 0, TALLY_FIELDS * sizeof *tally);
    if (runnable->exec)
        exec_read(runnable->exec, runnable->program.tally, tally);
}

static void clear_tally(const struct runnable *runnable) {
    static const double zero[TALLY_FIELDS];
    if (runnable->exec)
        exec_write(runnable->exec, runnable->program.tally, zero);
}

static enum status check_finite(const double tally[TALLY_FIELDS], struct error *err) {
    if (tally[TALLY_BAD_STEP] == 0)
        return STATUS_OK;
    return error_set(err, STATUS_DIVERGED,
                     "the loss is not finite at step %.0f (row %.0f of the "
                     "batch); a lower learning_rate may help",
                     tally[TALLY_BAD_STEP], tally[TALLY_BAD_ROW]);
}

/* --- checkpoints and ticks --- */

static enum status save(struct trainer *trainer, struct error *err) {
    struct checkpoint *checkpoint = &trainer->checkpoint;
    for (int i = 0; i < CHECKPOINT_TALLIES; i++) {
        read_tally(&trainer->runnable[i], checkpoint->tally[i]);
        enum status status = check_finite(checkpoint->tally[i], err);
        if (status)
            return status;
    }
    enum status status = checkpoint_write(checkpoint, str_text(&trainer->run),
                                          &trainer->student_params, trainer->checkpoint_path, err);
    if (!status && trainer->job->weights_folder)
        status = model_snapshot_write(trainer, err);
    if (!status && trainer->callbacks->checkpoint)
        trainer->callbacks->checkpoint(trainer->callbacks->ctx, checkpoint->step);
    return status;
}

static void update_progress(struct trainer *trainer, const char *phase) {
    struct train_progress *progress = &trainer->progress;
    int64_t step = trainer->checkpoint.step;
    progress->phase = phase;
    progress->step = step;
    progress->epoch = trainer->steps_per_epoch ? step / trainer->steps_per_epoch + 1 : 1;
    if (progress->epoch > progress->epochs)
        progress->epoch = progress->epochs;
    int64_t done = step - trainer->started_step;
    double seconds = (double)(clock_mono_ns() - trainer->started_ns) / 1e9;
    progress->images_per_s =
        trainer->training_ns ? (double)trainer->trained_images * 1e9 / (double)trainer->training_ns
                             : 0;
    progress->remaining_s =
        done > 0 ? seconds / (double)done * (double)(trainer->steps - step) : NAN;
}

static enum train_wish ask(struct trainer *trainer, const char *phase) {
    const struct train_callbacks *callbacks = trainer->callbacks;
    if (!callbacks->tick)
        return TRAIN_CONTINUE;
    update_progress(trainer, phase);
    return callbacks->tick(callbacks->ctx, &trainer->progress);
}

static enum status cancelled(const struct trainer *trainer, struct error *err) {
    return error_set(err, STATUS_CANCELLED, "stopped at step %lld of %lld",
                     (long long)trainer->checkpoint.step, (long long)trainer->steps);
}

enum status trainer_tick(struct trainer *trainer, const char *phase, struct error *err) {
    enum train_wish wish = ask(trainer, phase);
    if (wish == TRAIN_CONTINUE)
        return STATUS_OK;
    /* before the first step a checkpoint would only replace an older, better one */
    if (wish == TRAIN_STOP && trainer->checkpoint.step > trainer->started_step) {
        enum status status = save(trainer, err);
        if (status)
            return status;
    }
    return cancelled(trainer, err);
}

/* --- points --- */

static void divide_tally(const double tally[TALLY_FIELDS], struct metric_point *point) {
    double count = tally[TALLY_COUNT];
    point->loss = tally[TALLY_LOSS] / count;
    point->ce = tally[TALLY_CE] / count;
    point->distill = tally[TALLY_DISTILL] / count;
    point->top1 = tally[TALLY_TOP1] / count;
    point->top5 = tally[TALLY_TOP5] / count;
}

static enum status publish(struct trainer *trainer, const struct metric_point *point,
                           struct error *err) {
    trainer->progress.loss = point->loss;
    trainer->progress.top1 = point->top1;
    if (!trainer->callbacks->point)
        return STATUS_OK;
    return trainer->callbacks->point(trainer->callbacks->ctx, point, err);
}

static double rate_of(const struct trainer *trainer, int64_t step) {
    return schedule_rate(trainer->spec, step, trainer->steps_per_epoch);
}

/* A point of the epoch that contains the step before `step`. */
static struct metric_point new_point(const struct trainer *trainer, enum metric_phase phase) {
    int64_t step = trainer->checkpoint.step;
    return (struct metric_point){.phase = phase,
                                 .epoch = (step - 1) / trainer->steps_per_epoch + 1,
                                 .step = step,
                                 .learning_rate = rate_of(trainer, step - 1)};
}

static enum status report(struct trainer *trainer, struct error *err) {
    double sum[TALLY_FIELDS] = {0};
    for (int i = 0; i < CHECKPOINT_TALLIES; i++) {
        double tally[TALLY_FIELDS];
        read_tally(&trainer->runnable[i], tally);
        enum status status = check_finite(tally, err);
        if (status)
            return status;
        for (int k = 0; k < TALLY_BAD_STEP; k++)
            sum[k] += tally[k];
        clear_tally(&trainer->runnable[i]);
    }
    struct metric_point point = new_point(trainer, METRIC_TRAIN);
    divide_tally(sum, &point);
    int64_t ns = trainer->training_ns - trainer->reported_ns;
    int64_t images = trainer->trained_images - trainer->reported_images;
    point.images_per_s = ns > 0 ? (double)images * 1e9 / (double)ns : 0;
    trainer->reported_ns = trainer->training_ns;
    trainer->reported_images = trainer->trained_images;
    return publish(trainer, &point, err);
}

/* --- batches --- */

static void feed(const struct runnable *runnable, const struct loader_batch *batch) {
    exec_write(runnable->exec, runnable->program.images, batch->images);
    exec_write(runnable->exec, runnable->program.labels, batch->labels);
    if (runnable->program.indices != NO_VALUE)
        exec_write(runnable->exec, runnable->program.indices, batch->indices);
}

/* A launch: steps whose batches lie on the device, or one whose batch the loader hands over. */
static enum status run_steps(const struct runnable *runnable, struct loader *loader,
                             const struct step *steps, int count, struct error *err) {
    if (loader) {
        struct loader_batch batch;
        enum status status = loader_next(loader, &batch, err);
        if (status)
            return status;
        feed(runnable, &batch);
    }
    exec_run_steps(runnable->exec, steps, count);
    return exec_synchronize(runnable->exec, err);
}

static struct step step_of(const struct trainer *trainer, int64_t index) {
    const struct train_spec *spec = trainer->spec;
    struct loader_place place =
        loader_place(trainer->dataset.train.count, (int)spec->batch_size, index);
    struct step step = {.index = (uint64_t)index,
                        .seed = (uint64_t)spec->seed,
                        .data_seed = (uint64_t)spec->data_seed,
                        .epoch = place.epoch,
                        .n_valid = place.rows,
                        .first = (int32_t)place.first};
    step.student[0].learning_rate = (float)rate_of(trainer, index);
    step.student[0].ce_weight = (float)spec->ce_weight;
    step.student[0].distill_weight = spec->method == METHOD_CE ? 0 : (float)spec->beta;
    return step;
}

static int64_t least(const int64_t *number, int count) {
    int64_t found = number[0];
    for (int i = 1; i < count; i++)
        found = number[i] < found ? number[i] : found;
    return found;
}

/* Steps of the next launch: it ends where after_steps acts, and at the last full batch of an epoch,
 * behind which another program runs. */
static int launch_steps(const struct trainer *trainer) {
    int64_t step = trainer->checkpoint.step, in_epoch = step % trainer->steps_per_epoch;
    int64_t full = trainer->dataset.train.count / trainer->spec->batch_size;
    const int64_t most[] = {
        trainer->loader ? 1 : STEP_SLOTS,
        in_epoch < full ? full - in_epoch : 1,
        trainer->report_every - in_epoch % trainer->report_every,
        trainer->checkpoint_every - step % trainer->checkpoint_every,
    };
    return (int)least(most, sizeof most / sizeof *most);
}

static enum status train_steps(struct trainer *trainer, struct error *err) {
    int64_t begin_ns = clock_mono_ns();
    int count = launch_steps(trainer);
    struct step steps[STEP_SLOTS] = {0};
    for (int i = 0; i < count; i++)
        steps[i] = step_of(trainer, trainer->checkpoint.step + i);
    bool full = steps[0].n_valid == trainer->spec->batch_size;
    const struct runnable *runnable = &trainer->runnable[full ? PROGRAM_FULL : PROGRAM_REMAINDER];
    if (!trainer->loader)
        resident_turn(&trainer->train_data, steps[0].epoch);
    enum status status = run_steps(runnable, trainer->loader, steps, count, err);
    trainer->checkpoint.step += count;
    trainer->training_ns += clock_mono_ns() - begin_ns;
    trainer->trained_images += (int64_t)count * runnable->rows;
    return status;
}

/* --- evaluation --- */

/* Of batch number k; the index is only for the message when the loss is not finite. */
static struct step evaluation_step(const struct trainer *trainer, int64_t k) {
    struct loader_place place = loader_place(trainer->dataset.test.count, EVAL_BATCH, k);
    return (struct step){.index = (uint64_t)trainer->checkpoint.step - 1,
                         .n_valid = place.rows,
                         .first = (int32_t)place.first,
                         .student[0].ce_weight = 1};
}

/* The answers of the step that ran last. */
static enum status score(struct trainer *trainer, const struct step *step, struct error *err) {
    const struct runnable *runnable = &trainer->runnable[PROGRAM_EVAL];
    const struct evaluator_batch batch = {
        step->first, step->n_valid, trainer->dataset.test.labels + step->first, trainer->logits};
    exec_read(runnable->exec, runnable->program.logits, trainer->logits);
    enum status status = exec_synchronize(runnable->exec, err);
    return status ? status : scorer_add_batch(trainer->scorer, &batch, err);
}

static enum status evaluate_batches(struct trainer *trainer, struct loader *loader,
                                    struct error *err) {
    const struct runnable *runnable = &trainer->runnable[PROGRAM_EVAL];
    int64_t batches = loader_batches(trainer->dataset.test.count, EVAL_BATCH);
    struct step steps[STEP_SLOTS];
    clear_tally(runnable);
    exec_refresh(runnable->exec);
    for (int64_t done = 0; done < batches;) {
        int count = 0, most = loader || trainer->scorer ? 1 : STEP_SLOTS;
        for (; count < most && done < batches; count++)
            steps[count] = evaluation_step(trainer, done++);
        enum status status = run_steps(runnable, loader, steps, count, err);
        if (!status && trainer->scorer)
            status = score(trainer, &steps[0], err);
        /* a mere stop waits: a checkpoint at an epoch's end must hold its evaluation */
        if (!status && ask(trainer, "evaluating") == TRAIN_ABANDON)
            status = cancelled(trainer, err);
        if (status)
            return status;
    }
    return STATUS_OK;
}

/* The test split's batches, from the device or a new loader. */
static enum status open_test(struct trainer *trainer, struct loader **loader, struct error *err) {
    struct loader_plan plan = trainer_test_plan(trainer);
    if (!trainer->test_data.count)
        return loader_create(loader, &plan, err);
    resident_turn(&trainer->test_data, 1);
    return STATUS_OK;
}

/* The last evaluation is also told in full, in a file that is there before the last checkpoint. */
static enum status begin_scoring(struct trainer *trainer, struct error *err) {
    if (trainer->checkpoint.step < trainer->steps)
        return STATUS_OK;
    int classes = trainer->dataset.classes;
    trainer->logits = xcalloc(EVAL_BATCH * (size_t)classes, sizeof *trainer->logits);
    return scorer_create(&trainer->scorer, trainer->dataset.test.count, classes, err);
}

static enum status end_scoring(struct trainer *trainer, enum status status, struct error *err) {
    if (!status && trainer->scorer)
        status = evaluation_report_write(trainer, err);
    scorer_free(trainer->scorer);
    free(trainer->logits);
    trainer->scorer = NULL;
    trainer->logits = NULL;
    return status;
}

static enum status evaluate(struct trainer *trainer, struct error *err) {
    int64_t begin_ns = clock_mono_ns();
    struct loader *loader = NULL;
    enum status status = open_test(trainer, &loader, err);
    if (!status)
        status = begin_scoring(trainer, err);
    if (!status)
        status = evaluate_batches(trainer, loader, err);
    status = end_scoring(trainer, status, err);
    loader_free(loader);
    if (status)
        return status;
    double tally[TALLY_FIELDS];
    read_tally(&trainer->runnable[PROGRAM_EVAL], tally);
    status = check_finite(tally, err);
    if (status)
        return status;
    struct metric_point point = new_point(trainer, METRIC_EVAL);
    divide_tally(tally, &point);
    point.images_per_s = tally[TALLY_COUNT] * 1e9 / (double)(clock_mono_ns() - begin_ns);
    struct checkpoint *checkpoint = &trainer->checkpoint;
    checkpoint->last = point;
    if (!checkpoint->evaluated || point.top1 > checkpoint->best.top1)
        checkpoint->best = point;
    checkpoint->evaluated = true;
    return publish(trainer, &point, err);
}

/* --- the run --- */

/* What follows a launch: a point, an evaluation at the end of the epoch, a checkpoint. A checkpoint
 * at the end of an epoch holds its evaluation, so that a resumed run does not repeat it. */
static enum status after_steps(struct trainer *trainer, struct error *err) {
    int64_t step = trainer->checkpoint.step;
    int64_t in_epoch = step % trainer->steps_per_epoch;
    enum status status = STATUS_OK;
    if (in_epoch == 0 || in_epoch % trainer->report_every == 0)
        status = report(trainer, err);
    if (!status && in_epoch == 0)
        status = evaluate(trainer, err);
    if (!status && (step % trainer->checkpoint_every == 0 || step == trainer->steps))
        status = save(trainer, err);
    return status;
}

static enum status train(struct trainer *trainer, struct error *err) {
    trainer->started_step = trainer->checkpoint.step;
    trainer->started_ns = clock_mono_ns();
    struct loader_plan plan = trainer_train_plan(trainer, trainer->started_step);
    enum status status = STATUS_OK;
    if (!trainer->train_data.count)
        status = loader_create(&trainer->loader, &plan, err);
    while (!status && trainer->checkpoint.step < trainer->steps) {
        status = trainer_tick(trainer, "training", err);
        if (!status)
            status = train_steps(trainer, err);
        if (!status)
            status = after_steps(trainer, err);
    }
    return status;
}

static enum status finish(struct trainer *trainer, struct train_result *result, struct error *err) {
    const struct checkpoint *checkpoint = &trainer->checkpoint;
    result->last = checkpoint->last;
    result->best = checkpoint->best;
    result->reproducible = checkpoint->reproducible;
    str_copy(result->identity, sizeof result->identity, checkpoint->identity);
    str_copy(result->dataset_sha256, sizeof result->dataset_sha256, trainer->dataset.sha256);
    return model_report_write(trainer, result, err);
}

static bool has_evaluation(const struct trainer *trainer) {
    char path[FILE_PATH_BYTES];
    return evaluation_report_path(trainer, path, NULL) == STATUS_OK && file_exists(path);
}

enum status trainer_run(const struct train_job *job, const struct train_callbacks *callbacks,
                        struct train_result *result, struct error *err) {
    struct trainer trainer = {.job = job, .spec = job->spec, .callbacks = callbacks};
    trainer.progress.loss = trainer.progress.top1 = NAN;
    trainer.progress.epochs = job->spec->epochs;
    enum status status = trainer_setup(&trainer, err);
    if (!status)
        status = train(&trainer, err);
    if (!status && !has_evaluation(&trainer))
        status = evaluate(&trainer, err); /* an older version's last checkpoint came without */
    if (!status)
        status = trainer_tick(&trainer, "saving", err);
    if (!status)
        status = finish(&trainer, result, err);
    trainer_release(&trainer);
    return status;
}

static size_t staged_bytes(const struct trainer *trainer) {
    struct loader_plan train_plan = trainer_train_plan(trainer, 0);
    struct loader_plan test_plan = trainer_test_plan(trainer);
    return loader_bytes(&train_plan) + loader_bytes(&test_plan);
}

enum status trainer_estimate(const struct train_job *job, struct train_estimate *estimate,
                             struct error *err) {
    struct trainer trainer = {.job = job, .spec = job->spec};
    enum status status = trainer_open_parts(&trainer, err);
    if (!status) {
        int64_t count = trainer.dataset.train.count, batch = job->spec->batch_size;
        int rows = (int)(count < batch ? count : batch);
        struct program_plan plan = trainer_plan(&trainer, (int)batch, rows);
        struct run_program built;
        train_program_build(&built, &plan);
        *estimate = (struct train_estimate){0};
        for (int i = 0; i < built.program.n_ops; i++)
            estimate->flops_per_step += op_flops(&built.program, &built.program.op[i]);
        const struct param_table *student = &trainer.student.table;
        const struct param_table *teacher = &trainer.teacher.network.table;
        estimate->student_parameters = param_table_learnable(student);
        estimate->teacher_parameters = param_table_learnable(teacher);
        estimate->steps = (count + batch - 1) / batch * job->spec->epochs;
        size_t copies = 2 + (size_t)optimizer_table[job->spec->optimizer].slots; /* gradients */
        estimate->memory_bytes =
            program_activation_bytes(&built.program) + staged_bytes(&trainer) +
            sizeof(float) * (copies * student->weight_floats + student->state_floats +
                             2 * (teacher->weight_floats + teacher->state_floats));
        run_program_release(&built);
    }
    trainer_release(&trainer);
    return status;
}
