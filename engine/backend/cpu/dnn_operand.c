#include "engine/backend/cpu/dnn_operand.h"

#include "engine/backend/cpu/kept.h"

size_t dnn_md_bytes(const void *md) {
    return (dnnl_memory_desc_get_size(md) + 63) & ~(size_t)63;
}

enum status dnn_error(struct error *err, dnnl_status_t status, const char *what) {
    if (status == dnnl_out_of_memory)
        return error_set(err, STATUS_OUT_OF_MEMORY, "not enough memory for oneDNN's %s", what);
    return error_set(err, STATUS_UNSUPPORTED, "oneDNN cannot make the %s (status %d)", what,
                     (int)status);
}

static dnnl_status_t create_reorder(dnnl_primitive_t *out, const struct dnn *dnn, const void *from,
                                    const void *to) {
    dnnl_primitive_desc_t pd;
    dnnl_status_t status =
        dnnl_reorder_primitive_desc_create(&pd, from, dnn->engine, to, dnn->engine, NULL);
    if (status != dnnl_success)
        return status;
    status = dnnl_primitive_create(out, pd);
    dnnl_primitive_desc_destroy(pd);
    return status;
}

static dnnl_status_t create_moves(struct dnn_operand *operand, const struct dnn *dnn,
                                  unsigned moves) {
    const void *outside = operand->outside_md, *inside = operand->inside_md;
    dnnl_status_t status =
        dnnl_memory_create(&operand->outside, outside, dnn->engine, DNNL_MEMORY_NONE);
    if (dnnl_memory_desc_equal(outside, inside))
        return status;
    if (status == dnnl_success)
        status = dnnl_memory_create(&operand->inside, inside, dnn->engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success && (moves & DNN_READ))
        status = create_reorder(&operand->in, dnn, outside, inside);
    if (status == dnnl_success && (moves & DNN_WRITTEN))
        status = create_reorder(&operand->out, dnn, inside, outside);
    return status;
}

enum status dnn_operand_init(struct dnn_operand *operand, const struct dnn *dnn, void *outside_md,
                             const void *inside_md, unsigned moves, struct error *err) {
    *operand = (struct dnn_operand){.outside_md = outside_md, .inside_md = inside_md};
    if (!outside_md || !inside_md)
        return dnn_error(err, dnnl_invalid_arguments, "tensor");
    dnnl_status_t status = create_moves(operand, dnn, moves);
    if (status != dnnl_success) {
        dnn_operand_release(operand);
        return dnn_error(err, status, "reorder");
    }
    return STATUS_OK;
}

void dnn_operand_release(struct dnn_operand *operand) {
    if (operand->in)
        dnnl_primitive_destroy(operand->in);
    if (operand->out)
        dnnl_primitive_destroy(operand->out);
    if (operand->inside)
        dnnl_memory_destroy(operand->inside);
    if (operand->outside)
        dnnl_memory_destroy(operand->outside);
    dnn_md_free(operand->outside_md);
    *operand = (struct dnn_operand){0};
}

size_t dnn_operand_slot_bytes(const struct dnn_operand *operand) {
    return operand->inside ? dnn_md_bytes(operand->inside_md) : 0;
}

/* Pointers stay the same from run to run, and setting one may write the padding. */
static void set_handle(dnnl_memory_t memory, void **at, void *to) {
    if (memory && *at != to)
        CHECK(dnnl_memory_set_data_handle(memory, to) == dnnl_success);
    *at = to;
}

void dnn_operand_bind(struct dnn_operand *operand, void *outside, void *slot) {
    set_handle(operand->outside, &operand->outside_at, outside);
    set_handle(operand->inside, &operand->inside_at, slot);
}

/* Without an inside of its own the primitive reads the outside, which is bound to the same. */
void *dnn_operand_keep(struct dnn_operand *operand, struct device *device, void *inside) {
    void *kept = kept_share(device, inside, dnn_md_bytes(operand->inside_md));
    dnn_operand_bind(operand, kept, kept);
    return kept;
}

static void move(dnnl_primitive_t reorder, const struct dnn *dnn, dnnl_memory_t from,
                 dnnl_memory_t to) {
    if (!reorder)
        return;
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    CHECK(dnnl_primitive_execute(reorder, dnn->stream, 2, args) == dnnl_success);
}

void dnn_operand_bring_in(const struct dnn_operand *operand, const struct dnn *dnn) {
    move(operand->in, dnn, operand->outside, operand->inside);
}

void dnn_operand_bring_out(const struct dnn_operand *operand, const struct dnn *dnn) {
    move(operand->out, dnn, operand->inside, operand->outside);
}
