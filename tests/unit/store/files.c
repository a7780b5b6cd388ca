/* Models and data sets as files: publishing, listing, importing, and what is swept away. */
#include "engine/base/clock.h"
#include "service/store/aliases.h"
#include "service/store/datasets.h"
#include "service/store/folders.h"
#include "service/store/models.h"
#include "tests/support/t.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char data[256];
static struct error why;

static void must(enum status status, const char *what) {
    if (status)
        T_FAIL("%s: %s", what, why.message);
}

static void put(const char *folder, const char *name, const char *text) {
    char path[FILE_PATH_BYTES];
    must(file_make_dirs(folder, &why), "folder");
    must(file_join(path, folder, name, &why), "path");
    must(file_write(path, text, strlen(text), &why), "write");
}

static const char *path_of(const char *relative) {
    static char path[4][FILE_PATH_BYTES];
    static int next;
    char *out = path[next++ % 4];
    must(file_join(out, data, relative, &why), "path");
    return out;
}

static void fill_card(struct model_card *card, const char *id) {
    memset(card, 0, sizeof *card);
    fields_default(&model_card_table, card);
    str_copy(card->id, sizeof card->id, id);
    str_copy(card->architecture, sizeof card->architecture, "resnet8");
    str_copy(card->method, sizeof card->method, "ce");
    str_copy(card->created, sizeof card->created, "2026-01-31T12:00:00.000Z");
    card->height = card->width = card->channels = card->parameters = card->epoch = 1;
    card->best_epoch = card->weights_bytes = 1;
    card->classes = 2;
    card->top1 = 0.5;
    class_names_add(&card->class_names, "cat");
    class_names_add(&card->class_names, "dog");
}

static void publish(const char *id) {
    struct model_card card;
    fill_card(&card, id);
    must(models_publish(data, path_of("run"), &card, &why), "publish");
    model_card_release(&card);
}

static void test_a_model_is_published_once(void) {
    static const char *const id = "model_01JAAAAAAAAAAAAAAAAAAAAAAA";
    struct model model;
    put(path_of("run"), "model.safetensors", "weights");
    publish(id);
    publish(id);
    must(models_find(&model, data, id, &why), "find");
    T_STR(model.card.id, id);
    T_INT(model.card.class_names.count, 2);
    T_INT(file_size(model.weights), 7);
    T_CHECK(file_exists(path_of("run/model.safetensors"))); /* the run keeps its own */
    model_release(&model);
}

static void test_unknown_and_tricky_ids_are_not_found(void) {
    static const char *const ids[] = {
        "",
        "model_",
        "../run",
        "model_01JAAAAAAAAAAAAAAAAAAAAAA",
        "model_01JBBBBBBBBBBBBBBBBBBBBBBB",
        "model_01JAAAAAAAAAAAAAAAAAAAA/../x",
        "job_01JAAAAAAAAAAAAAAAAAAAAAAA",
    };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        struct model model;
        if (models_find(&model, data, ids[i], &why) != STATUS_NOT_FOUND)
            T_FAIL("\"%s\": %s", ids[i], why.message);
    }
}

static void test_models_are_listed_newest_first(void) {
    static const char *const ids[] = {"model_01JAAAAAAAAAAAAAAAAAAAAAAB",
                                      "model_01JAAAAAAAAAAAAAAAAAAAAAAC",
                                      "model_01JAAAAAAAAAAAAAAAAAAAAAAD"};
    for (size_t i = 0; i < 3; i++)
        publish(ids[i]);
    put(path_of("models/model_01JAAAAAAAAAAAAAAAAAAAAAAE"), "model.json", "{broken");
    struct model_list list;
    must(models_list(&list, data, NULL, 2, &why), "list");
    T_INT(list.count, 2);
    T_STR(list.item[0].card.id, ids[2]);
    T_STR(list.next, ids[1]);
    char cursor[ID_BYTES];
    str_copy(cursor, sizeof cursor, list.next);
    model_list_release(&list);
    must(models_list(&list, data, cursor, 10, &why), "list");
    T_INT(list.count, 2);
    T_STR(list.item[0].card.id, ids[0]);
    T_STR(list.next, "");
    model_list_release(&list);
}

