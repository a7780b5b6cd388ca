#include "service/store/predictions.h"

#include "engine/base/str.h"
#include "service/store/folders.h"
#include "service/store/publish.h"

#include <stdio.h>

#define KIND "predictions"

const struct predictions_kind predictions_kinds[PREDICTIONS_FORMATS] = {
#define PREDICTIONS_ROW(name, suffix, type, doc) [PREDICTIONS_##name] = {suffix, type},
    PREDICTIONS_FORMAT_MAP(PREDICTIONS_ROW)
#undef PREDICTIONS_ROW
};

enum { NAME_BYTES = 64 };

static void file_name(char out[NAME_BYTES], enum predictions_format format) {
    snprintf(out, NAME_BYTES, "predictions.%s", predictions_kinds[format].suffix);
}

enum status predictions_path(char out[FILE_PATH_BYTES], const char *folder,
                             enum predictions_format format, struct error *err) {
    char name[NAME_BYTES];
    file_name(name, format);
    return file_join(out, folder, name, err);
}

enum status predictions_publish(const char *data, const char *job_id, const char *folder,
                                struct error *err) {
    struct publication publication;
    enum status status = publication_begin(&publication, data, KIND, job_id, err);
    for (int format = 0; format < PREDICTIONS_FORMATS && !status; format++) {
        char name[NAME_BYTES];
        file_name(name, (enum predictions_format)format);
        status = publication_link(&publication, folder, name, name, err);
    }
    status = publication_end(&publication, status, err);
    return status == STATUS_CONFLICT ? STATUS_OK : status;
}

enum status predictions_find(char out[FILE_PATH_BYTES], const char *data, const char *job_id,
                             enum predictions_format format, struct error *err) {
    char folder[FILE_PATH_BYTES];
    enum status status = folder_path(folder, data, KIND, job_id, err);
    if (!status)
        status = predictions_path(out, folder, format, err);
    if (!status && !file_exists(out))
        status = error_set(err, STATUS_NOT_FOUND, "job %s has no predictions", job_id);
    return status;
}

enum status predictions_remove(const char *data, const char *job_id, struct error *err) {
    char folder[FILE_PATH_BYTES];
    enum status status = folder_path(folder, data, KIND, job_id, err);
    return status ? status : file_remove_all(folder, err);
}
