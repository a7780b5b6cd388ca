/* Files of uploads that writers leave behind, some of them killed, and others go on with; blobs. */
#include "service/store/upload_file.h"

#include "service/store/blobs.h"
#include "service/store/folders.h"
#include "tests/support/t.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROW = 2 + 3072, MIB = 1 << 20, KILLED = 3 };

static struct config config;
static struct id_source ids;
static struct error why;

static void must(enum status status, const char *what) {
    if (status)
        T_FAIL("%s: %s", what, why.message);
}

static void begin(char id[ID_BYTES]) {
    must(uploads_create(&config, &ids, "set", id, &why), "create");
}

/* Rows of CIFAR-100 from this byte of the file on; the label at one place is out of range. */
static void fill(char *out, size_t len, int64_t at, int64_t wrong) {
    for (size_t i = 0; i < len; i++)
        out[i] = at + (int64_t)i == wrong ? 127 : 1;
}

static enum status add(struct upload_file_writer *file, int64_t until, int64_t wrong) {
    static char piece[MIB];
    enum status status = STATUS_OK;
    while (!status && file->bytes < until) {
        int64_t left = until - file->bytes;
        size_t len = left < MIB ? (size_t)left : MIB;
        fill(piece, len, file->bytes, wrong);
        status = upload_file_add(file, piece, len, &why);
    }
    return status;
}

/* A process that writes so much and is killed. */
static void write_and_be_killed(const char *id, int64_t from, int64_t until) {
    pid_t pid = fork();
    if (pid == 0) {
        struct upload_file_writer file;
        if (upload_file_open(&file, &config, id, "train.bin", from, NULL) || add(&file, until, -1))
            _exit(1);
        _exit(KILLED); /* neither closed nor synced */
    }
    int status = 0;
    T_CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    T_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == KILLED);
}

static const char *state_of(const char *id) {
    static char path[FILE_PATH_BYTES];
    snprintf(path, sizeof path, "%.200s/uploads/%s/train.bin.state", config.data, id);
    return path;
}

static void test_a_killed_writer_is_gone_on_with(void) {
    struct upload_file_writer file;
    char id[ID_BYTES];
    int64_t rows = 50000, at = 100 * MIB + 5, wrong = 40000 * (int64_t)ROW + 1;
    begin(id);
    write_and_be_killed(id, 0, at);
    T_CHECK(file_exists(state_of(id))); /* of the mark before */
    must(upload_file_open(&file, &config, id, "train.bin", at, &why), "open");
    T_CHECK(!file.blind);
    T_INT(add(&file, rows * ROW, wrong), STATUS_INVALID);
    T_STR(why.field, "train.bin");
    T_CONTAINS(why.message, "label 127 of row 40000");
    upload_file_close(&file);
    T_INT(upload_file_open(&file, &config, id, "train.bin", at, &why), STATUS_CONFLICT);
    T_INT(file.expected, 0);
    upload_file_close(&file);
    must(uploads_remove(&config, id, &why), "remove");
}

static void test_what_was_written_without_a_state_is_not_read_again(void) {
    struct upload_file_writer file;
    char id[ID_BYTES];
    int64_t at = UPLOAD_REREAD_BYTES + 3 * MIB;
    begin(id);
    write_and_be_killed(id, 0, at);
    T_INT(unlink(state_of(id)), 0);
    must(upload_file_open(&file, &config, id, "train.bin", at, &why), "open");
    T_CHECK(file.blind);
    must(add(&file, at + 10, -1), "add");
    must(upload_file_complete(&file, &why), "complete"); /* the import refuses it */
    upload_file_close(&file);
    struct dataset_entry entry;
    T_INT(uploads_finish(&config, id, &entry, &why), STATUS_INVALID);
    T_CONTAINS(why.message, "not a whole number of rows");
    must(uploads_remove(&config, id, &why), "remove");
}

static void test_a_state_of_something_else_is_not_used(void) {
    struct upload_file_writer file;
    char id[ID_BYTES];
    begin(id);
    write_and_be_killed(id, 0, 10 * ROW + 1);
    must(file_write(state_of(id), "rubbish", 7, &why), "write");
    must(upload_file_open(&file, &config, id, "train.bin", 10 * ROW + 1, &why), "open");
    T_INT(add(&file, 12 * ROW, 11 * ROW + 1), STATUS_INVALID);
    T_CONTAINS(why.message, "row 11");
    upload_file_close(&file);
    must(uploads_remove(&config, id, &why), "remove");
}

