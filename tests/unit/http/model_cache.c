/* Which models stay loaded when there is no room for all. */
#include "service/http/model_cache.h"
#include "service/store/folders.h"
#include "service/store/model_card.h"
#include "tests/unit/session/model_fixture.h"

static const char *const ID[] = {"model_01JAAAAAAAAAAAAAAAAAAAAAAA",
                                 "model_01JBBBBBBBBBBBBBBBBBBBBBBB",
                                 "model_01JCCCCCCCCCCCCCCCCCCCCCCC"};
static struct config config;
static struct error why;

static void must(enum status status, const char *what) {
    if (status)
        T_FAIL("%s: %s", what, why.message);
}

static enum status fill(void *ctx, const char *folder, struct model_card *card, struct error *err) {
    (void)ctx;
    fixture_write_model(folder);
    return model_card_describe(card, folder, err);
}

static void make_model(const char *id) {
    struct model_card card = {0};
    str_copy(card.id, sizeof card.id, id);
    must(models_create(config.data, &card, fill, NULL, &why), "model");
    model_card_release(&card);
}

static void use(struct model_cache *cache, const char *id) {
    struct cached_model *model = NULL;
    must(model_cache_load(cache, id, &model, &why), "load");
    T_STR(model->id, id);
    model_cache_give(cache, model);
}

static bool is_loaded(struct model_cache *cache, const char *id) {
    struct cached_model *model = model_cache_find(cache, id);
    model_cache_give(cache, model);
    return model != NULL;
}

static void the_one_unused_for_longest_goes(void) {
    struct model_cache *cache = model_cache_create(&config);
    use(cache, ID[0]);
    use(cache, ID[1]);
    use(cache, ID[0]);
    use(cache, ID[2]);
    T_INT(model_cache_count(cache), 2);
    T_CHECK(!is_loaded(cache, ID[1]));
    T_CHECK(is_loaded(cache, ID[0]) && is_loaded(cache, ID[2]));
    use(cache, ID[1]); /* now the first one's turn */
    T_CHECK(!is_loaded(cache, ID[0]));
    T_CHECK(is_loaded(cache, ID[1]) && is_loaded(cache, ID[2]));
    model_cache_free(cache);
}

/* For the sake of a model in use there may be more for a moment. */
static void a_model_in_use_stays(void) {
    struct model_cache *cache = model_cache_create(&config);
    struct cached_model *held[3];
    for (int i = 0; i < 3; i++)
        must(model_cache_load(cache, ID[i], &held[i], &why), "load");
    T_INT(model_cache_count(cache), 3);
    for (int i = 0; i < 3; i++)
        model_cache_give(cache, held[i]);
    T_INT(model_cache_count(cache), 2);
    T_CHECK(!is_loaded(cache, ID[0]));
    model_cache_free(cache);
}

int main(void) {
    char data[300], device[] = "device=ref", loaded[] = "models_loaded=2";
    const char *folder = t_temp_dir();
    snprintf(data, sizeof data, "data=%s/data", folder);
    char *const argv[] = {data, device, loaded};
    must(config_parse(&config, 3, argv, &why), "config");
    setenv("DISTILLD_LOG", "error", 0);
    must(folders_prepare(config.data, 0, &why), "prepare");
    for (int i = 0; i < 3; i++)
        make_model(ID[i]);
    T_RUN(the_one_unused_for_longest_goes);
    T_RUN(a_model_in_use_stays);
    CHECK(file_remove_all(folder, NULL) == STATUS_OK);
    return t_done();
}
