/*
 * openapi.h - the text of openapi.yaml, which the build puts into the program.
 *
 * Threads: a constant.
 */
#ifndef SERVICE_HTTP_OPENAPI_H
#define SERVICE_HTTP_OPENAPI_H

#include <stddef.h>

extern const unsigned char openapi_yaml[];
extern const size_t openapi_yaml_bytes;

#endif
