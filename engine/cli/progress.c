#include "engine/cli/progress.h"

#include "engine/base/clock.h"
#include "engine/cli/line.h"

#include <math.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const int64_t REDRAW_NS = 100 * 1000 * 1000;

void progress_init(struct progress *progress) {
    struct winsize size = {0};
    bool sized = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    *progress =
        (struct progress){.terminal = isatty(STDOUT_FILENO), .columns = sized ? size.ws_col : 80};
}

static void add_duration(struct str *out, double seconds) {
    if (!(seconds >= 0 && seconds < 1e9)) {
        str_add(out, "--:--");
        return;
    }
    int64_t s = (int64_t)seconds;
    if (s >= 3600)
        str_addf(out, "%lld:%02d:%02d", (long long)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
    else
        str_addf(out, "%d:%02d", (int)(s / 60), (int)(s % 60));
}

static void add_measure(struct str *out, const char *name, int digits, double value) {
    if (isfinite(value))
        str_addf(out, "  %s %.*f", name, digits, value);
    else
        str_addf(out, "  %s -", name);
}

/* Never as wide as the terminal, because a line that wraps cannot be redrawn. */
static void draw(const struct progress *progress, const char *text) {
    printf("\r\033[K%.*s", progress->columns - 1, text);
    fflush(stdout);
}

/* While it trains, the step within the epoch; else what it does. An epoch that is evaluated is the
 * one that has just ended. */
static void add_place(struct str *out, const struct train_progress *at) {
    int64_t of_epoch = at->steps / at->epochs, begun = at->epoch - 1;
    bool training = str_equal(at->phase, "training");
    bool ended = !training && begun > 0 && at->step == begun * of_epoch;
    str_addf(out, "epoch %lld/%lld  ", (long long)(ended ? begun : at->epoch),
             (long long)at->epochs);
    if (training)
        str_addf(out, "step %lld/%lld", (long long)(at->step - begun * of_epoch),
                 (long long)of_epoch);
    else
        str_add(out, at->phase);
}

/* As short as it must be for 80 columns; what comes last is cut off first. */
void progress_tick(struct progress *progress, const struct train_progress *at) {
    int64_t now = clock_mono_ns();
    if (!progress->terminal || now - progress->drawn_ns < REDRAW_NS)
        return;
    struct str text = STR_INIT;
    progress->drawn_ns = now;
    add_place(&text, at);
    str_add(&text, "  left ");
    add_duration(&text, at->remaining_s);
    add_measure(&text, "loss", 4, at->loss);
    add_measure(&text, "top1", 4, at->top1);
    str_addf(&text, "  %.0f img/s", isfinite(at->images_per_s) ? at->images_per_s : 0.0);
    draw(progress, str_text(&text));
    str_release(&text);
}

static void print_json(const struct metric_point *point) {
    struct line line = {0};
    line_text(&line, "phase", point->phase == METRIC_EVAL ? "eval" : "train");
    line_integer(&line, "epoch", point->epoch);
    line_integer(&line, "step", point->step);
    line_number(&line, "loss", point->loss);
    line_number(&line, "ce", point->ce);
    line_number(&line, "distill", point->distill);
    line_number(&line, "top1", point->top1);
    line_number(&line, "top5", point->top5);
    line_number(&line, "learning_rate", point->learning_rate);
    line_number(&line, "images_per_s", point->images_per_s);
    line_print(&line);
}

void progress_point(struct progress *progress, const struct metric_point *point) {
    bool evaluation = point->phase == METRIC_EVAL;
    if (!progress->terminal) {
        if (evaluation || progress->train_points)
            print_json(point);
        return;
    }
    if (!evaluation)
        return;
    printf("\r\033[Kepoch %lld  test loss %.4f  top1 %.4f  top5 %.4f  rate %g\n",
           (long long)point->epoch, point->loss, point->top1, point->top5, point->learning_rate);
    progress->drawn_ns = 0;
}

void progress_end(struct progress *progress) {
    if (progress->terminal)
        draw(progress, "");
}
