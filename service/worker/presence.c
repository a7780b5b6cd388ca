#include "service/worker/presence.h"

#include "engine/base/clock.h"
#include "engine/session/trainer.h"

#include <string.h>
#include <unistd.h>

enum { PERIOD_MAX_MS = 1000 };

/* Devices by name, of which this machine has some. */
static void find_devices(struct worker_card *card) {
    const struct field *device = field_find(&train_spec_table, "device");
    const struct field *devices = field_find(&worker_card_table, "devices");
    static const char *const names[] = {"cuda", "cpu", "ref"};
    struct train_spec spec;
    struct error ignored;
    char identity[TRAINER_IDENTITY_BYTES];
    fields_default(&train_spec_table, &spec);
    if (trainer_identity(&spec, identity, &ignored) == STATUS_OK)
        str_copy(card->engine, sizeof card->engine, identity);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (field_set_text(device, &spec, names[i], &ignored) == STATUS_OK &&
            trainer_identity(&spec, identity, &ignored) == STATUS_OK &&
            field_append_string(devices, card, names[i], &ignored) != STATUS_OK)
            break;
}

void presence_init(struct presence *presence, const struct config *config, struct redis_pool *pool,
                   const struct worker_name *worker, struct notifier *notifier) {
    *presence = (struct presence){
        .pool = pool, .worker = worker, .lease_ms = config->lease_ms, .notifier = notifier};
    presence->period_ms =
        config->lease_ms / 3 < PERIOD_MAX_MS ? config->lease_ms / 3 : PERIOD_MAX_MS;
    struct worker_card *card = &presence->card;
    str_copy(card->name, sizeof card->name, worker->name);
    gethostname(card->host, sizeof card->host - 1);
    card->pid = getpid();
    str_copy(card->version, sizeof card->version, trainer_version());
    find_devices(card);
}

static void say(struct presence *presence, bool ended) {
    const struct announcement said = {presence->worker, &presence->card, presence->lease_ms, ended};
    struct error ignored;
    enum status status = workers_announce(presence->pool, &said, &ignored);
    (void)status; /* the next time, then */
}

void presence_alive(struct presence *presence) {
    if (presence)
        notifier_alive(presence->notifier);
}

void presence_tell(struct presence *presence) {
    if (clock_mono_ns() < presence->due_ns)
        return;
    say(presence, false);
    presence->due_ns = clock_mono_ns() + presence->period_ms * NS_PER_MS;
}

void presence_leave(struct presence *presence) {
    say(presence, true);
}
