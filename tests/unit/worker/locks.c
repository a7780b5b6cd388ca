/* Slots and job locks between processes. */
#include "service/store/folders.h"
#include "service/worker/lock.h"
#include "service/worker/slot.h"
#include "tests/support/t.h"

#include <signal.h>
#include <sys/wait.h>

static char data[256];
static struct error why;

static void must(enum status status) {
    if (status)
        T_FAIL("%s", why.message);
}

static void test_slots_are_numbered_and_come_back(void) {
    struct slot first, second, third;
    must(slot_open(&first, data, &why));
    must(slot_open(&second, data, &why));
    T_CHECK(strcmp(first.name.name, second.name.name) != 0);
    T_CHECK(strcmp(first.name.instance, second.name.instance) != 0);
    slot_close(&first);
    must(slot_open(&third, data, &why));
    T_STR(third.name.name, first.name.name);
    T_CHECK(strcmp(third.name.instance, first.name.instance) != 0);
    slot_close(&second);
    slot_close(&third);
}

static void test_a_killed_worker_frees_its_slot(void) {
    int told[2];
    struct slot slot;
    char name[JOB_WORKER_BYTES] = "";
    T_INT(pipe(told), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (slot_open(&slot, data, NULL) != STATUS_OK ||
            write(told[1], slot.name.name, sizeof slot.name.name) < 0)
            _exit(1);
        pause();
        _exit(0);
    }
    T_INT(read(told[0], name, sizeof name), sizeof name);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    must(slot_open(&slot, data, &why));
    T_STR(slot.name.name, name);
    slot_close(&slot);
    close(told[0]);
    close(told[1]);
}

static void test_a_job_has_one_writer(void) {
    char folder[FILE_PATH_BYTES];
    int first = -1, second = -1;
    must(folder_path(folder, data, "jobs", "job_X", &why));
    must(lock_folder(folder, &first, &why));
    T_INT(lock_folder(folder, &second, &why), STATUS_CONFLICT);
    T_INT(second, -1);
    close(first);
    must(lock_folder(folder, &second, &why));
    /* The holder removes the folder: whoever comes next locks the new one, not the old file. */
    must(file_remove_all(folder, &why));
    must(lock_folder(folder, &first, &why));
    int third = -1;
    T_INT(lock_folder(folder, &third, &why), STATUS_CONFLICT);
    close(first);
    close(second);
}

int main(void) {
    snprintf(data, sizeof data, "%s", t_temp_dir());
    must(folders_prepare(data, 0, &why));
    T_RUN(test_slots_are_numbered_and_come_back);
    T_RUN(test_a_killed_worker_frees_its_slot);
    T_RUN(test_a_job_has_one_writer);
    must(file_remove_all(data, &why));
    return t_done();
}
