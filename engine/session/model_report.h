/*
 * model_report.h - what a finished run leaves: evaluation.json, model.safetensors and model.json.
 */
#ifndef ENGINE_SESSION_MODEL_REPORT_H
#define ENGINE_SESSION_MODEL_REPORT_H

#include "engine/model/model_file.h"
#include "engine/session/trainer.h"

struct trainer;

/* What the student's file says of itself; borrows the class names. */
void model_report_info(const struct trainer *trainer, struct model_info *info);

/* Writes both files into the run's folder, model.safetensors first, each atomically, and fills
 * result->weights_sha256. */
MUST_CHECK enum status model_report_write(const struct trainer *trainer,
                                          struct train_result *result, struct error *err);

/* Where the last evaluation is told in full: evaluation.json in the run's folder. */
MUST_CHECK enum status evaluation_report_path(const struct trainer *trainer,
                                              char path[FILE_PATH_BYTES], struct error *err);

/* Writes it from the trainer's scorer, atomically. */
MUST_CHECK enum status evaluation_report_write(const struct trainer *trainer, struct error *err);

/* Writes the weights as they are now into job->weights_folder as <step>.safetensors, a model file
 * like the last one. */
MUST_CHECK enum status model_snapshot_write(const struct trainer *trainer, struct error *err);

#endif
