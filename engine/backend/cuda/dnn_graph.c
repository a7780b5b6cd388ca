#include "engine/backend/cuda/dnn_graph.h"

/* --- descriptors --- */

cudnnBackendDescriptor_t bag_create(struct bag *bag, cudnnBackendDescriptorType_t type) {
    cudnnBackendDescriptor_t descriptor = NULL;
    if (bag->status != CUDNN_STATUS_SUCCESS)
        return NULL;
    CHECK(bag->count < (int)(sizeof bag->item / sizeof *bag->item));
    bag->status = bag->api->cudnnBackendCreateDescriptor(type, &descriptor);
    if (bag->status != CUDNN_STATUS_SUCCESS)
        return NULL;
    return bag->item[bag->count++] = descriptor;
}

void bag_set(struct bag *bag, cudnnBackendDescriptor_t to, cudnnBackendAttributeName_t name,
             cudnnBackendAttributeType_t type, int64_t count, const void *value) {
    if (bag->status == CUDNN_STATUS_SUCCESS)
        bag->status = bag->api->cudnnBackendSetAttribute(to, name, type, count, value);
}

void bag_link(struct bag *bag, cudnnBackendDescriptor_t to, cudnnBackendAttributeName_t name,
              cudnnBackendDescriptor_t value) {
    bag_set(bag, to, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

void bag_finalize(struct bag *bag, cudnnBackendDescriptor_t descriptor) {
    if (bag->status == CUDNN_STATUS_SUCCESS)
        bag->status = bag->api->cudnnBackendFinalize(descriptor);
}

void bag_release(struct bag *bag) {
    while (bag->count > 0)
        bag->api->cudnnBackendDestroyDescriptor(bag->item[--bag->count]);
    bag->status = CUDNN_STATUS_SUCCESS;
}

/* --- tensors --- */

struct tensor {
    int64_t uid, n, c, h, w; /* in memory n, h, w, c */
    cudnnDataType_t type;
    bool is_virtual;
};

static cudnnBackendDescriptor_t tensor_of(struct bag *bag, const struct tensor *tensor) {
    int64_t size[] = {tensor->n, tensor->c, tensor->h, tensor->w};
    int64_t stride[] = {tensor->h * tensor->w * tensor->c, 1, tensor->w * tensor->c, tensor->c};
    int64_t alignment = 16;
    cudnnBackendDescriptor_t of = bag_create(bag, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    bag_set(bag, of, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &tensor->uid);
    bag_set(bag, of, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &tensor->type);
    bag_set(bag, of, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, size);
    bag_set(bag, of, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, stride);
    bag_set(bag, of, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    bag_set(bag, of, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &tensor->is_virtual);
    bag_finalize(bag, of);
    return of;
}

static cudnnDataType_t number_type(const struct dnn_problem *problem) {
    return problem->bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
}

static cudnnBackendDescriptor_t x_of(struct bag *bag, const struct dnn_problem *problem) {
    struct tensor x = {DNN_X,      problem->n,           problem->c, problem->h,
                       problem->w, number_type(problem), false};
    return tensor_of(bag, &x);
}

static struct tensor like_y(const struct dnn_problem *problem, int64_t uid) {
    return (struct tensor){uid,         problem->n,           problem->k, problem->yh,
                           problem->yw, number_type(problem), false};
}

static cudnnBackendDescriptor_t w_of(struct bag *bag, const struct dnn_problem *problem) {
    struct tensor w = {DNN_W,      problem->k,           problem->c, problem->r,
                       problem->s, number_type(problem), false};
    return tensor_of(bag, &w);
}

/* --- operations --- */

static cudnnBackendDescriptor_t geometry_of(struct bag *bag, const struct dnn_problem *problem) {
    cudnnDataType_t type = CUDNN_DATA_FLOAT;
    cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    int64_t dims = 2, one[] = {1, 1}, stride[] = {problem->stride, problem->stride};
    int64_t pad[] = {problem->pad, problem->pad};
    cudnnBackendDescriptor_t of = bag_create(bag, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    bag_set(bag, of, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    bag_set(bag, of, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    bag_set(bag, of, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &dims);
    bag_set(bag, of, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, one);
    bag_set(bag, of, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, stride);
    bag_set(bag, of, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, pad);
    bag_set(bag, of, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, pad);
    bag_finalize(bag, of);
    return of;
}

/* How the three kinds name their attributes. */
static const struct {
    cudnnBackendDescriptorType_t type;
    cudnnBackendAttributeName_t geometry, x, w, y, alpha, beta;
} kinds[] = {
    [DNN_CONV] = {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
    [DNN_CONV_DX] = {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
    [DNN_CONV_DW] = {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA},
};

static cudnnBackendDescriptor_t convolution(struct bag *bag, const struct dnn_problem *problem,
                                            cudnnBackendDescriptor_t y) {
    float alpha = 1, beta = 0;
    cudnnBackendDescriptor_t x = x_of(bag, problem), w = w_of(bag, problem);
    cudnnBackendDescriptor_t geometry = geometry_of(bag, problem);
    cudnnBackendDescriptor_t op = bag_create(bag, kinds[problem->kind].type);
    bag_link(bag, op, kinds[problem->kind].geometry, geometry);
    bag_link(bag, op, kinds[problem->kind].x, x);
    bag_link(bag, op, kinds[problem->kind].w, w);
    bag_link(bag, op, kinds[problem->kind].y, y);
    bag_set(bag, op, kinds[problem->kind].alpha, CUDNN_TYPE_FLOAT, 1, &alpha);
    bag_set(bag, op, kinds[problem->kind].beta, CUDNN_TYPE_FLOAT, 1, &beta);
    bag_finalize(bag, op);
    return op;
}

/* y = mode(x, b); b NULL for a mode of one operand. */
static cudnnBackendDescriptor_t pointwise(struct bag *bag, cudnnPointwiseMode_t mode,
                                          const cudnnBackendDescriptor_t operand[3]) {
    cudnnDataType_t type = CUDNN_DATA_FLOAT;
    cudnnBackendDescriptor_t how = bag_create(bag, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    bag_set(bag, how, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    bag_set(bag, how, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &type);
    bag_finalize(bag, how);
    cudnnBackendDescriptor_t op = bag_create(bag, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    bag_link(bag, op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how);
    bag_link(bag, op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, operand[0]);
    if (operand[1])
        bag_link(bag, op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, operand[1]);
    bag_link(bag, op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, operand[2]);
    bag_finalize(bag, op);
    return op;
}

/* What follows a convolution, in the order that precompiled kernels have. */
struct epilogue {
    cudnnPointwiseMode_t mode;
    cudnnBackendDescriptor_t operand;
};

static int epilogue_of(struct bag *bag, const struct dnn_problem *problem, struct epilogue *out) {
    int count = 0;
    if (problem->residual) {
        struct tensor residual = like_y(problem, DNN_RESIDUAL);
        out[count++] = (struct epilogue){CUDNN_POINTWISE_ADD, tensor_of(bag, &residual)};
    }
    if (problem->bias) {
        struct tensor bias = {DNN_BIAS, 1, problem->k, 1, 1, number_type(problem), false};
        out[count++] = (struct epilogue){CUDNN_POINTWISE_ADD, tensor_of(bag, &bias)};
    }
    if (problem->relu)
        out[count++] = (struct epilogue){CUDNN_POINTWISE_RELU_FWD, NULL};
    return count;
}

/* The value behind operation i of so many; all but the last are f32 and in no memory. */
static cudnnBackendDescriptor_t between(struct bag *bag, const struct dnn_problem *problem, int i,
                                        int last) {
    struct tensor y = like_y(problem, DNN_Y);
    if (i < last) {
        y.uid = DNN_VIRTUAL + i;
        y.type = CUDNN_DATA_FLOAT;
        y.is_virtual = true;
    }
    return tensor_of(bag, &y);
}

cudnnBackendDescriptor_t dnn_graph(struct bag *bag, const struct dnn_problem *problem,
                                   cudnnHandle_t handle) {
    struct epilogue epilogue[3];
    cudnnBackendDescriptor_t op[4];
    int count = epilogue_of(bag, problem, epilogue);
    cudnnBackendDescriptor_t y = between(bag, problem, 0, count);
    op[0] = convolution(bag, problem, y);
    for (int i = 0; i < count; i++) {
        cudnnBackendDescriptor_t next = between(bag, problem, i + 1, count);
        op[i + 1] = pointwise(bag, epilogue[i].mode,
                              (cudnnBackendDescriptor_t[]){y, epilogue[i].operand, next});
        y = next;
    }
    cudnnBackendDescriptor_t graph = bag_create(bag, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    bag_set(bag, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count + 1,
            op);
    if (handle)
        bag_set(bag, graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
    bag_finalize(bag, graph);
    return graph;
}
