#include "service/store/evaluations.h"

#include "api/evaluation.h"

#include <stdio.h>
#include <stdlib.h>

enum { FILE_MAX_BYTES = 64 << 20 };

enum status evaluation_file_name(char out[FILE_PATH_BYTES], const struct evaluation_key *key,
                                 struct error *err) {
    int len = snprintf(out, FILE_PATH_BYTES, "evaluation.%s.%s.json", split_names[key->split],
                       key->dataset);
    return len < FILE_PATH_BYTES ? STATUS_OK
                                 : error_set(err, STATUS_TOO_LARGE, "the name is too long");
}

static enum status file_path(char out[FILE_PATH_BYTES], const char *model_folder,
                             const struct evaluation_key *key, struct error *err) {
    char name[FILE_PATH_BYTES];
    enum status status = evaluation_file_name(name, key, err);
    return status ? status : file_join(out, model_folder, name, err);
}

enum status evaluation_find(struct evaluation *out, const char *model_folder,
                            const struct evaluation_key *key, struct error *err) {
    char path[FILE_PATH_BYTES], *text = NULL;
    size_t len = 0;
    *out = (struct evaluation){0};
    enum status status = file_path(path, model_folder, key, err);
    if (!status)
        status = file_read(path, FILE_MAX_BYTES, &text, &len, err);
    if (!status)
        status = evaluation_decode(out, text, len, err);
    free(text);
    return status;
}

enum status evaluation_put(const char *model_folder, const struct evaluation_key *key,
                           const struct evaluation *evaluation, struct error *err) {
    char path[FILE_PATH_BYTES];
    struct str text = STR_INIT;
    evaluation_add_stored(evaluation, &text);
    enum status status = file_path(path, model_folder, key, err);
    if (!status)
        status = file_write(path, str_text(&text), text.len, err);
    str_release(&text);
    return status;
}
