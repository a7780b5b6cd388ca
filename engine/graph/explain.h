/*
 * explain.h - a program as text: op, shapes, sizes, FLOPs, bytes, lifetimes.
 */
#ifndef ENGINE_GRAPH_EXPLAIN_H
#define ENGINE_GRAPH_EXPLAIN_H

#include "engine/graph/program.h"

/* Appends the whole program with totals by section. Stable text: golden files are made of it. */
void explain_program(const struct program *program, struct str *out);

#endif
