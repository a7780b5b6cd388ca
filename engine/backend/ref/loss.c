#include "engine/backend/ref/ref_internal.h"

#include <string.h>

static void store_row(const struct loss_row *from, float *row) {
    memset(row, 0, ROW_FIELDS * sizeof *row);
    row[ROW_LOSS] = (float)from->loss;
    row[ROW_CE] = (float)from->ce;
    row[ROW_DISTILL] = (float)from->distill;
    row[ROW_TOP1] = from->rank == 0;
    row[ROW_TOP5] = from->rank < 5;
    row[ROW_FINITE] = from->finite;
}

void ref_distill_loss(const struct kernel_args *args) {
    const struct loss_attr *attr = &args->context->op->attr.loss;
    struct shape shape = context_in(args->context, 0)->shape;
    const float *student = args->in[0], *teacher = args->in[1];
    const int32_t *label = args->in[2];
    float *rows = args->out[0], *dstudent = args->out[1];
    double *gradient = dstudent ? args->workspace : NULL;
    struct loss_terms terms = attr->terms;
    terms.ce_weight = args->step->student[attr->student].ce_weight;
    terms.distill_weight = args->step->student[attr->student].distill_weight;
    for (int n = 0; n < shape.n; n++) {
        size_t first = (size_t)n * shape.c;
        struct loss_row row = loss_reference(
            &terms, student + first, teacher ? teacher + first : NULL, label[n], shape.c, gradient);
        store_row(&row, rows + (size_t)n * ROW_FIELDS);
        for (int k = 0; dstudent && k < shape.c; k++)
            dstudent[first + (size_t)k] = (float)(gradient[k] * (1.0 / shape.n));
    }
}