/* Six pictures of 2 x 2, as IDX files. */
static void write_idx(const char *folder, const char *split, int count) {
    char name[64];
    uint8_t images[16 + 6 * 4] = {0, 0, 8, 3, 0, 0, 0, (uint8_t)count, 0, 0, 0, 2, 0, 0, 0, 2};
    uint8_t labels[8 + 6] = {0, 0, 8, 1, 0, 0, 0, (uint8_t)count};
    for (int i = 0; i < 4 * count; i++)
        images[16 + i] = (uint8_t)(i * 10);
    for (int i = 0; i < count; i++)
        labels[8 + i] = (uint8_t)(i % 2);
    char path[FILE_PATH_BYTES];
    must(file_make_dirs(folder, &why), "folder");
    snprintf(name, sizeof name, "%s-images-idx3-ubyte", split);
    must(file_join(path, folder, name, &why), "path");
    must(file_write(path, images, 16 + 4 * (size_t)count, &why), "write");
    snprintf(name, sizeof name, "%s-labels-idx1-ubyte", split);
    must(file_join(path, folder, name, &why), "path");
    must(file_write(path, labels, 8 + (size_t)count, &why), "write");
}

static enum status import(const char *roots, const char *name, const char *path,
                          struct dataset_entry *entry) {
    struct dataset_request request = {.name = ""};
    memset(&why, 0, sizeof why);
    str_copy(request.name, sizeof request.name, name);
    str_copy(request.path, sizeof request.path, path);
    return datasets_import(data, roots, 0, &request, entry, &why);
}

static int temporary_entries(const char *folder) {
    struct str command = STR_INIT;
    char line[16] = "";
    str_addf(&command, "find '%s' -name '.tmp-*' | wc -l", folder);
    FILE *pipe = popen(str_text(&command), "r");
    str_release(&command);
    if (!pipe || !fgets(line, sizeof line, pipe))
        T_FAIL("find failed");
    if (pipe)
        pclose(pipe);
    return atoi(line);
}

static void test_a_data_set_is_imported(void) {
    struct dataset_entry entry;
    write_idx(path_of("src/tiny"), "train", 6);
    write_idx(path_of("src/tiny"), "t10k", 4);
    must(import(path_of("src"), "tiny", path_of("src/tiny"), &entry), "import");
    T_STR(entry.card.name, "tiny");
    T_INT(entry.card.train_count, 6);
    T_INT(entry.card.test_count, 4);
    T_INT(entry.card.classes, entry.card.class_names.count);
    struct dataset dataset;
    must(dataset_open(&dataset, entry.folder, entry.card.name, &why), "open");
    T_INT(dataset.train.images[1], 10);
    T_INT(dataset.train.labels[1], 1);
    T_STR(dataset.sha256, entry.card.sha256);
    dataset_close(&dataset);
    dataset_entry_release(&entry);
    T_INT(import(path_of("src"), "tiny", path_of("src/tiny"), &entry), STATUS_CONFLICT);
    T_STR(why.field, "name");
    T_INT(temporary_entries(data), 0);
    struct dataset_list list;
    must(datasets_list(&list, data, NULL, 10, &why), "list");
    T_INT(list.count, 1);
    dataset_list_release(&list);
}

