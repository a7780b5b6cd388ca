#include "service/http/model_onnx.h"

#include "engine/onnx/export.h"
#include "service/http/app.h"
#include "service/http/chore.h"
#include "service/store/stored_error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An export on its way; it takes as long as reading and writing the weights. */
struct export {
    struct chore chore; /* first */
    char id[ID_BYTES], folder[FILE_PATH_BYTES];
    bool normalize;
    int file; /* the reply's, or -1 */
};

static void export_free(void *state) {
    struct export *export = state;
    if (export->file >= 0)
        close(export->file);
    free(export);
}

/* A name beside the models that nobody sees, and that is swept away after a crash. */
static enum status temporary_path(const struct export *export, char path[FILE_PATH_BYTES],
                                  struct error *err) {
    struct app *app = export->chore.request->app;
    char folder[FILE_PATH_BYTES], name[ID_BYTES];
    id_make(&app->ids, FILE_TMP_PREFIX, name);
    enum status status = config_path(app->config, "models", folder, err);
    return status ? status : file_join(path, folder, name, err);
}

/* Writes the file, keeps it open and takes its name away. */
static enum status write_file(struct export *export, const struct loaded_model *model,
                              struct error *err) {
    char path[FILE_PATH_BYTES];
    enum status status = temporary_path(export, path, err);
    if (!status)
        status = onnx_export(model, export->normalize, path, err);
    if (status)
        return status;
    export->file = open(path, O_RDONLY | O_CLOEXEC);
    if (export->file < 0)
        status = error_set_errno(err, errno, "ONNX file of %s", export->id);
    unlink(path);
    return status;
}

static enum status run_export(struct chore *chore, struct error *err) {
    struct export *export = (struct export *)chore;
    struct loaded_model model = {0};
    enum status status = stored_error(export->folder, model_load(&model, export->folder, err), err);
    if (!status)
        status = write_file(export, &model, err);
    loaded_model_release(&model);
    return status;
}

static enum status reply_export(struct request *request, struct reply *reply, struct error *err) {
    struct export *export = request->state;
    enum status status = chore_result(&export->chore, err);
    off_t bytes = status ? 0 : lseek(export->file, 0, SEEK_END);
    if (bytes < 0)
        status = error_set_errno(err, errno, "ONNX file of %s", export->id);
    if (status)
        return status;
    reply_body(reply, HTTP_OK, "application/octet-stream");
    reply->file = export->file;
    reply->file_bytes = (uint64_t)bytes;
    export->file = -1;
    reply_header(reply, "Content-Disposition", "attachment; filename=\"%s.onnx\"", export->id);
    return STATUS_OK;
}

void reply_model_onnx(struct request *request, const struct model *model, bool normalize) {
    struct export *export = xcalloc(1, sizeof *export);
    export->normalize = normalize;
    export->file = -1;
    str_copy(export->id, sizeof export->id, model->card.id);
    str_copy(export->folder, sizeof export->folder, model->folder);
    request->state = export;
    request->release = export_free;
    chore_start(&export->chore, request, request->app->loaders, run_export, reply_export);
}
