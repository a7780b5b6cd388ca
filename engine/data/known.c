#include "engine/data/known.h"

#include "engine/base/str.h"

#include <ctype.h>
#include <string.h>

enum { KEY_BYTES = 64 };

static const char *const cifar10_classes[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                              "dog",      "frog",       "horse", "ship", "truck"};

static const char *const cifar100_classes[] = {
    "apple",       "aquarium_fish", "baby",      "bear",       "beaver",       "bed",
    "bee",         "beetle",        "bicycle",   "bottle",     "bowl",         "boy",
    "bridge",      "bus",           "butterfly", "camel",      "can",          "castle",
    "caterpillar", "cattle",        "chair",     "chimpanzee", "clock",        "cloud",
    "cockroach",   "couch",         "crab",      "crocodile",  "cup",          "dinosaur",
    "dolphin",     "elephant",      "flatfish",  "forest",     "fox",          "girl",
    "hamster",     "house",         "kangaroo",  "keyboard",   "lamp",         "lawn_mower",
    "leopard",     "lion",          "lizard",    "lobster",    "man",          "maple_tree",
    "motorcycle",  "mountain",      "mouse",     "mushroom",   "oak_tree",     "orange",
    "orchid",      "otter",         "palm_tree", "pear",       "pickup_truck", "pine_tree",
    "plain",       "plate",         "poppy",     "porcupine",  "possum",       "rabbit",
    "raccoon",     "ray",           "road",      "rocket",     "rose",         "sea",
    "seal",        "shark",         "shrew",     "skunk",      "skyscraper",   "snail",
    "snake",       "spider",        "squirrel",  "streetcar",  "sunflower",    "sweet_pepper",
    "table",       "tank",          "telephone", "television", "tiger",        "tractor",
    "train",       "trout",         "tulip",     "turtle",     "wardrobe",     "whale",
    "willow_tree", "wolf",          "woman",     "worm"};

static const char *const mnist_classes[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

static const char *const fashion_mnist_classes[] = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

#define CLASSES(names) sizeof(names) / sizeof(names)[0]

static const struct known_set sets[] = {
    {.name = "cifar10",
     .channels = 3,
     .side = 32,
     .classes = CLASSES(cifar10_classes),
     .mean = {0.4914f, 0.4822f, 0.4465f},
     .deviation = {0.2470f, 0.2435f, 0.2616f},
     .class_names = cifar10_classes},
    {.name = "cifar100",
     .channels = 3,
     .side = 32,
     .classes = CLASSES(cifar100_classes),
     .mean = {0.5071f, 0.4867f, 0.4408f},
     .deviation = {0.2675f, 0.2565f, 0.2761f},
     .class_names = cifar100_classes},
    {.name = "mnist",
     .channels = 1,
     .side = 28,
     .classes = CLASSES(mnist_classes),
     .mean = {0.1307f},
     .deviation = {0.3081f},
     .class_names = mnist_classes},
    {.name = "fashionmnist",
     .channels = 1,
     .side = 28,
     .classes = CLASSES(fashion_mnist_classes),
     .mean = {0.2860f},
     .deviation = {0.3530f},
     .class_names = fashion_mnist_classes},
    /* and every subset and edition of it, which brings its own classes */
    {.name = "imagenet",
     .channels = 3,
     .mean = {0.485f, 0.456f, 0.406f},
     .deviation = {0.229f, 0.224f, 0.225f}},
};

/* What packages and archives put around a set's own name. */
static const char *const prefixes[] = {"dataset"};
static const char *const suffixes[] = {"binary", "batchesbin"};

/* Letters and digits only, in lower case, without prefixes and suffixes. */
static void key_of(const char *name, char key[KEY_BYTES]) {
    size_t len = 0;
    for (; *name && len < KEY_BYTES - 1; name++)
        if (isalnum((unsigned char)*name))
            key[len++] = (char)tolower((unsigned char)*name);
    key[len] = '\0';
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (str_has_prefix(key, prefixes[i]))
            memmove(key, key + strlen(prefixes[i]), strlen(key + strlen(prefixes[i])) + 1);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (str_has_suffix(key, suffixes[i]))
            key[strlen(key) - strlen(suffixes[i])] = '\0';
}

const struct known_set *known_find(const char *name) {
    char key[KEY_BYTES];
    key_of(name, key);
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        if (sets[i].classes ? str_equal(key, sets[i].name) : str_has_prefix(key, sets[i].name))
            return &sets[i];
    return NULL;
}
