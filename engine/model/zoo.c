#include "engine/model/mobilenet.h"
#include "engine/model/resnet.h"
#include "engine/model/shufflenet.h"
#include "engine/model/vgg.h"
#include "engine/model/vit.h"
#include "engine/model/wrn.h"

#include <string.h>

static const struct origin cifar = {"RepDistiller", 32, 100, 1, false},
                           torchvision = {"torchvision", 224, 1000, 1, false},
                           mdistiller = {"mdistiller", 224, 1000, 1, false},
                           timm = {"timm", 224, 1000, 16, true};

/* Depth and width as the family counts them. */
const struct architecture zoo[] = {
    {"resnet8", "CIFAR ResNet, 8 layers", resnet_cifar_build, &cifar, 8, 1},
    {"resnet14", "CIFAR ResNet, 14 layers", resnet_cifar_build, &cifar, 14, 1},
    {"resnet20", "CIFAR ResNet, 20 layers", resnet_cifar_build, &cifar, 20, 1},
    {"resnet32", "CIFAR ResNet, 32 layers", resnet_cifar_build, &cifar, 32, 1},
    {"resnet44", "CIFAR ResNet, 44 layers", resnet_cifar_build, &cifar, 44, 1},
    {"resnet56", "CIFAR ResNet, 56 layers", resnet_cifar_build, &cifar, 56, 1},
    {"resnet110", "CIFAR ResNet, 110 layers", resnet_cifar_build, &cifar, 110, 1},
    {"resnet8x4", "CIFAR ResNet, 8 layers, 4 times as wide", resnet_cifar_build, &cifar, 8, 4},
    {"resnet32x4", "CIFAR ResNet, 32 layers, 4 times as wide", resnet_cifar_build, &cifar, 32, 4},
    {"wrn_16_1", "wide residual network, 16 layers", wrn_build, &cifar, 16, 1},
    {"wrn_16_2", "wide residual network, 16 layers, twice as wide", wrn_build, &cifar, 16, 2},
    {"wrn_40_1", "wide residual network, 40 layers", wrn_build, &cifar, 40, 1},
    {"wrn_40_2", "wide residual network, 40 layers, twice as wide", wrn_build, &cifar, 40, 2},
    {"vgg8", "VGG with batch norm, 8 layers", vgg_build, &cifar, 8, 1},
    {"vgg11", "VGG with batch norm, 11 layers", vgg_build, &cifar, 11, 1},
    {"vgg13", "VGG with batch norm, 13 layers", vgg_build, &cifar, 13, 1},
    {"vgg16", "VGG with batch norm, 16 layers", vgg_build, &cifar, 16, 1},
    {"vgg19", "VGG with batch norm, 19 layers", vgg_build, &cifar, 19, 1},
    {"mobilenetv2_cifar", "MobileNetV2 for CIFAR, half the width", mobilenetv2_cifar_build, &cifar,
     0, 0},
    {"shufflenetv1", "ShuffleNetV1 for CIFAR, 3 groups", shufflenetv1_build, &cifar, 0, 0},
    {"shufflenetv2", "ShuffleNetV2 for CIFAR", shufflenetv2_build, &cifar, 0, 0},
    {"resnet50_cifar", "ResNet for CIFAR with bottlenecks, 50 layers", resnet50_cifar_build, &cifar,
     50, 1},
    {"resnet18", "ResNet, 18 layers", resnet_build, &torchvision, 18, 1},
    {"resnet34", "ResNet, 34 layers", resnet_build, &torchvision, 34, 1},
    {"resnet50", "ResNet with bottlenecks, 50 layers", resnet_build, &torchvision, 50, 1},
    {"resnet101", "ResNet with bottlenecks, 101 layers", resnet_build, &torchvision, 101, 1},
    {"resnet152", "ResNet with bottlenecks, 152 layers", resnet_build, &torchvision, 152, 1},
    {"mobilenetv1", "MobileNetV1", mobilenetv1_build, &mdistiller, 0, 0},
    {"mobilenetv2", "MobileNetV2", mobilenetv2_build, &torchvision, 0, 0},
    {"deit_tiny", "DeiT-Tiny, a vision transformer of 16x16 patches", deit_build, &timm, 12, 192},
    {"deit3_small", "DeiT III-Small, a vision transformer with layer scale", deit3_build, &timm, 12,
     384},
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

enum status zoo_check(const char *name, const char *field, struct error *err) {
    const char *nearest = NULL;
    struct str hint = STR_INIT;
    if (zoo_find(name))
        return STATUS_OK;
    for (const struct architecture *row = zoo; row->name; row++)
        str_nearer(&nearest, name, row->name);
    if (nearest) {
        str_addf(&hint, "did you mean \"%s\"?", nearest);
    } else {
        str_add(&hint, "known are ");
        zoo_add_names(&hint);
    }
    error_set_field(err, STATUS_INVALID, field, "there is no architecture \"%.64s\"; %s", name,
                    str_text(&hint));
    str_release(&hint);
    return STATUS_INVALID;
}