static void test_imports_stay_below_the_roots(void) {
    struct dataset_entry entry;
    write_idx(path_of("secret"), "train", 6);
    write_idx(path_of("secret"), "t10k", 4);
    write_idx(path_of("src-not"), "train", 6);
    T_INT(symlink(path_of("secret"), path_of("src/link")), 0);
    const char *const paths[] = {path_of("secret"), path_of("src/../secret"), path_of("src/link")};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        T_INT(import(path_of("src"), "other", paths[i], &entry), STATUS_INVALID);
        T_STR(why.field, "path");
    }
    T_INT(import(path_of("src"), "other", path_of("src-not"), &entry), STATUS_INVALID);
    T_INT(import("", "other", path_of("src/tiny"), &entry), STATUS_INVALID);
    T_INT(import(path_of("src"), "other", "src/tiny", &entry), STATUS_INVALID);
    T_INT(import(path_of("src"), "../x", path_of("src/tiny"), &entry), STATUS_INVALID);
    T_STR(why.field, "name");
    T_INT(datasets_find(&entry, data, "other", &why), STATUS_NOT_FOUND);
}

static void test_a_broken_source_leaves_nothing(void) {
    struct dataset_entry entry;
    write_idx(path_of("src/broken"), "train", 6);
    write_idx(path_of("src/broken"), "t10k", 4);
    T_INT(truncate(path_of("src/broken/train-images-idx3-ubyte"), 20), 0);
    T_INT(import(path_of("src"), "broken", path_of("src/broken"), &entry), STATUS_INVALID);
    T_STR(why.field, "path");
    T_INT(file_exists(path_of("datasets/broken")), 0);
    T_INT(temporary_entries(data), 0);
}

static void test_a_withdrawn_model_is_seen_by_nobody(void) {
    static const char *const id = "model_01JAAAAAAAAAAAAAAAAAAAAAAF";
    char gone[FILE_PATH_BYTES];
    struct model model;
    publish(id);
    must(models_check(data, id, &why), "check");
    must(models_withdraw(data, id, gone, &why), "withdraw");
    T_INT(models_check(data, id, &why), STATUS_NOT_FOUND);
    T_INT(models_find(&model, data, id, &why), STATUS_NOT_FOUND);
    T_CHECK(file_is_dir(gone)); /* as after a crash at this point */
    T_INT(temporary_entries(data), 1);
    T_INT(models_withdraw(data, id, gone, &why), STATUS_NOT_FOUND);
    T_INT(datasets_withdraw(data, "../models", gone, &why), STATUS_NOT_FOUND);
    must(folders_prepare(data, 0, &why), "prepare");
    T_INT(temporary_entries(data), 0);
    publish(id); /* the name is free */
    must(models_find(&model, data, id, &why), "find");
    model_release(&model);
}

static void test_aliases(void) {
    static const char *const first = "model_01JAAAAAAAAAAAAAAAAAAAAAAB";
    static const char *const second = "model_01JAAAAAAAAAAAAAAAAAAAAAAC";
    struct alias_card card;
    struct model model;
    char id[ID_BYTES];
    const char *meant;
    bool created;
    must(aliases_point(data, "prod", first, &card, &created, &why), "point");
    T_CHECK(created);
    must(aliases_point(data, "next", "prod", &card, &created, &why), "point at an alias");
    must(aliases_point(data, "prod", second, &card, &created, &why), "move");
    T_CHECK(!created);
    must(aliases_resolve(data, "next", id, &meant, &why), "resolve");
    T_STR(meant, first);
    must(aliases_resolve(data, "../prod", id, &meant, &why), "resolve");
    T_STR(meant, "../prod"); /* no alias: as it is */
    must(aliases_find_model(&model, data, "prod", &why), "find");
    T_STR(model.card.id, second);
    model_release(&model);
    T_INT(aliases_check_unused(data, second, &why), STATUS_CONFLICT);
    T_INT(aliases_point(data, "x", "nothing", &card, &created, &why), STATUS_NOT_FOUND);
    must(aliases_remove(data, "prod", &why), "remove");
    T_INT(aliases_remove(data, "prod", &why), STATUS_NOT_FOUND);
    must(aliases_check_unused(data, second, &why), "unused");
    put(path_of("aliases"), "broken", "{");
    T_INT(aliases_check_unused(data, second, &why), STATUS_CORRUPT); /* it may be meant */
    T_INT(aliases_find_model(&model, data, "broken", &why), STATUS_CORRUPT);
    must(aliases_point(data, "broken", second, &card, &created, &why), "mend");
    T_INT(aliases_check_unused(data, second, &why), STATUS_CONFLICT);
}

