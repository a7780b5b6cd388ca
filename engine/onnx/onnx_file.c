#include "engine/onnx/onnx_file.h"

#include "engine/onnx/proto.h"

#include <stdlib.h>
#include <string.h>

enum { IR_VERSION = 8, OPSET = 17 };
enum { TYPE_FLOAT = 1, TYPE_INT64 = 7 };
enum { MAX_BYTES = INT32_MAX };

/* Numbers of fields, from the published onnx.proto. */
enum {
    MODEL_IR_VERSION = 1,
    MODEL_PRODUCER = 2,
    MODEL_GRAPH = 7,
    MODEL_OPSET = 8,
    MODEL_METADATA = 14,
    OPSET_VERSION = 2,
    ENTRY_KEY = 1,
    ENTRY_VALUE = 2,
    GRAPH_NODE = 1,
    GRAPH_NAME = 2,
    GRAPH_CONSTANT = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    NODE_INPUT = 1,
    NODE_OUTPUT = 2,
    NODE_NAME = 3,
    NODE_TYPE = 4,
    NODE_ATTRIBUTE = 5,
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_FLOAT = 2,
    ATTRIBUTE_INT = 3,
    ATTRIBUTE_INTS = 8,
    ATTRIBUTE_TYPE = 20,
    TENSOR_DIM = 1,
    TENSOR_TYPE = 2,
    TENSOR_NAME_FIELD = 8,
    TENSOR_BYTES_FIELD = 9,
    VALUE_NAME = 1,
    VALUE_TYPE = 2,
    TYPE_TENSOR = 1,
    TENSOR_TYPE_ELEMENT = 1,
    TENSOR_TYPE_SHAPE = 2,
    SHAPE_DIM = 1,
    DIM_SIZE = 1,
    DIM_NAME = 2
};
enum { KIND_FLOAT = 1, KIND_INT = 2, KIND_INTS = 7 }; /* of attributes */

void onnx_file_init(struct onnx_file *file) {
    memset(file, 0, sizeof *file);
}

void onnx_file_release(struct onnx_file *file) {
    for (int i = 0; i < file->count; i++) {
        str_release(&file->constant[i].head);
        free(file->constant[i].data);
    }
    free(file->constant);
    str_release(&file->nodes);
    str_release(&file->input);
    str_release(&file->output);
    memset(file, 0, sizeof *file);
}

static void add_attribute(struct str *node, const struct onnx_attribute *attribute) {
    struct str message = STR_INIT;
    int kind = attribute->is_real ? KIND_FLOAT : attribute->count ? KIND_INTS : KIND_INT;
    proto_text(&message, ATTRIBUTE_NAME, attribute->name);
    if (attribute->is_real)
        proto_float(&message, ATTRIBUTE_FLOAT, attribute->real);
    else if (!attribute->count)
        proto_int(&message, ATTRIBUTE_INT, attribute->ints[0]);
    for (int i = 0; i < attribute->count; i++)
        proto_int(&message, ATTRIBUTE_INTS, attribute->ints[i]);
    proto_int(&message, ATTRIBUTE_TYPE, kind);
    proto_message(node, NODE_ATTRIBUTE, &message);
    str_release(&message);
}

void onnx_add_node(struct onnx_file *file, const struct onnx_node *node) {
    struct str message = STR_INIT, name = STR_INIT;
    str_addf(&name, "%s.%d", node->type, file->node_count++);
    for (int i = 0; i < ONNX_NODE_INPUTS && node->in[i]; i++)
        proto_text(&message, NODE_INPUT, node->in[i]);
    for (int i = 0; i < ONNX_NODE_OUTPUTS && node->out[i]; i++)
        proto_text(&message, NODE_OUTPUT, node->out[i]);
    proto_text(&message, NODE_NAME, str_text(&name));
    proto_text(&message, NODE_TYPE, node->type);
    for (int i = 0; i < ONNX_NODE_ATTRIBUTES && node->attribute[i].name; i++)
        add_attribute(&message, &node->attribute[i]);
    proto_message(&file->nodes, GRAPH_NODE, &message);
    str_release(&name);
    str_release(&message);
}

static void add_constant(struct onnx_file *file, const struct tensor *tensor, int type,
                         void *data) {
    MEM_GROW(file->constant, file->count, file->capacity);
    struct onnx_constant *constant = &file->constant[file->count++];
    *constant = (struct onnx_constant){.data = data, .bytes = tensor->bytes};
    for (int i = 0; i < tensor->rank; i++)
        proto_int(&constant->head, TENSOR_DIM, tensor->dim[i]);
    proto_int(&constant->head, TENSOR_TYPE, type);
    proto_text(&constant->head, TENSOR_NAME_FIELD, tensor->name);
    proto_head(&constant->head, TENSOR_BYTES_FIELD, constant->bytes);
}

void onnx_add_floats(struct onnx_file *file, const char *name, const int64_t *dim, int rank,
                     float *data) {
    struct tensor tensor = {.name = name, .rank = rank};
    memcpy(tensor.dim, dim, (size_t)rank * sizeof *dim);
    tensor.bytes = (size_t)tensor_elements(&tensor) * sizeof *data;
    add_constant(file, &tensor, TYPE_FLOAT, data);
}

