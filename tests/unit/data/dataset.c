/* Every format opens to the same pictures and the same digest; names, classes and statistics. */
#include "engine/data/dataset.h"

#include "engine/base/safetensors.h"
#include "tests/unit/data/fixture.h"

static const char *root;

static void open_ok(struct dataset *dataset, const char *folder, const char *name) {
    struct error err = {0};
    if (dataset_open(dataset, folder, name, &err) != STATUS_OK) {
        T_FAIL("%s: %s", folder, err.message);
        exit(1);
    }
}

/* Pictures first .. of the fixture are in the split, as [n,h,w,c]. */
static void check_pixels(const struct dataset *dataset, const struct split *split, int first) {
    const uint8_t *at = split->images;
    int wrong = 0;
    for (int i = 0; i < split->count; i++)
        for (int y = 0; y < dataset->height; y++)
            for (int x = 0; x < dataset->width; x++)
                for (int c = 0; c < dataset->channels; c++)
                    wrong += *at++ != pixel(first + i, y, x, c);
    T_INT(wrong, 0);
}

static void test_cifar10(void) {
    struct dataset dataset;
    const char *folder = fresh(root);
    put_cifar10(folder, "cifar-10-batches-bin");
    open_ok(&dataset, folder, NULL);
    T_STR(dataset.format, "cifar10");
    T_INT(dataset.height * 10000 + dataset.width * 10 + dataset.channels, 320323);
    T_INT(dataset.train.count, 10);
    T_INT(dataset.test.count, 2);
    T_INT(dataset.classes, 10);
    T_STR(dataset.class_names[9], "truck");
    T_INT(dataset.train.labels[7], 7);
    T_INT(dataset.test.labels[1], 1);
    T_NEAR(dataset.mean[1], 0.4822, 1e-7);
    T_NEAR(dataset.deviation[2], 0.2616, 1e-7);
    check_pixels(&dataset, &dataset.train, 0);
    check_pixels(&dataset, &dataset.test, 10);
    dataset_close(&dataset);
    T_CHECK(!dataset.train.images && !dataset.class_names);
}

static void test_cifar100(void) {
    struct dataset dataset;
    const char *folder = fresh(root);
    struct str train = cifar_rows(90, 10, 2, 100), test = cifar_rows(3, 2, 2, 100);
    put_str(folder, "train.bin", &train);
    put_str(folder, "test.bin", &test);
    open_ok(&dataset, folder, NULL);
    T_STR(dataset.format, "cifar100");
    T_INT(dataset.classes, 100);
    T_STR(dataset.class_names[0], "apple");
    T_STR(dataset.class_names[99], "worm");
    T_INT(dataset.train.labels[9], 99);
    T_NEAR(dataset.mean[0], 0.5071, 1e-7);
    check_pixels(&dataset, &dataset.test, 3);
    dataset_close(&dataset);

    struct str names = STR_INIT;
    for (int i = 0; i < 100; i++)
        str_addf(&names, "class %d\r\n", i);
    str_add(&names, "\n");
    put_str(folder, "fine_label_names.txt", &names);
    open_ok(&dataset, folder, NULL);
    T_INT(dataset.classes, 100);
    T_STR(dataset.class_names[42], "class 42");
    dataset_close(&dataset);
}

