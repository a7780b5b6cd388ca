#include "engine/backend/cpu/dnn_operand.h"

#include "engine/base/mem.h"

#include <stdlib.h>

/* Instruction sets are sets of bits that contain those of their predecessors. */
static bool has_isa(dnnl_cpu_isa_t isa) {
    return (dnnl_get_effective_cpu_isa() & isa) == isa;
}

struct dnn_features dnn_features(void) {
    const dnnl_version_t *version = dnnl_version();
    return (struct dnn_features){.avx2 = has_isa(dnnl_cpu_isa_avx2),
                                 .avx512 = has_isa(dnnl_cpu_isa_avx512_core),
                                 .bf16 = has_isa(dnnl_cpu_isa_avx512_core_bf16),
                                 .major = version->major,
                                 .minor = version->minor,
                                 .patch = version->patch};
}

enum status dnn_open(struct dnn **out, struct error *err) {
    struct dnn *dnn = xcalloc(1, sizeof *dnn);
    dnnl_status_t status = dnnl_engine_create(&dnn->engine, dnnl_cpu, 0);
    if (status == dnnl_success)
        status = dnnl_stream_create(&dnn->stream, dnn->engine, dnnl_stream_default_flags);
    if (status != dnnl_success) {
        dnn_close(dnn);
        return dnn_error(err, status, "engine");
    }
    *out = dnn;
    return STATUS_OK;
}

void dnn_close(struct dnn *dnn) {
    if (!dnn)
        return;
    if (dnn->stream)
        dnnl_stream_destroy(dnn->stream);
    if (dnn->engine)
        dnnl_engine_destroy(dnn->engine);
    free(dnn);
}
