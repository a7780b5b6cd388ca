#include "service/http/model_cache.h"

#include "engine/base/mem.h"
#include "service/common/log.h"
#include "service/store/stored_error.h"

#include <pthread.h>
#include <stdlib.h>

struct model_cache {
    const struct config *config;
    pthread_mutex_t loading; /* held while a model is loaded: one at a time, each only once */
    pthread_mutex_t lock;    /* for what follows */
    struct cached_model *models;
    int count;
    int64_t bytes;
    uint64_t uses;
};

struct model_cache *model_cache_create(const struct config *config) {
    struct model_cache *cache = xcalloc(1, sizeof *cache);
    cache->config = config;
    pthread_mutex_init(&cache->loading, NULL);
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

static void cached_model_free(struct cached_model *model) {
    log_info("model_unloaded", log_text("model", model->id));
    batcher_free(model->batcher);
    free(model);
}

static bool is_over_limit(const struct model_cache *cache) {
    return cache->count > cache->config->models_loaded ||
           cache->bytes > cache->config->models_bytes;
}

static struct cached_model *take(struct model_cache *cache, struct cached_model **at) {
    struct cached_model *model = *at;
    *at = model->next;
    cache->count--;
    cache->bytes -= model->bytes;
    return model;
}

/* Takes the model that was not used for longest off the list; NULL when all are in use. */
static struct cached_model *take_oldest(struct model_cache *cache) {
    struct cached_model **oldest = NULL;
    for (struct cached_model **at = &cache->models; *at; at = &(*at)->next)
        if ((*at)->users == 0 && (!oldest || (*at)->used_at < (*oldest)->used_at))
            oldest = at;
    return oldest ? take(cache, oldest) : NULL;
}

/* The same for one whose files are gone. */
static struct cached_model *take_gone(struct model_cache *cache) {
    for (struct cached_model **at = &cache->models; *at; at = &(*at)->next)
        if ((*at)->users == 0 && (*at)->is_gone)
            return take(cache, at);
    return NULL;
}

/* Models are freed without the lock, because their threads have to end. */
static void trim(struct model_cache *cache) {
    struct cached_model *model;
    do {
        pthread_mutex_lock(&cache->lock);
        model = take_gone(cache);
        if (!model && is_over_limit(cache))
            model = take_oldest(cache);
        pthread_mutex_unlock(&cache->lock);
        if (model)
            cached_model_free(model);
    } while (model);
}

void model_cache_free(struct model_cache *cache) {
    if (!cache)
        return;
    struct cached_model *model;
    while ((model = take_oldest(cache)))
        cached_model_free(model);
    CHECK(cache->count == 0);
    pthread_mutex_destroy(&cache->lock);
    pthread_mutex_destroy(&cache->loading);
    free(cache);
}

static struct cached_model *look_up(struct model_cache *cache, const char *id) {
    pthread_mutex_lock(&cache->lock);
    struct cached_model *model = cache->models;
    while (model && (model->is_gone || !str_equal(model->id, id)))
        model = model->next;
    if (model)
        model->users++;
    pthread_mutex_unlock(&cache->lock);
    return model;
}

static enum status check_size(const struct model_cache *cache, const char *id, int64_t bytes,
                              struct error *err) {
    int64_t most = cache->config->models_bytes;
    if (bytes <= most)
        return STATUS_OK;
    return error_set(err, STATUS_OUT_OF_MEMORY,
                     "model %s needs %lld bytes of memory, models_bytes allows %lld", id,
                     (long long)bytes, (long long)most);
}

/* Each has a thread at least. */
static int batches_of(const struct config *config) {
    return (int)(config->predict_batches < config->predict_threads ? config->predict_batches
                                                                   : config->predict_threads);
}

/* Of a batch on a processor: larger ones are hardly faster there, and keep their pictures waiting.
 */
enum { HOST_BATCH = 16 };

/* Runs each batch size, and adds what the predictor holds. */
static enum status warm(struct model_cache *cache, const char *id, struct predictor *predictor,
                        int64_t *bytes, struct error *err) {
    enum status status = predictor_warm(predictor, err);
    *bytes += (int64_t)predictor_bytes(predictor);
    return status ? status : check_size(cache, id, *bytes, err);
}

/* On a processor the threads are shared by some predictors; a picture that comes alone gets all. */
static enum status add_twins(struct model_cache *cache, const char *id,
                             struct batcher_predictors *out, int64_t *bytes, struct error *err) {
    const struct config *config = cache->config;
    int threads = (int)config->predict_threads, batches = batches_of(config);
    struct predictor *first = out->each[0];
    enum status status = STATUS_OK;
    while (out->count < batches && !status) {
        status = predictor_twin(&out->each[out->count], first, threads / batches, err);
        if (!status)
            status = warm(cache, id, out->each[out->count++], bytes, err);
    }
    if (status || batches == 1)
        return status;
    status = predictor_twin(&out->lone, first, threads, err);
    if (status)
        return status;
    predictor_limit(out->lone, 1);
    return warm(cache, id, out->lone, bytes, err);
}

static enum status open_predictors(struct model_cache *cache, const struct model *files,
                                   struct batcher_predictors *out, int64_t *bytes,
                                   struct error *err) {
    const struct config *config = cache->config;
    const char *id = files->card.id;
    enum status status = check_size(cache, id, files->card.weights_bytes, err);
    if (!status)
        status =
            predictor_create(&out->each[0], files->folder, (enum device_kind)config->device,
                             (int)config->predict_threads / batches_of(config), PRECISION_F32, err);
    if (status)
        return stored_error(files->folder, status, err);
    bool on_host = predictor_is_on_host(out->each[0]);
    out->count = 1;
    out->most = on_host ? HOST_BATCH : PREDICTOR_MAX_BATCH;
    predictor_limit(out->each[0], out->most);
    status = warm(cache, id, out->each[0], bytes, err);
    if (!status && on_host)
        status = add_twins(cache, id, out, bytes, err);
    return status;
}

/* Another process may have removed it: its folder is asked every time. */
struct cached_model *model_cache_find(struct model_cache *cache, const char *id) {
    struct cached_model *model = look_up(cache, id);
    if (!model || file_is_dir(model->folder))
        return model;
    pthread_mutex_lock(&cache->lock);
    model->is_gone = true;
    pthread_mutex_unlock(&cache->lock);
    model_cache_give(cache, model);
    return NULL;
}

void model_cache_forget(struct model_cache *cache, const char *id) {
    model_cache_give(cache, model_cache_find(cache, id));
}

/* Reads the files and starts the model's threads. */
static enum status open_model(struct model_cache *cache, const char *id, struct cached_model **out,
                              struct error *err) {
    const struct config *config = cache->config;
    struct model files = {0};
    struct batcher_predictors predictors = {.count = 0};
    struct cached_model *model = xcalloc(1, sizeof *model);
    enum status status = models_find(&files, config->data, id, err);
    if (!status)
        status = open_predictors(cache, &files, &predictors, &model->bytes, err);
    if (status) {
        batcher_predictors_free(&predictors);
        goto out;
    }
    model->info = predictor_info(predictors.each[0]);
    str_copy(model->id, sizeof model->id, files.card.id);
    str_copy(model->folder, sizeof model->folder, files.folder);
    status = batcher_create(&model->batcher, &predictors, (int)config->predict_queue, err);
    if (status)
        goto out;
    log_info("model_loaded", log_text("model", id), log_int("bytes", model->bytes));
    *out = model;
    model = NULL;
out:
    free(model);
    model_release(&files);
    return status;
}

static void add(struct model_cache *cache, struct cached_model *model) {
    pthread_mutex_lock(&cache->lock);
    model->users = 1;
    model->next = cache->models;
    cache->models = model;
    cache->count++;
    cache->bytes += model->bytes;
    pthread_mutex_unlock(&cache->lock);
}

enum status model_cache_load(struct model_cache *cache, const char *id, struct cached_model **out,
                             struct error *err) {
    enum status status = STATUS_OK;
    pthread_mutex_lock(&cache->loading);
    *out = model_cache_find(cache, id);
    if (!*out) {
        status = open_model(cache, id, out, err);
        if (!status)
            add(cache, *out);
    }
    pthread_mutex_unlock(&cache->loading);
    trim(cache);
    return status;
}

void model_cache_give(struct model_cache *cache, struct cached_model *model) {
    if (!model)
        return;
    pthread_mutex_lock(&cache->lock);
    model->users--;
    model->used_at = ++cache->uses;
    bool is_due = model->is_gone || is_over_limit(cache);
    pthread_mutex_unlock(&cache->lock);
    if (is_due)
        trim(cache);
}

int64_t model_cache_bytes(struct model_cache *cache) {
    pthread_mutex_lock(&cache->lock);
    int64_t bytes = cache->bytes;
    pthread_mutex_unlock(&cache->lock);
    return bytes;
}

int model_cache_count(struct model_cache *cache) {
    pthread_mutex_lock(&cache->lock);
    int count = cache->count;
    pthread_mutex_unlock(&cache->lock);
    return count;
}

int model_cache_waiting(struct model_cache *cache) {
    int waiting = 0;
    pthread_mutex_lock(&cache->lock);
    for (const struct cached_model *model = cache->models; model; model = model->next)
        waiting += batcher_waiting(model->batcher);
    pthread_mutex_unlock(&cache->lock);
    return waiting;
}
