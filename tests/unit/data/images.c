/* Folders and archives of JPEG and PNG files become the same data set, imported or not. */
#include "engine/data/images.h"
#include "engine/data/dataset.h"
#include "engine/data/encoded.h"
#include "tests/unit/data/image_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <sys/wait.h>

static const char *root;

static bool open_set(struct dataset *dataset, const char *folder, const char *name) {
    struct error err = {0};
    if (dataset_open(dataset, folder, name, &err) == STATUS_OK)
        return true;
    T_FAIL("%s", err.message);
    return false;
}

static void check_item(const struct split *split, int64_t i, const char *name, int label) {
    T_STR(split->encoded->item[i].name, name);
    T_INT(split->labels[i], label);
}

static void check_pixels(const struct split *split, int64_t i, int seed, int height, int width) {
    struct picture picture;
    T_INT(encoded_decode(split->encoded, i, &picture, NULL), STATUS_OK);
    T_INT(picture.height, height);
    T_INT(picture.width, width);
    T_INT(picture.pixels[(7 * width + 9) * 3 + 1], pixel(seed, 7, 9, 1));
    picture_release(&picture);
}

static void test_folder(void) {
    struct dataset dataset;
    const char *folder = fresh(root);
    put_images(folder);
    put_text(folder, "train/cat/.hidden.png", "not looked at");
    put_text(folder, "train/Thumbs.db", "not looked at");
    if (!open_set(&dataset, folder, NULL))
        return;
    T_STR(dataset.format, "images");
    T_INT(dataset.height + dataset.width, 0);
    T_INT(dataset.channels, 3);
    T_INT(dataset.classes, 2);
    T_STR(dataset.class_names[0], "cat");
    T_STR(dataset.class_names[1], "dog");
    T_INT(dataset.train.count, 5);
    T_INT(dataset.test.count, 3);
    T_CHECK(!dataset.train.images);
    check_item(&dataset.train, 0, "cat/a.png", 0);
    check_item(&dataset.train, 1, "dog/1/a.png", 1);
    check_item(&dataset.train, 2, "cat/b.PNG", 0);
    check_item(&dataset.train, 3, "dog/c.jpeg", 1);
    check_item(&dataset.train, 4, "dog/z.png", 1);
    check_item(&dataset.test, 2, "dog/z.png", 1);
    check_pixels(&dataset.train, 2, 2, 40, 25);
    check_pixels(&dataset.test, 0, 5, 21, 22);
    dataset_close(&dataset);
}

/* Each picture counts the same, whatever its size. */
static void test_statistics(void) {
    struct dataset dataset;
    const char *folder = fresh(root);
    uint8_t full[2] = {255, 255}, none[9 * 9 * 3] = {0};
    struct picture white = {1, 2, 1, full}, black = {9, 9, 3, none};
    char path[FILE_PATH_BYTES];
    put_images(folder);
    shell("rm %s/train/*/*.* && mkdir -p %s/train/cat && rm -r %s/train/dog/1", folder, folder,
          folder);
    CHECK(file_join(path, folder, "train/cat/w.png", NULL) == STATUS_OK);
    CHECK(picture_write_png(&white, path, NULL) == STATUS_OK);
    CHECK(file_join(path, folder, "train/dog/b.png", NULL) == STATUS_OK);
    CHECK(picture_write_png(&black, path, NULL) == STATUS_OK);
    if (!open_set(&dataset, folder, NULL))
        return;
    for (int c = 0; c < 3; c++) {
        T_NEAR((double)dataset.mean[c], 0.5, 1e-7);
        T_NEAR((double)dataset.deviation[c], 0.5, 1e-7);
    }
    dataset_close(&dataset);
}

static void check_same(const struct dataset *a, const char *folder, const char *name) {
    struct dataset b;
    if (!open_set(&b, folder, name))
        return;
    T_STR(b.sha256, a->sha256);
    T_STR(b.format, a->format);
    T_INT(b.classes, a->classes);
    for (int i = 0; i < a->classes; i++)
        T_STR(b.class_names[i], a->class_names[i]);
    T_CHECK(memcmp(b.mean, a->mean, sizeof b.mean) == 0);
    T_CHECK(memcmp(b.deviation, a->deviation, sizeof b.deviation) == 0);
    T_INT(b.train.count, a->train.count);
    check_pixels(&b.train, 2, 2, 40, 25);
    check_pixels(&b.test, 0, 5, 21, 22);
    dataset_close(&b);
}