static void test_locks(void) {
    struct upload_file_writer file, other;
    struct dataset_entry entry;
    char id[ID_BYTES], folder[FILE_PATH_BYTES];
    int lock;
    begin(id);
    must(upload_file_open(&file, &config, id, "train.bin", 0, &why), "open");
    T_INT(upload_file_open(&other, &config, id, "train.bin", 0, &why), STATUS_CONFLICT);
    upload_file_close(&other);
    must(upload_file_open(&other, &config, id, "test.bin", 0, &why), "open another");
    upload_file_close(&other);
    T_INT(uploads_finish(&config, id, &entry, &why), STATUS_CONFLICT);
    T_INT(uploads_remove(&config, id, &why), STATUS_CONFLICT);
    upload_file_close(&file);
    must(upload_folder(folder, &config, id, &why), "folder");
    must(upload_lock(&lock, folder, true, &why), "lock");
    T_INT(upload_file_open(&file, &config, id, "train.bin", 0, &why), STATUS_CONFLICT);
    upload_file_close(&file);
    close(lock);
    must(uploads_remove(&config, id, &why), "remove");
    T_INT(uploads_remove(&config, id, &why), STATUS_NOT_FOUND);
    T_INT(uploads_remove(&config, "../datasets", &why), STATUS_NOT_FOUND);
}

static void test_what_a_killed_import_left_is_no_hindrance(void) {
    struct dataset_entry entry;
    struct upload_file_writer file;
    char id[ID_BYTES], left[FILE_PATH_BYTES];
    begin(id);
    snprintf(left, sizeof left, "%.200s/uploads/%s/unpacked/train/x", config.data, id);
    must(file_make_dirs(left, &why), "leave");
    for (int i = 0; i < 2; i++) {
        must(upload_file_open(&file, &config, id, i ? "test.bin" : "train.bin", 0, &why), "open");
        must(add(&file, 3 * ROW, -1), "add");
        must(upload_file_complete(&file, &why), "complete");
        upload_file_close(&file);
    }
    must(uploads_finish(&config, id, &entry, &why), "finish");
    T_INT(entry.card.train_count, 3);
    dataset_entry_release(&entry);
    T_INT(uploads_finish(&config, id, &entry, &why), STATUS_NOT_FOUND);
}

static void put(const char *folder, const char *train) {
    char path[FILE_PATH_BYTES];
    must(file_make_dirs(folder, &why), "folder");
    must(file_join(path, folder, "train.safetensors", &why), "path");
    must(file_write(path, train, strlen(train), &why), "train");
    must(file_join(path, folder, "test.safetensors", &why), "path");
    must(file_write(path, "test", 4, &why), "test");
}

static int links(const char *folder) {
    char path[FILE_PATH_BYTES];
    struct stat info;
    must(file_join(path, folder, "train.safetensors", &why), "path");
    return stat(path, &info) == 0 ? (int)info.st_nlink : 0;
}

static void test_blobs(void) {
    char folder[3][FILE_PATH_BYTES], blob[FILE_PATH_BYTES];
    int64_t before, bytes;
    must(blobs_usage(config.data, NULL, &before, &why), "usage");
    must(file_join(blob, config.data, "blobs/d1", &why), "path");
    for (int i = 0; i < 3; i++) {
        snprintf(folder[i], sizeof folder[i], "%.200s/datasets/blob%d", config.data, i);
        put(folder[i], i < 2 ? "same" : "other"); /* as if digests could lie */
        must(blobs_share(config.data, "d1", folder[i], &why), "share");
        must(blobs_share(config.data, "d1", folder[i], &why), "share again");
    }
    T_INT(links(folder[0]), 2); /* its blob has gone to the third */
    T_INT(links(folder[1]), 2);
    T_INT(links(folder[2]), 2);
    must(blobs_usage(config.data, NULL, &bytes, &why), "usage");
    T_INT(bytes - before, 4 + 5); /* the first two are not the blob's any more */
    must(file_remove_all(folder[0], &why), "remove");
    must(blobs_sweep(config.data, &why), "sweep");
    T_CHECK(file_is_dir(blob));
    must(file_remove_all(folder[1], &why), "remove");
    must(file_remove_all(folder[2], &why), "remove");
    must(blobs_sweep(config.data, &why), "sweep");
    T_CHECK(!file_exists(blob));
}

int main(void) {
    must(config_parse(&config, 0, NULL, &why), "config");
    snprintf(config.data, sizeof config.data, "/tmp/distill-uploads-XXXXXX");
    T_CHECK(mkdtemp(config.data) != NULL);
    must(folders_prepare(config.data, 0, &why), "prepare");
    id_source_init(&ids);
    T_RUN(test_a_killed_writer_is_gone_on_with);
    T_RUN(test_what_was_written_without_a_state_is_not_read_again);
    T_RUN(test_a_state_of_something_else_is_not_used);
    T_RUN(test_locks);
    T_RUN(test_what_a_killed_import_left_is_no_hindrance);
    T_RUN(test_blobs);
    id_source_release(&ids);
    must(file_remove_all(config.data, &why), "remove");
    return t_done();
}