/* The same bytes under each of the names in use give one digest. */
static void test_idx_names(void) {
    struct dataset dataset;
    char digest[SHA256_HEX_BYTES];
    const char *folder = fresh(root);
    put_idx(folder);
    open_ok(&dataset, folder, NULL);
    T_STR(dataset.format, "idx");
    T_INT(dataset.height, 5);
    T_INT(dataset.width, 3);
    T_INT(dataset.channels, 1);
    T_INT(dataset.train.count, 6);
    T_INT(dataset.test.count, 4);
    T_INT(dataset.classes, 3);
    T_STR(dataset.class_names[2], "2");
    T_INT(dataset.train.labels[5], 2);
    check_pixels(&dataset, &dataset.train, 0);
    check_pixels(&dataset, &dataset.test, 6);
    str_copy(digest, sizeof digest, dataset.sha256);
    T_INT(strlen(digest), 64);
    dataset_close(&dataset);

    static const char *const renames[] = {
        "for f in *ubyte; do mv $f ${f%-idx*}.idx${f#*-idx}; done", "gzip -n *ubyte",
        "for f in *-ubyte.gz; do mv $f ${f%.idx*}-idx${f#*.idx}; done"};
    for (int i = 0; i < (has_gzip() ? 3 : 1); i++) {
        shell("cd %s && %s", folder, renames[i]);
        open_ok(&dataset, folder, NULL);
        T_STR(dataset.sha256, digest);
        check_pixels(&dataset, &dataset.train, 0);
        dataset_close(&dataset);
    }
}

static void test_statistics(void) {
    struct dataset dataset;
    const char *folder = fresh(root);
    put_idx(folder);
    open_ok(&dataset, folder, NULL);
    double sum = 0, squares = 0, n = 6 * 5 * 3;
    for (int i = 0; i < n; i++) {
        double value = dataset.train.images[i] / 255.0;
        sum += value;
        squares += value * value;
    }
    T_NEAR(dataset.mean[0], sum / n, 1e-6);
    T_NEAR(dataset.deviation[0], sqrt(squares / n - sum / n * (sum / n)), 1e-6);
    dataset_close(&dataset);
}

static void test_known_names(void) {
    static const char *const names[] = {"fashion-mnist", "dataset-fashion-mnist", "fashion_mnist",
                                        "FashionMNIST"};
    struct dataset dataset;
    const char *folder = fresh(root);
    put_idx(folder);
    for (int i = 0; i < 4; i++) {
        open_ok(&dataset, folder, names[i]);
        T_INT(dataset.classes, 10);
        T_STR(dataset.class_names[9], "Ankle boot");
        T_NEAR(dataset.mean[0], 0.2860, 1e-7);
        T_NEAR(dataset.deviation[0], 0.3530, 1e-7);
        dataset_close(&dataset);
    }
    open_ok(&dataset, folder, "cifar10"); /* has three channels: a name alone does not fit */
    T_INT(dataset.classes, 3);
    dataset_close(&dataset);

    char renamed[FILE_PATH_BYTES];
    CHECK(file_join(renamed, root, "mnist//", NULL) == STATUS_OK);
    shell("cp -r %s %s", folder, renamed);
    open_ok(&dataset, renamed, NULL);
    T_NEAR(dataset.mean[0], 0.1307, 1e-7);
    dataset_close(&dataset);
    open_ok(&dataset, renamed, "my own name"); /* says nothing: the folder's name counts */
    T_NEAR(dataset.mean[0], 0.1307, 1e-7);
    dataset_close(&dataset);
}

static void test_classes_file(void) {
    struct dataset dataset;
    const char *folder = fresh(root);
    put_idx(folder);
    put_text(folder, "classes.txt", "red\n\ngreen  \nblue sky\nnever seen");
    open_ok(&dataset, folder, "fashion_mnist");
    T_INT(dataset.classes, 4);
    T_STR(dataset.class_names[1], "green");
    T_STR(dataset.class_names[3], "never seen");
    T_CHECK(fabs(dataset.mean[0] - 0.2860) > 1e-3); /* four classes are not Fashion-MNIST */
    dataset_close(&dataset);
}

