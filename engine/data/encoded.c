#include "engine/data/encoded.h"

#include <stdlib.h>
#include <string.h>

enum status encoded_add(struct encoded *encoded, const char *name, const uint8_t *bytes, size_t len,
                        struct error *err) {
    if (encoded->count == ENCODED_MAX_ITEMS)
        return error_set(err, STATUS_TOO_LARGE, "%s holds more than %d pictures", encoded->place,
                         ENCODED_MAX_ITEMS);
    MEM_GROW(encoded->item, encoded->count, encoded->capacity);
    encoded->item[encoded->count++] = (struct encoded_item){xstrdup(name), bytes, len};
    return STATUS_OK;
}

void encoded_release(struct encoded *encoded) {
    for (int64_t i = 0; i < encoded->count; i++)
        free(encoded->item[i].name);
    free(encoded->item);
    free(encoded->own_digest);
    *encoded = (struct encoded){.count = 0};
}

enum status encoded_blame(const struct encoded *encoded, int64_t index, enum status status,
                          struct error *err) {
    const char *name = encoded->item[index].name;
    if (status == STATUS_INVALID || status == STATUS_TOO_LARGE || status == STATUS_NOT_FOUND) {
        status = STATUS_CORRUPT;
        if (err)
            err->status = status;
    }
    return name ? error_wrap(err, status, "%s/%s", encoded->place, name)
                : error_wrap(err, status, "%s: picture %lld", encoded->place, (long long)index);
}

static enum status read_item(const struct encoded *encoded, const struct encoded_item *item,
                             struct encoded_load *load, struct error *err) {
    char path[FILE_PATH_BYTES];
    *load = (struct encoded_load){item->bytes, item->len, NULL};
    if (item->bytes)
        return STATUS_OK;
    enum status status = file_join(path, encoded->place, item->name, err);
    if (!status)
        status = file_read(path, PICTURE_MAX_BYTES, &load->owned, &load->len, err);
    load->bytes = (const uint8_t *)load->owned;
    return status;
}

static enum status check_digest(const struct encoded *encoded, int64_t index,
                                const struct encoded_load *load, struct error *err) {
    uint8_t digest[SHA256_BYTES];
    sha256_of(load->bytes, load->len, digest);
    if (memcmp(digest, encoded->digest + index * SHA256_BYTES, SHA256_BYTES) == 0)
        return STATUS_OK;
    return error_set(err, STATUS_CORRUPT, "its bytes have changed: their digest is another one");
}

enum status encoded_read(const struct encoded *encoded, int64_t index, struct encoded_load *load,
                         struct error *err) {
    enum status status = read_item(encoded, &encoded->item[index], load, err);
    if (!status && encoded->digest)
        status = check_digest(encoded, index, load, err);
    if (status)
        encoded_unload(load);
    return encoded_blame(encoded, index, status, err);
}

void encoded_unload(struct encoded_load *load) {
    free(load->owned);
    *load = (struct encoded_load){.len = 0};
}

enum status encoded_decode(const struct encoded *encoded, int64_t index, struct picture *picture,
                           struct error *err) {
    struct encoded_load load;
    *picture = (struct picture){0};
    enum status status = encoded_read(encoded, index, &load, err);
    if (status)
        return status;
    status = picture_decode(picture, load.bytes, load.len, err);
    encoded_unload(&load);
    return encoded_blame(encoded, index, status, err);
}