static void test_leftovers_are_swept(void) {
    put(path_of("models/.tmp-abc"), "model.safetensors", "half");
    put(path_of("jobs/job_X"), ".tmp-def", "half");
    put(path_of("jobs/job_X"), "checkpoint.safetensors", "whole");
    must(folders_prepare(data, 60000, &why), "prepare");
    T_INT(temporary_entries(data), 2); /* young ones may be in use */
    must(folders_prepare(data, 0, &why), "prepare");
    T_INT(temporary_entries(data), 0);
    T_CHECK(file_exists(path_of("jobs/job_X/checkpoint.safetensors")));
    must(folders_remove_job(data, "job_X", &why), "remove");
    T_CHECK(!file_exists(path_of("jobs/job_X")));
}

static void set_age(const char *path, int64_t seconds) {
    struct timespec time = {.tv_sec = clock_wall_ms() / 1000 - seconds};
    T_INT(utimensat(AT_FDCWD, path, (const struct timespec[]){time, time}, 0), 0);
}

static void test_what_is_written_is_young(void) {
    put(path_of("datasets/.tmp-abc/train/ant"), "1.png", "half");
    set_age(path_of("datasets/.tmp-abc/train/ant"), 4000);
    set_age(path_of("datasets/.tmp-abc/train"), 4000);
    set_age(path_of("datasets/.tmp-abc"), 4000);
    must(folders_prepare(data, 3600000, &why), "prepare");
    T_INT(temporary_entries(data), 1);
    set_age(path_of("datasets/.tmp-abc/train/ant/1.png"), 4000);
    must(folders_prepare(data, 3600000, &why), "prepare");
    T_INT(temporary_entries(data), 0);
}

/* A process that uses the data directory until it is killed. */
static pid_t start_user(void) {
    int ready[2];
    char byte = 0;
    T_INT(pipe(ready), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        must(folders_join(data, 3600000, &why), "join");
        T_INT(write(ready[1], &byte, 1), 1);
        pause();
        _exit(0);
    }
    close(ready[1]);
    T_INT(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void end_user(pid_t pid) {
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void test_only_who_is_alone_sweeps_what_is_young(void) {
    pid_t first = start_user();
    put(path_of("models/.tmp-abc"), "model.safetensors", "half");
    pid_t second = start_user();
    T_INT(temporary_entries(data), 1);
    end_user(first);
    pid_t third = start_user();
    T_INT(temporary_entries(data), 1); /* the second is still there */
    end_user(second);
    end_user(third);
    end_user(start_user());
    T_INT(temporary_entries(data), 0);
}

int main(void) {
    snprintf(data, sizeof data, "%s", t_temp_dir());
    must(folders_prepare(data, 0, &why), "prepare");
    T_RUN(test_a_model_is_published_once);
    T_RUN(test_unknown_and_tricky_ids_are_not_found);
    T_RUN(test_models_are_listed_newest_first);
    T_RUN(test_a_data_set_is_imported);
    T_RUN(test_imports_stay_below_the_roots);
    T_RUN(test_a_broken_source_leaves_nothing);
    T_RUN(test_a_withdrawn_model_is_seen_by_nobody);
    T_RUN(test_aliases);
    T_RUN(test_leftovers_are_swept);
    T_RUN(test_what_is_written_is_young);
    T_RUN(test_only_who_is_alone_sweeps_what_is_young);
    must(file_remove_all(data, &why), "clean up");
    return t_done();
}
