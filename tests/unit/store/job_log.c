/* A job's log: what is written is read, the last lines and while it grows, and it stays small. */
#include "service/store/job_log.h"
#include "api/limits.h"
#include "engine/base/file.h"
#include "service/store/folders.h"
#include "tests/support/t.h"

#include <sys/stat.h>
#include <unistd.h>

static char data[] = "/tmp/distill-job-log-XXXXXX";

static struct str tail(const char *id, int64_t lines) {
    struct job_log_reader reader;
    struct str out = STR_INIT;
    T_INT(job_log_read(&reader, data, id, lines, &out, NULL), STATUS_OK);
    job_log_reader_close(&reader);
    return out;
}

static int count_lines(const char *text) {
    int count = 0;
    for (; *text; text++)
        count += *text == '\n';
    return count;
}

static void test_lines(void) {
    struct job_log log;
    job_log_open(&log, data, "job_A", 3);
    job_log_add(&log, "first %d", 1);
    job_log_add(&log, "two\nlines\t\x7f%s", "\xc3\xa9");
    job_log_close(&log);
    struct str all = tail("job_A", 100), last = tail("job_A", 1), none = tail("job_A", 0);
    T_INT(count_lines(str_text(&all)), 2);
    T_CONTAINS(str_text(&all), "Z attempt 3: first 1\n");
    T_CONTAINS(str_text(&last), "Z attempt 3: two lines  \xc3\xa9\n");
    T_INT(count_lines(str_text(&last)), 1);
    T_INT((int)none.len, 0);
    str_release(&all);
    str_release(&last);
    str_release(&none);
}

static void test_no_log(void) {
    struct str none = tail("job_none", 10);
    T_INT((int)none.len, 0);
    str_release(&none);
    T_INT(job_log_remove(data, "job_none", NULL), STATUS_OK);
}

/* A follower sees each line once, also over a turn. */
static void test_it_is_bounded_and_followed(void) {
    enum { LINES = 30000 };
    char path[FILE_PATH_BYTES];
    struct job_log log;
    struct job_log_reader reader;
    struct str seen = STR_INIT;
    int64_t count = 0;
    T_INT(job_log_read(&reader, data, "job_B", 10, &seen, NULL), STATUS_OK);
    job_log_open(&log, data, "job_B", 1);
    for (int i = 0; i < LINES; i++) {
        job_log_add(&log, "line %d", i);
        if (i % 1000 == 999) {
            job_log_read_more(&reader, &seen);
            count += count_lines(str_text(&seen));
            str_clear(&seen);
        }
    }
    job_log_close(&log);
    T_INT(count, LINES);
    job_log_reader_close(&reader);
    T_INT(folder_path(path, data, "logs", "job_B.log", NULL), STATUS_OK);
    T_CHECK(file_size(path) <= LIMIT_JOB_LOG_BYTES / 2 + 1024);
    str_addf(&seen, "%s.1", path);
    T_CHECK(file_size(str_text(&seen)) <= LIMIT_JOB_LOG_BYTES / 2 + 1024);
    struct str last = tail("job_B", 12000);
    T_INT(count_lines(str_text(&last)), 12000);
    T_CONTAINS(str_text(&last), "line 29999\n");
    str_release(&last);
    T_INT(job_log_remove(data, "job_B", NULL), STATUS_OK);
    T_CHECK(!file_exists(path) && !file_exists(str_text(&seen)));
    str_release(&seen);
}

int main(void) {
    CHECK(mkdtemp(data));
    T_INT(folders_prepare(data, 0, NULL), STATUS_OK);
    T_RUN(test_lines);
    T_RUN(test_no_log);
    T_RUN(test_it_is_bounded_and_followed);
    T_INT(file_remove_all(data, NULL), STATUS_OK);
    return t_done();
}
