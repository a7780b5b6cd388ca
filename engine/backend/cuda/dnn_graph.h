/*
 * dnn_graph.h - cuDNN's backend descriptors: the library's functions, and the graph of one problem.
 *
 * Ownership: a bag destroys the descriptors it holds.
 */
#ifndef ENGINE_BACKEND_CUDA_DNN_GRAPH_H
#define ENGINE_BACKEND_CUDA_DNN_GRAPH_H

#include "engine/backend/cuda/dnn.h"

#include <cudnn_graph.h>
#include <stdbool.h>

/* The functions that are taken from the library. */
#define DNN_FUNCTIONS(X)                                                                           \
    X(cudnnCreate)                                                                                 \
    X(cudnnDestroy)                                                                                \
    X(cudnnSetStream)                                                                              \
    X(cudnnGetVersion)                                                                             \
    X(cudnnGetErrorString)                                                                         \
    X(cudnnBackendCreateDescriptor)                                                                \
    X(cudnnBackendDestroyDescriptor)                                                               \
    X(cudnnBackendSetAttribute)                                                                    \
    X(cudnnBackendGetAttribute)                                                                    \
    X(cudnnBackendFinalize)                                                                        \
    X(cudnnBackendExecute)

struct dnn_api {
#define DNN_MEMBER(name) __typeof__(name) *name;
    DNN_FUNCTIONS(DNN_MEMBER)
#undef DNN_MEMBER
};

/* Descriptors that die together. The first call that fails leaves its status, and all that follow
 * do nothing. */
struct bag {
    const struct dnn_api *api;
    cudnnStatus_t status;
    cudnnBackendDescriptor_t item[40];
    int count;
};

/* A new descriptor, or NULL after a failure. */
cudnnBackendDescriptor_t bag_create(struct bag *bag, cudnnBackendDescriptorType_t type);

/* Sets an attribute of count elements. */
void bag_set(struct bag *bag, cudnnBackendDescriptor_t to, cudnnBackendAttributeName_t name,
             cudnnBackendAttributeType_t type, int64_t count, const void *value);

/* Sets one that is a descriptor. */
void bag_link(struct bag *bag, cudnnBackendDescriptor_t to, cudnnBackendAttributeName_t name,
              cudnnBackendDescriptor_t value);
void bag_finalize(struct bag *bag, cudnnBackendDescriptor_t descriptor); /* No set after it. */
void bag_release(struct bag *bag); /* Destroys its descriptors; empty again, and without failure. */

/* Names of the operands in a graph. */
enum dnn_uid { DNN_X = 1, DNN_W, DNN_Y, DNN_BIAS, DNN_RESIDUAL, DNN_VIRTUAL };

/* The finalized operation graph of a problem. handle may be NULL. */
cudnnBackendDescriptor_t dnn_graph(struct bag *bag, const struct dnn_problem *problem,
                                   cudnnHandle_t handle);

#endif
