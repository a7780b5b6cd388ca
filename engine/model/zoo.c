#include "engine/model/resnet.h"

#include <string.h>

/* RepDistiller's CIFAR ResNets: depth 6n + 2, width in multiples of 16, 32, 64. */
const struct architecture zoo[] = {
    {"resnet8", "CIFAR ResNet, 8 layers", resnet_build, 8, 1},
    {"resnet14", "CIFAR ResNet, 14 layers", resnet_build, 14, 1},
    {"resnet20", "CIFAR ResNet, 20 layers", resnet_build, 20, 1},
    {"resnet32", "CIFAR ResNet, 32 layers", resnet_build, 32, 1},
    {"resnet44", "CIFAR ResNet, 44 layers", resnet_build, 44, 1},
    {"resnet56", "CIFAR ResNet, 56 layers", resnet_build, 56, 1},
    {"resnet110", "CIFAR ResNet, 110 layers", resnet_build, 110, 1},
    {"resnet8x4", "CIFAR ResNet, 8 layers, 4 times as wide", resnet_build, 8, 4},
    {"resnet32x4", "CIFAR ResNet, 32 layers, 4 times as wide", resnet_build, 32, 4},
    {0},
};

const struct architecture *zoo_find(const char *name) {
    for (const struct architecture *row = zoo; row->name; row++)
        if (strcmp(row->name, name) == 0)
            return row;
    return NULL;
}

void zoo_add_names(struct str *out) {
    for (const struct architecture *row = zoo; row->name; row++)
        str_addf(out, "%s%s", row == zoo ? "" : ", ", row->name);
}