static void test_archives(void) {
    struct dataset dataset;
    const char *folder = fresh(root);
    put_images(folder);
    if (!open_set(&dataset, folder, NULL))
        return;
    shell("cd %s/train && tar cf ../train.tar --sort=name dog cat", folder);
    shell("cd %s && mv test val && tar czf val.tgz ./val && rm -r train val", folder);
    if (has_gzip())
        check_same(&dataset, folder, NULL);
    shell("cd %s && gunzip val.tgz && tar czf train.tar.gz train.tar && rm train.tar.gz", folder);
    check_same(&dataset, folder, NULL);
    dataset_close(&dataset);
}

/* An imported set is opened without decoding it; what has changed is noticed when it is read. */
static void test_import(void) {
    struct dataset dataset, back;
    struct error err;
    struct picture picture;
    char out[FILE_PATH_BYTES];
    const char *folder = fresh(root);
    put_images(folder);
    CHECK(file_join(out, root, "out", NULL) == STATUS_OK);
    if (!open_set(&dataset, folder, NULL))
        return;
    T_INT(dataset_write(&dataset, out, &err), STATUS_OK);
    check_same(&dataset, out, NULL);
    check_same(&dataset, out, "imagenet"); /* what was noted at import stays */
    dataset_close(&dataset);
    shell("printf x | dd of=%s/train.safetensors bs=1 conv=notrunc status=none "
          "seek=$(($(stat -c %%s %s/train.safetensors) - 1))",
          out, out);
    if (!open_set(&back, out, NULL))
        return;
    T_INT(encoded_decode(back.train.encoded, 3, &picture, NULL), STATUS_OK);
    picture_release(&picture);
    T_INT(encoded_decode(back.train.encoded, 4, &picture, &err), STATUS_CORRUPT);
    T_CONTAINS(err.message, "train.safetensors: picture 4: its bytes have changed");
    dataset_close(&back);
    shell("rm %s/dataset.json", out); /* nobody vouches for it: everything is looked at */
    T_INT(dataset_open(&back, out, NULL, &err), STATUS_CORRUPT);
    T_CONTAINS(err.message, "1 of 5 pictures cannot be used");
    CHECK(file_remove_all(out, NULL) == STATUS_OK);
}

static void test_names(void) {
    struct dataset dataset;
    const char *folder = fresh(root);
    put_images(folder);
    put_text(folder, "classes.txt", "Katze\nHund\n");
    if (!open_set(&dataset, folder, "imagenette"))
        return;
    T_STR(dataset.class_names[0], "Katze");
    T_NEAR((double)dataset.mean[1], 0.456, 1e-7);
    T_NEAR((double)dataset.deviation[2], 0.225, 1e-7);
    dataset_close(&dataset);
}

static void test_refused(void) {
    static const struct {
        const char *change, *reason;
    } cases[] = {
        {"rm -r train/dog", "test/dog/y.png: the training pictures have no class folder"},
        {"rm -r train/dog test/dog", "there is a single class, \"cat\"; at least two are needed"},
        {"rm -r test", "there is no test and no val beside train"},
        {"rm test/*/*", "holds no pictures; remove it or fill it"},
        {"mkdir train/empty", "train/empty holds no pictures"},
        {"cp train/cat/a.png train", "train/a.png lies in no class folder"},
        {"touch train/cat/x.gif", "train/cat/x.gif is neither JPEG nor PNG; convert or remove it"},
        {"ln -s a.png train/cat/l.png", "train/cat/l.png is a link"},
        {"ln -s cat train/l", "train/l is a link"},
        {"mkfifo train/cat/f.png", "train/cat/f.png is neither a file nor a folder"},
        {"mkdir -p train/cat/1/2/3/4/5/6/7/8/9", "more than 8 deep"},
        {"echo one > classes.txt", "names 1 classes, but there are 2 class folders"},
        {"mv train/cat \"$(printf 'train/c\\377t')\"", "a class needs a name in UTF-8"},
        {"mv train/cat \"$(printf 'train/c\\nt')\"", "a class needs a name in UTF-8"},
        {"rm -r train && echo x > train", "train is no folder"},
        {"rm -r train && echo x > train.tar", "train.tar: the tar file ends after 2 bytes"},
        {"mkdir x && rm -r train && tar cf train.tar x", "train.tar holds no JPEG or PNG"},
        {"cd train && tar cf ../train.tar cat && tar rf ../train.tar cat dog && rm -r ../train",
         "cat/a.png is there twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dataset dataset;
        struct error err = {0};
        const char *folder = fresh(root);
        put_images(folder);
        shell("cd %s && %s", folder, cases[i].change);
        T_INT(dataset_open(&dataset, folder, NULL, &err), STATUS_CORRUPT);
        T_CONTAINS(err.message, cases[i].reason);
    }
}

/* Linux fails to list the networks of a process that has ended and is not yet waited for. */
static void test_listing_fails(void) {
    struct encoded list = {.count = 0};
    struct error err = {0};
    siginfo_t ended;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    T_INT(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT), 0);
    snprintf(list.place, sizeof list.place, "/proc/%d/net", (int)child);
    DIR *dir = opendir(list.place);
    errno = 0;
    if (dir && !readdir(dir) && errno == EINVAL) { /* not on every kernel */
        T_INT(images_list_folder(&list, &err), STATUS_IO);
        T_CONTAINS(err.message, list.place);
    }
    if (dir)
        closedir(dir);
    waitpid(child, NULL, 0);
}

