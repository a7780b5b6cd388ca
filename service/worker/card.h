/*
 * card.h - describes the model that a job has made.
 *
 * Errors:  of reading the weights, as in engine/model/model_file.h.
 * Threads: pure.
 */
#ifndef SERVICE_WORKER_CARD_H
#define SERVICE_WORKER_CARD_H

#include "api/cards.h"
#include "api/job.h"
#include "engine/session/trainer.h"

/* Fills the card of the job's model from its spec, its result and the weights in folder; release
 * it with model_card_release. */
MUST_CHECK enum status card_of_run(struct model_card *card, const struct job *job,
                                   const struct train_result *result, const char *folder,
                                   struct error *err);

#endif