/* What is written reads back as the same set, also after its splits were cut. */
static void test_write(void) {
    struct dataset dataset, copy;
    char out[FILE_PATH_BYTES];
    const char *folder = fresh(root);
    put_cifar10(folder, ".");
    CHECK(file_join(out, root, "written", NULL) == STATUS_OK);
    open_ok(&dataset, folder, NULL);
    T_INT(dataset_write(&dataset, out, NULL), STATUS_OK);
    open_ok(&copy, out, "anything");
    T_STR(copy.format, "safetensors");
    T_STR(copy.sha256, dataset.sha256);
    T_STR(copy.class_names[0], "airplane");
    T_NEAR(copy.mean[0], dataset.mean[0], 0);
    T_NEAR(copy.deviation[2], dataset.deviation[2], 0);
    check_pixels(&copy, &copy.train, 0);
    dataset_close(&copy);

    split_limit(&dataset.train, 4);
    split_limit(&dataset.test, 0);
    T_INT(dataset_write(&dataset, out, NULL), STATUS_OK);
    open_ok(&copy, out, NULL);
    T_INT(copy.train.count, 4);
    T_INT(copy.test.count, 2);
    T_CHECK(strcmp(copy.sha256, dataset.sha256) != 0);
    dataset_close(&copy);
    dataset_close(&dataset);
}

static void write_tensors(const char *folder, const char *name, int64_t count, int64_t label) {
    char path[FILE_PATH_BYTES];
    uint8_t pixels[3 * 2 * 2 * 2] = {1, 2, 3};
    int64_t labels[3] = {label, 1, 0};
    const struct tensor tensors[] = {
        {.name = "images",
         .type = TENSOR_U8,
         .rank = 4,
         .dim = {3, 2, 2, 2},
         .data = pixels,
         .bytes = sizeof pixels},
        {.name = "labels",
         .type = TENSOR_I64,
         .rank = 1,
         .dim = {count},
         .data = labels,
         .bytes = (size_t)count * 8},
    };
    CHECK(file_join(path, folder, name, NULL) == STATUS_OK);
    CHECK(safetensors_write(path, tensors, 2, NULL, 0, NULL) == STATUS_OK);
}

static void test_tensors(void) {
    struct dataset dataset;
    struct error err = {0};
    const char *folder = fresh(root);
    write_tensors(folder, "train.safetensors", 3, 4);
    write_tensors(folder, "test.safetensors", 3, 2);
    open_ok(&dataset, folder, NULL);
    T_INT(dataset.channels, 2);
    T_INT(dataset.classes, 5);
    T_INT(dataset.train.labels[0], 4);
    T_CHECK(dataset.deviation[1] > 0);
    dataset_close(&dataset);
    write_tensors(folder, "test.safetensors", 2, 2);
    T_INT(dataset_open(&dataset, folder, NULL, &err), STATUS_CORRUPT);
    T_CONTAINS(err.message, "2 labels, but there are 3 pictures");
    write_tensors(folder, "test.safetensors", 3, -1);
    T_INT(dataset_open(&dataset, folder, NULL, &err), STATUS_CORRUPT);
    T_CONTAINS(err.message, "test.safetensors: label -1 of picture 0 is not in 0..65535");
}

/* Debian's package dataset-fashion-mnist, where it is installed: the published statistics are
 * those that are measured. */
static void test_fashion_mnist(void) {
    const char *folder = "/usr/share/datasets/fashion-mnist";
    struct dataset dataset;
    if (!file_is_dir(folder) || !has_gzip())
        return;
    open_ok(&dataset, folder, "measured");
    T_INT(dataset.train.count, 60000);
    T_INT(dataset.test.count, 10000);
    T_INT(dataset.height * 100 + dataset.width, 2828);
    T_INT(dataset.classes, 10);
    T_NEAR(dataset.mean[0], 0.2860, 5e-5);
    T_NEAR(dataset.deviation[0], 0.3530, 5e-5);
    dataset_close(&dataset);
    open_ok(&dataset, folder, NULL);
    T_STR(dataset.class_names[0], "T-shirt/top");
    dataset_close(&dataset);
}

int main(void) {
    root = t_temp_dir();
    T_RUN(test_cifar10);
    T_RUN(test_cifar100);
    T_RUN(test_idx_names);
    T_RUN(test_statistics);
    T_RUN(test_known_names);
    T_RUN(test_classes_file);
    T_RUN(test_write);
    T_RUN(test_tensors);
    T_RUN(test_fashion_mnist);
    CHECK(file_remove_all(root, NULL) == STATUS_OK);
    return t_done();
}