static void check_archive(const char *folder, const char *reason) {
    struct dataset dataset;
    struct error err = {0};
    T_INT(dataset_open(&dataset, folder, NULL, &err), STATUS_CORRUPT);
    T_CONTAINS(err.message, reason);
}

static void test_bad_gzip(void) {
    if (!has_gzip())
        return;
    const char *folder = fresh(root);
    put_images(folder);
    shell("cd %s && tar czf train.tgz train && rm -r train && cp train.tgz whole", folder);
    shell("cd %s && head -c 900 whole > train.tgz", folder);
    check_archive(folder, "train.tgz: the gzip file is truncated");
    shell("cd %s && cat whole whole > train.tgz", folder);
    check_archive(folder, "train.tgz: there are bytes after the end");
    shell("cd %s && : > train.tgz", folder);
    check_archive(folder, "train.tgz: the gzip file is truncated");
}

static bool count_and_stop(void *ctx, int64_t checked, int64_t count) {
    int *calls = ctx;
    T_INT(checked, 0);
    T_INT(count, *calls == 0 ? 5 : 3);
    return ++*calls < 2;
}

/* Whoever watches is asked for each split at least once, and can end it. */
static void test_watched(void) {
    struct dataset dataset;
    struct error err = {0};
    int calls = 0;
    const struct dataset_watch watch = {&calls, count_and_stop};
    const char *folder = fresh(root);
    put_images(folder);
    T_INT(dataset_open_watched(&dataset, folder, NULL, &watch, &err), STATUS_CANCELLED);
    T_STR(err.message, "stopped after looking at 0 of 3 pictures");
    T_INT(calls, 2);
}

/* All are counted, the first ones are named. */
static void test_unreadable(void) {
    struct dataset dataset;
    struct error err = {0};
    const char *folder = fresh(root);
    put_images(folder);
    put_text(folder, "train/cat/a.png", "no picture");
    shell("cd %s/train/dog && head -c 300 c.jpeg > half && mv half c.jpeg", folder);
    T_INT(dataset_open(&dataset, folder, NULL, &err), STATUS_CORRUPT);
    T_CONTAINS(err.message, "train: 2 of 5 pictures cannot be used; repair or remove them: "
                            "cat/a.png: the file is neither JPEG nor PNG; dog/c.jpeg: ");
    for (int i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof name, "train/cat/b%02d.png", i);
        put_text(folder, name, "");
    }
    T_INT(dataset_open(&dataset, folder, NULL, &err), STATUS_CORRUPT);
    T_CONTAINS(err.message, "22 of 25 pictures");
    T_CONTAINS(err.message, "; ...");
}

int main(void) {
    if (!has_images())
        return 77;
    root = t_temp_dir();
    T_RUN(test_folder);
    T_RUN(test_statistics);
    T_RUN(test_archives);
    T_RUN(test_import);
    T_RUN(test_names);
    T_RUN(test_refused);
    T_RUN(test_listing_fails);
    T_RUN(test_bad_gzip);
    T_RUN(test_watched);
    T_RUN(test_unreadable);
    CHECK(file_remove_all(root, NULL) == STATUS_OK);
    return t_done();
}
