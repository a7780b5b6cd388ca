/*
 * app.h - what handlers work with: made once by serve.c, the same for all requests.
 *
 * Threads: everything in it may be used by any thread.
 */
#ifndef SERVICE_HTTP_APP_H
#define SERVICE_HTTP_APP_H

#include "api/ids.h"
#include "service/common/config.h"
#include "service/http/crew.h"
#include "service/http/keeper.h"
#include "service/http/model_cache.h"
#include "service/http/rate.h"
#include "service/http/stream.h"
#include "service/http/telemetry.h"
#include "service/store/key_ring.h"
#include "service/store/redis.h"
#include "service/webhook/deliverer.h"

#include <stdatomic.h>

struct app {
    const struct config *config;
    struct redis_pool *pool;
    struct id_source ids;
    struct key_ring *keys;    /* who may do what */
    struct rate_table *rates; /* who has sent how much */
    struct telemetry *telemetry;
    struct pump *pump;     /* live metrics */
    struct keeper *keeper; /* removes what is old */
    struct crew *loaders;  /* load models, estimate jobs */
    struct crew *decoders; /* decode large pictures, long curves */
    struct crew *imports;  /* import data sets */
    struct model_cache *models;
    struct deliverer *deliverer;
    atomic_bool device_lost; /* nothing can be classified any more: the process ends as failed */
};

#endif
