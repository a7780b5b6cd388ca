/*
 * wrn.h - wide residual networks as RepDistiller has them: pre-activation blocks, whose shortcut
 * reads the activated input where the width changes.
 */
#ifndef ENGINE_MODEL_WRN_H
#define ENGINE_MODEL_WRN_H

#include "engine/model/zoo.h"

/* See architecture_build_fn. depth = 6 n + 4. */
int wrn_build(const struct architecture *architecture, struct builder *builder, int x, int classes);

#endif