void onnx_add_integers(struct onnx_file *file, const char *name, const int64_t *value, int count) {
    size_t bytes = (size_t)count * sizeof *value;
    struct tensor tensor = {.name = name, .rank = 1, .dim = {count}, .bytes = bytes};
    int64_t *copy = xmalloc(bytes);
    memcpy(copy, value, bytes);
    add_constant(file, &tensor, TYPE_INT64, copy);
}

/* One message inside another, all the way out. */
static void wrap(struct str *message, int field) {
    struct str outer = STR_INIT;
    proto_message(&outer, field, message);
    str_release(message);
    *message = outer;
}

static void describe(struct str *out, const char *name, const int64_t *dim, int rank) {
    struct str shape = STR_INIT, type = STR_INIT, size = STR_INIT;
    proto_text(&size, DIM_NAME, "batch");
    proto_message(&shape, SHAPE_DIM, &size);
    for (int i = 0; i < rank; i++) {
        str_clear(&size);
        proto_int(&size, DIM_SIZE, dim[i]);
        proto_message(&shape, SHAPE_DIM, &size);
    }
    proto_int(&type, TENSOR_TYPE_ELEMENT, TYPE_FLOAT);
    proto_message(&type, TENSOR_TYPE_SHAPE, &shape);
    wrap(&type, TYPE_TENSOR);
    proto_text(out, VALUE_NAME, name);
    proto_message(out, VALUE_TYPE, &type);
    str_release(&shape);
    str_release(&type);
    str_release(&size);
}

void onnx_set_input(struct onnx_file *file, const char *name, const int64_t *dim, int rank) {
    describe(&file->input, name, dim, rank);
}

void onnx_set_output(struct onnx_file *file, const char *name, const int64_t *dim, int rank) {
    describe(&file->output, name, dim, rank);
}

/* All of the model that stands in front of its graph. */
static void add_model(struct str *out, const struct safetensors_note *notes, size_t n_notes) {
    struct str message = STR_INIT;
    proto_int(out, MODEL_IR_VERSION, IR_VERSION);
    proto_text(out, MODEL_PRODUCER, "distilld");
    proto_int(&message, OPSET_VERSION, OPSET);
    proto_message(out, MODEL_OPSET, &message);
    for (size_t i = 0; i < n_notes; i++) {
        str_clear(&message);
        proto_text(&message, ENTRY_KEY, notes[i].key);
        proto_text(&message, ENTRY_VALUE, notes[i].value);
        proto_message(out, MODEL_METADATA, &message);
    }
    str_release(&message);
}

static uint64_t constants_bytes(const struct onnx_file *file) {
    uint64_t bytes = 0;
    struct str head = STR_INIT;
    for (int i = 0; i < file->count; i++) {
        uint64_t tensor = file->constant[i].head.len + file->constant[i].bytes;
        str_clear(&head);
        proto_head(&head, GRAPH_CONSTANT, tensor);
        bytes += head.len + tensor;
    }
    str_release(&head);
    return bytes;
}

static enum status write_constants(const struct onnx_file *file, struct file_writer *writer,
                                   struct error *err) {
    struct str head = STR_INIT;
    enum status status = STATUS_OK;
    for (int i = 0; i < file->count && !status; i++) {
        const struct onnx_constant *constant = &file->constant[i];
        str_clear(&head);
        proto_head(&head, GRAPH_CONSTANT, constant->head.len + constant->bytes);
        str_add_bytes(&head, str_text(&constant->head), constant->head.len);
        status = file_writer_add(writer, str_text(&head), head.len, err);
        if (!status)
            status = file_writer_add(writer, constant->data, constant->bytes, err);
    }
    str_release(&head);
    return status;
}

/* The front with the graph's nodes, and the constants behind: their order is free. */
static enum status write_parts(const struct onnx_file *file, const struct str *front,
                               const char *path, struct error *err) {
    struct file_writer writer;
    enum status status = file_writer_open(&writer, path, err);
    if (!status)
        status = file_writer_add(&writer, str_text(front), front->len, err);
    if (!status)
        status = write_constants(file, &writer, err);
    return status ? status : file_writer_commit(&writer, err);
}

enum status onnx_file_write(const struct onnx_file *file, const char *graph,
                            const struct safetensors_note *notes, size_t n_notes, const char *path,
                            struct error *err) {
    struct str front = STR_INIT, inner = STR_INIT;
    enum status status;
    proto_text(&inner, GRAPH_NAME, graph);
    proto_message(&inner, GRAPH_INPUT, &file->input);
    proto_message(&inner, GRAPH_OUTPUT, &file->output);
    uint64_t constants = constants_bytes(file);
    uint64_t graph_bytes = inner.len + file->nodes.len + constants;
    add_model(&front, notes, n_notes);
    proto_head(&front, MODEL_GRAPH, graph_bytes);
    str_add_bytes(&front, str_text(&inner), inner.len);
    str_add_bytes(&front, str_text(&file->nodes), file->nodes.len);
    if (front.clipped || front.len + constants > MAX_BYTES)
        status = error_set(err, STATUS_TOO_LARGE, "an ONNX file of more than 2 GiB");
    else
        status = write_parts(file, &front, path, err);
    str_release(&inner);
    str_release(&front);
    return status;
}
