#include "engine/backend/ref/ref_internal.h"

#include <math.h>
#include <string.h>

/* One head of one picture; row t of q, k, v begins at t * row, of y and dy at t * y_row. */
struct head {
    const float *q, *k, *v, *y, *dy;
    float *out, *dq, *dk, *dv;
    double *p, *sum_k, *sum_v; /* a row of scores; sums of dk and dv [tokens][width] */
    double scale;
    ptrdiff_t row, y_row;
    int queries, tokens, width;
};

static struct head head_of(const struct kernel_args *args, const struct value *qkv,
                           const struct value *y) {
    int heads = args->context->op->attr.attention.heads, width = y->shape.c / heads;
    double *p = args->workspace;
    return (struct head){.p = p,
                         .sum_k = p + qkv->shape.w,
                         .sum_v = p + qkv->shape.w * (ptrdiff_t)(1 + width),
                         .scale = 1 / sqrt(width),
                         .row = qkv->shape.c,
                         .y_row = y->shape.c,
                         .queries = y->shape.w,
                         .tokens = qkv->shape.w,
                         .width = width};
}

/* Points at head h of picture n. */
static void point_at(struct head *head, const float *qkv, int n, int h) {
    ptrdiff_t channels = head->row / 3;
    head->q = qkv + n * head->tokens * head->row + h * head->width;
    head->k = head->q + channels;
    head->v = head->k + channels;
}

static double dot(const float *a, const float *b, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static void score(const struct head *head, int query) {
    for (int t = 0; t < head->tokens; t++)
        head->p[t] =
            head->scale * dot(head->q + query * head->row, head->k + t * head->row, head->width);
}

/* The softmax of a row of scores; returns the log of its sum. */
static double softmax(const struct head *head, int query) {
    double top = -INFINITY, sum = 0;
    score(head, query);
    for (int t = 0; t < head->tokens; t++)
        top = fmax(top, head->p[t]);
    for (int t = 0; t < head->tokens; t++)
        sum += head->p[t] = exp(head->p[t] - top);
    for (int t = 0; t < head->tokens; t++)
        head->p[t] /= sum;
    return top + log(sum);
}

static void attend(const struct head *head, int query) {
    for (int i = 0; i < head->width; i++) {
        double sum = 0;
        for (int t = 0; t < head->tokens; t++)
            sum += head->p[t] * (double)head->v[t * head->row + i];
        head->out[query * head->y_row + i] = (float)sum;
    }
}

size_t ref_attention_workspace(const struct kernel_context *context) {
    return (size_t)context_in(context, 0)->shape.w * sizeof(double);
}

void ref_attention(const struct kernel_args *args) {
    const struct value *qkv = context_in(args->context, 0), *y = context_out(args->context, 0);
    int heads = args->context->op->attr.attention.heads;
    struct head head = head_of(args, qkv, y);
    float *lse = args->out[1];
    for (int n = 0; n < y->shape.n; n++)
        for (int h = 0; h < heads; h++) {
            point_at(&head, args->in[0], n, h);
            head.out = (float *)args->out[0] + n * head.queries * head.y_row + h * head.width;
            for (int query = 0; query < head.queries; query++) {
                lse[(n * head.queries + query) * heads + h] = (float)softmax(&head, query);
                attend(&head, query);
            }
        }
}

size_t ref_attention_bwd_workspace(const struct kernel_context *context) {
    struct shape qkv = context_in(context, 1)->shape;
    size_t width = (size_t)(qkv.c / 3 / context->op->attr.attention.heads);
    return (size_t)qkv.w * (1 + 2 * width) * sizeof(double);
}

/* With dp = dy v^T: ds = p (dp - dy y), dv = p^T dy, dq = scale ds k, dk = scale ds^T q. */
static void gradient_of_query(const struct head *head, int query) {
    const float *dy = head->dy + query * head->y_row, *q = head->q + query * head->row;
    double center = dot(dy, head->y + query * head->y_row, head->width);
    softmax(head, query);
    for (int t = 0; t < head->tokens; t++) {
        double *sum_k = head->sum_k + t * head->width, *sum_v = head->sum_v + t * head->width;
        double p = head->p[t];
        double ds = head->scale * p * (dot(dy, head->v + t * head->row, head->width) - center);
        for (int i = 0; i < head->width; i++) {
            sum_v[i] += p * (double)dy[i];
            sum_k[i] += ds * (double)q[i];
        }
        head->p[t] = ds;
    }
    for (int i = 0; i < head->width; i++) {
        double sum = 0;
        for (int t = 0; t < head->tokens; t++)
            sum += head->p[t] * (double)head->k[t * head->row + i];
        head->dq[query * head->row + i] = (float)sum;
    }
}

static void gradient_of_head(const struct head *head) {
    size_t width = (size_t)head->width;
    memset(head->sum_k, 0, 2 * (size_t)head->tokens * width * sizeof(double));
    for (int query = 0; query < head->queries; query++)
        gradient_of_query(head, query);
    for (int t = 0; t < head->tokens; t++) {
        ref_round(head->dk + t * head->row, head->sum_k + t * head->width, width);
        ref_round(head->dv + t * head->row, head->sum_v + t * head->width, width);
        if (t >= head->queries)
            memset(head->dq + t * head->row, 0, width * sizeof(float));
    }
}

void ref_attention_bwd(const struct kernel_args *args) {
    const struct value *qkv = context_in(args->context, 1), *y = context_in(args->context, 2);
    struct head head = head_of(args, qkv, y);
    for (int n = 0; n < y->shape.n; n++)
        for (int h = 0; h < args->context->op->attr.attention.heads; h++) {
            ptrdiff_t at = n * head.queries * head.y_row + h * head.width;
            point_at(&head, args->in[1], n, h);
            head.dy = (const float *)args->in[0] + at;
            head.y = (const float *)args->in[2] + at;
            head.dq = (float *)args->out[0] + (head.q - (const float *)args->in[1]);
            head.dk = head.dq + head.row / 3;
            head.dv = head.dk + head.row / 3;
            gradient_of_head(&head);
        }
}
