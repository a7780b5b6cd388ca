/* safetensors_parse: any bytes; every tensor it hands out lies within them. */
#include "tests/fuzz/fuzz.h"

#include "engine/base/safetensors.h"

#include <stdlib.h>

static void check_tensor(const struct safetensors *file, const struct tensor *tensor,
                         const uint8_t *bytes, size_t len) {
    const uint8_t *data = tensor->data;
    int64_t elements = tensor_elements(tensor);
    CHECK(data >= bytes && tensor->bytes <= len && data + tensor->bytes <= bytes + len);
    CHECK((size_t)elements * tensor_type_bytes(tensor->type) == tensor->bytes);
    CHECK(safetensors_find(file, tensor->name) == tensor);
    float *values = xmalloc((size_t)elements * sizeof *values);
    enum status status = tensor_to_f32(tensor, values, NULL);
    CHECK(status == STATUS_OK || status == STATUS_UNSUPPORTED);
    free(values);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    struct safetensors file;
    struct error err = {0};
    if (safetensors_parse(&file, bytes, len, &err) != STATUS_OK) {
        CHECK(err.message[0]);
        return 0;
    }
    for (size_t i = 0; i < file.count; i++)
        check_tensor(&file, &file.tensors[i], bytes, len);
    CHECK(!safetensors_metadata(&file, "") || file.metadata);
    safetensors_close(&file);
    return 0;
}
