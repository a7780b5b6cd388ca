/*
 * model_card.h - what a weights file says for its model's card.
 *
 * Errors:  of reading the weights, as in engine/model/model_file.h.
 * Threads: pure.
 */
#ifndef SERVICE_STORE_MODEL_CARD_H
#define SERVICE_STORE_MODEL_CARD_H

#include "api/cards.h"

/* Fills architecture, input, classes, parameters, size and digest from folder/model.safetensors. */
MUST_CHECK enum status model_card_describe(struct model_card *card, const char *folder,
                                           struct error *err);

#endif
