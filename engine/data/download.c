#include "engine/data/download.h"

#include "engine/data/download_internal.h"

#include <stdlib.h>

#define CIFAR "https://www.cs.toronto.edu/~kriz/"
#define FASHION "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
/* The authors' own server has not handed out files for years; this is the copy PyTorch uses. */
#define MNIST "https://ossci-datasets.s3.amazonaws.com/mnist/"

/* Fashion-MNIST has a second sum each: Debian's package dataset-fashion-mnist compressed the same
 * files again, and its folder is a mirror that many machines have. */
static const struct download_file files[] = {
    {"cifar10",
     CIFAR,
     "cifar-10-binary.tar.gz",
     170052171,
     {"c32a1d4ab5d03f1284b67883e8d87530"},
     "cifar-10-batches-bin"},
    {"cifar100",
     CIFAR,
     "cifar-100-binary.tar.gz",
     168513733,
     {"03b5dce01913d631647c71ecec9e9cb8"},
     "cifar-100-binary"},
    {"mnist",
     MNIST,
     "train-images-idx3-ubyte.gz",
     9912422,
     {"f68b3c2dcbeaaa9fbdd348bbdeb94873"},
     NULL},
    {"mnist",
     MNIST,
     "train-labels-idx1-ubyte.gz",
     28881,
     {"d53e105ee54ea40749a09fcbcd1e9432"},
     NULL},
    {"mnist",
     MNIST,
     "t10k-images-idx3-ubyte.gz",
     1648877,
     {"9fb629c4189551a2d022fa330f9573f3"},
     NULL},
    {"mnist", MNIST, "t10k-labels-idx1-ubyte.gz", 4542, {"ec29112dd5afa0611ce80d1b7f02629c"}, NULL},
    {"fashion_mnist",
     FASHION,
     "train-images-idx3-ubyte.gz",
     26421880,
     {"8d4fb7e6c68d591d4c3dfef9ec88bf0d", "cf8536b0aa1a6ac5fa3f23001093305c"},
     NULL},
    {"fashion_mnist",
     FASHION,
     "train-labels-idx1-ubyte.gz",
     29515,
     {"25c81989df183df01b3e8a0aad5dffbe", "10bea18fdb374794d4bb42e356e600c9"},
     NULL},
    {"fashion_mnist",
     FASHION,
     "t10k-images-idx3-ubyte.gz",
     4422102,
     {"bef4ecab320f06d8554ea6380940ec79", "f78720b4224f21cce2f2ccf2d7a94c9a"},
     NULL},
    {"fashion_mnist",
     FASHION,
     "t10k-labels-idx1-ubyte.gz",
     5148,
     {"bb300cfdad3c16e7a12a480ee83cd310", "0d30e22e447f3c33dab9ed536400ac01"},
     NULL},
};

static const struct download_table table = {files, sizeof files / sizeof files[0]};

enum status download_dataset(const char *name, const char *folder, download_progress_fn *progress,
                             void *ctx, struct error *err) {
    struct download_watch watch = {progress, ctx};
    return download_from(&table, name, getenv("DISTILL_MIRROR"), folder, &watch, err);
}
