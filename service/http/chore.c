#include "service/http/chore.h"

static void run_chore(struct task *task) {
    struct chore *chore = (struct chore *)task;
    chore->status = chore->run(chore, &chore->err);
    request_resume(chore->request);
}

/* The crew may have done all of it, and the chore be gone, when it has taken it. */
void chore_start(struct chore *chore, struct request *request, struct crew *crew, chore_fn *run,
                 handler_fn then) {
    struct error err;
    chore->task.run = run_chore;
    chore->request = request;
    chore->run = run;
    request_suspend(request, then);
    enum status status = crew_submit(crew, &chore->task, &err);
    if (!status)
        return;
    chore->status = status;
    chore->err = err;
    request_resume(request);
}

enum status chore_result(const struct chore *chore, struct error *err) {
    if (chore->status)
        *err = chore->err;
    return chore->status;
}
