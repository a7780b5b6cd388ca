/*
 * proto.h - writes the protobuf wire format: fields appended to a text of bytes.
 *
 * A message is written into a struct str of its own and then added to the one around it.
 */
#ifndef ENGINE_ONNX_PROTO_H
#define ENGINE_ONNX_PROTO_H

#include "engine/base/str.h"

void proto_int(struct str *out, int field, int64_t value);      /* int32, int64 or an enum. */
void proto_float(struct str *out, int field, float value);      /* A fixed32. */
void proto_text(struct str *out, int field, const char *value); /* A string. */
void proto_message(struct str *out, int field, const struct str *message); /* A message. */

/* What stands in front of len bytes that the caller writes behind it. */
void proto_head(struct str *out, int field, uint64_t len);

#endif
