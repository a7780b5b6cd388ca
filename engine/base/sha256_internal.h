/*
 * sha256_internal.h - the two ways to digest blocks; for sha256*.c and their test only.
 *
 * Both take whole blocks of 64 bytes and give the same result.
 */
#ifndef ENGINE_BASE_SHA256_INTERNAL_H
#define ENGINE_BASE_SHA256_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The constants of the 64 rounds. */
extern const uint32_t sha256_round_constants[64];

/* Plain C. */
void sha256_blocks_generic(uint32_t state[8], const uint8_t *blocks, size_t n_blocks);

/* This processor has the instructions. Asking costs microseconds in a virtual machine. */
bool sha256_has_instructions(void);

/* With the processor's instructions, which must be there. */
void sha256_blocks_instructions(uint32_t state[8], const uint8_t *blocks, size_t n_blocks);

#endif
