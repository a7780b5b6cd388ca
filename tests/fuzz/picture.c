/* picture_decode: any bytes; what it accepts is within its limits and fits any input size. */
#include "tests/fuzz/fuzz.h"

#include "engine/data/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    uint8_t fitted[9 * 7 * 3];
    struct picture picture;
    struct error err = {0};
    if (picture_decode(&picture, bytes, len, &err) != STATUS_OK) {
        CHECK(err.message[0] && !picture.pixels);
        return 0;
    }
    CHECK(picture.channels == 1 || picture.channels == 3);
    CHECK(picture.height >= 1 && picture.height <= PICTURE_MAX_SIDE);
    CHECK(picture.width >= 1 && picture.width <= PICTURE_MAX_SIDE);
    CHECK((int64_t)picture.height * picture.width <= PICTURE_MAX_PIXELS);
    CHECK(picture_fit(&picture, 9, 7, 3, fitted, &err) == STATUS_OK);
    CHECK(picture_fit(&picture, 9, 7, 1, fitted, &err) == STATUS_OK);
    picture_release(&picture);
    return 0;
}
