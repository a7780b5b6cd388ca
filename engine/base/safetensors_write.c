#include "engine/base/safetensors.h"

#include "engine/base/str.h"
#include "engine/base/utf8.h"

#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, ALIGN_BYTES = 8 };

static int compare_text(const void *a, const void *b) {
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right);
}

/* What the reader would refuse or read back as another text may not be written. */
static enum status check_names(const char **names, size_t count, struct error *err) {
    qsort(names, count, sizeof *names, compare_text);
    for (size_t i = 0; i < count; i++) {
        if (!utf8_is_valid(names[i], strlen(names[i])))
            return error_set(err, STATUS_INVALID, "name %s is not UTF-8", names[i]);
        if (i && strcmp(names[i - 1], names[i]) == 0)
            return error_set(err, STATUS_INVALID, "name %s is used twice", names[i]);
    }
    return STATUS_OK;
}

static enum status check_shape(const struct tensor *tensor, struct error *err) {
    if (tensor->rank < 0 || tensor->rank > TENSOR_MAX_RANK)
        return error_set(err, STATUS_INVALID, "tensor %s has %d dimensions", tensor->name,
                         tensor->rank);
    size_t bytes;
    if (!tensor_shape_bytes(tensor, &bytes) || bytes != tensor->bytes)
        return error_set(err, STATUS_INVALID, "tensor %s: its shape does not give its %zu bytes",
                         tensor->name, tensor->bytes);
    if (str_equal(tensor->name, "__metadata__"))
        return error_set(err, STATUS_INVALID, "a tensor may not be called __metadata__");
    return STATUS_OK;
}

static enum status check_tensors(const struct tensor *tensors, size_t count, struct error *err) {
    if (count > SAFETENSORS_MAX_TENSORS)
        return error_set(err, STATUS_TOO_LARGE, "more than %d tensors", SAFETENSORS_MAX_TENSORS);
    const char **names = xmalloc(count * sizeof *names);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && !status; i++) {
        names[i] = tensors[i].name;
        status = check_shape(&tensors[i], err);
    }
    if (!status)
        status = check_names(names, count, err);
    free(names);
    return status;
}

static enum status check_notes(const struct safetensors_note *notes, size_t n_notes,
                               struct error *err) {
    const char **keys = xcalloc(n_notes, sizeof *keys);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < n_notes; i++) {
        keys[i] = notes[i].key;
        if (!utf8_is_valid(notes[i].value, strlen(notes[i].value)))
            status = error_set(err, STATUS_INVALID, "metadata %s is not UTF-8", notes[i].key);
    }
    if (!status)
        status = check_names(keys, n_notes, err);
    free(keys);
    return status;
}

static void add_notes(struct str *header, const struct safetensors_note *notes, size_t n_notes) {
    str_add(header, "\"__metadata__\":{");
    for (size_t i = 0; i < n_notes; i++) {
        if (i)
            str_add(header, ",");
        str_add_json(header, notes[i].key);
        str_add(header, ":");
        str_add_json(header, notes[i].value);
    }
    str_add(header, "}");
}

static void add_tensor(struct str *header, const struct tensor *tensor, size_t offset) {
    str_add_json(header, tensor->name);
    str_addf(header, ":{\"dtype\":\"%s\",\"shape\":[", tensor_type_name(tensor->type));
    for (int i = 0; i < tensor->rank; i++)
        str_addf(header, "%s%lld", i ? "," : "", (long long)tensor->dim[i]);
    str_addf(header, "],\"data_offsets\":[%zu,%zu]}", offset, offset + tensor->bytes);
}

/* Spaces at the end put the data at a multiple of 8 bytes. */
static void pad(struct str *header) {
    while ((LENGTH_BYTES + header->len) % ALIGN_BYTES != 0 && !header->clipped)
        str_add(header, " ");
}

/* Everything in front of the tensors' data, after checking it all. */
static enum status make_header(struct str *header, const struct tensor *tensors, size_t count,
                               const struct safetensors_note *notes, size_t n_notes,
                               struct error *err) {
    size_t offset = 0;
    enum status status = check_tensors(tensors, count, err);
    if (!status)
        status = check_notes(notes, n_notes, err);
    if (status)
        return status;
    str_add(header, "{");
    if (n_notes)
        add_notes(header, notes, n_notes);
    for (size_t i = 0; i < count; i++) {
        if (i || n_notes)
            str_add(header, ",");
        add_tensor(header, &tensors[i], offset);
        offset += tensors[i].bytes;
    }
    str_add(header, "}");
    pad(header);
    return header->clipped ? error_set(err, STATUS_TOO_LARGE, "a header of more than %d bytes",
                                       SAFETENSORS_MAX_HEADER_BYTES)
                           : STATUS_OK;
}

static enum status open_with(struct file_writer *writer, const char *path, const struct str *header,
                             struct error *err) {
    uint64_t header_len = header->len;
    enum status status = file_writer_open(writer, path, err);
    if (!status)
        status = file_writer_add(writer, &header_len, LENGTH_BYTES, err);
    if (!status)
        status = file_writer_add(writer, header->data, header->len, err);
    return status;
}

enum status safetensors_begin(struct file_writer *writer, const char *path,
                              const struct tensor *tensors, size_t count, struct error *err) {
    struct str header = {.max = SAFETENSORS_MAX_HEADER_BYTES};
    enum status status = make_header(&header, tensors, count, NULL, 0, err);
    if (!status)
        status = open_with(writer, path, &header, err);
    str_release(&header);
    return status;
}

enum status safetensors_write(const char *path, const struct tensor *tensors, size_t count,
                              const struct safetensors_note *notes, size_t n_notes,
                              struct error *err) {
    struct str header = {.max = SAFETENSORS_MAX_HEADER_BYTES};
    struct file_writer writer;
    enum status status = make_header(&header, tensors, count, notes, n_notes, err);
    if (!status)
        status = open_with(&writer, path, &header, err);
    for (size_t i = 0; i < count && !status; i++)
        status = file_writer_add(&writer, tensors[i].data, tensors[i].bytes, err);
    if (!status)
        status = file_writer_commit(&writer, err);
    str_release(&header);
    return status;
}
