#include "engine/data/tar.h"

#include "engine/base/str.h"

#include <string.h>

enum { BLOCK = 512 };

/* Fields of a header block: where and how long. */
struct place {
    int at, len;
};
static const struct place field_name = {0, 100}, field_size = {124, 12}, field_sum = {148, 8},
                          field_prefix = {345, 155};
enum { AT_TYPE = 156, AT_MAGIC = 257 };

void tar_init(struct tar *tar, const void *bytes, size_t len) {
    *tar = (struct tar){.bytes = bytes, .len = len, .next_size = UINT64_MAX};
}

/* ---- header fields ---- */

static bool is_zero(const uint8_t *block) {
    for (int i = 0; i < BLOCK; i++)
        if (block[i])
            return false;
    return true;
}

/* Octal digits between spaces, ended by a space, a NUL or the field. */
static bool parse_octal(const uint8_t *digits, int len, uint64_t *value) {
    int i = 0, n = 0;
    *value = 0;
    while (i < len && digits[i] == ' ')
        i++;
    for (; i < len && digits[i] >= '0' && digits[i] <= '7'; i++, n++)
        *value = *value * 8 + (uint64_t)(digits[i] - '0');
    return n > 0 && (i == len || digits[i] == ' ' || digits[i] == '\0');
}

/* GNU's form of numbers that do not fit: a set top bit, then big-endian bytes. */
static bool parse_binary(const uint8_t *bytes, int len, uint64_t *value) {
    *value = 0;
    if (bytes[0] != 0x80)
        return false;
    for (int i = 1; i < len; i++) {
        if (*value >> 55)
            return false;
        *value = *value << 8 | bytes[i];
    }
    return true;
}

static bool parse_number(const uint8_t *header, struct place field, uint64_t *value) {
    const uint8_t *at = header + field.at;
    return at[0] & 0x80 ? parse_binary(at, field.len, value) : parse_octal(at, field.len, value);
}

/* The sum of all bytes, with spaces in place of the sum itself. */
static bool sum_is_right(const uint8_t *header) {
    uint64_t stored, sum = 0;
    for (int i = 0; i < BLOCK; i++)
        sum += i >= field_sum.at && i < field_sum.at + field_sum.len ? ' ' : header[i];
    return parse_number(header, field_sum, &stored) && stored == sum;
}

/* ---- names ---- */

static enum status refuse_name(const char *name, const char *why, struct error *err) {
    return error_set(err, STATUS_CORRUPT, "the name \"%.200s\" %s", name, why);
}

/* Takes out empty parts and "."; what is left of the name is never longer than before. */
static enum status clean_name(char *name, struct error *err) {
    char *out = name;
    if (name[0] == '/')
        return refuse_name(name, "is absolute", err);
    for (const char *part = name; *part;) {
        size_t len = strcspn(part, "/");
        if (len == 2 && part[0] == '.' && part[1] == '.')
            return refuse_name(name, "leads out of its folder", err);
        if (len && !(len == 1 && part[0] == '.')) {
            if (out != name)
                *out++ = '/';
            memmove(out, part, len);
            out += len;
        }
        part += len + (part[len] == '/');
    }
    *out = '\0';
    return STATUS_OK;
}

/* Copies a field that a NUL ends only where it is shorter than its place. */
static size_t copy_field(char *out, const uint8_t *header, struct place field) {
    size_t len = strnlen((const char *)header + field.at, (size_t)field.len);
    memcpy(out, header + field.at, len);
    out[len] = '\0';
    return len;
}

/* The name of an entry: from a header before it, or prefix and name of its own. */
static void take_name(struct tar *tar, const uint8_t *header) {
    static const char posix[] = "ustar"; /* with its NUL; GNU's own form has no prefix */
    size_t len = 0;
    if (tar->next_name[0]) {
        memcpy(tar->name, tar->next_name, sizeof tar->name);
    } else {
        if (memcmp(header + AT_MAGIC, posix, sizeof posix) == 0)
            len = copy_field(tar->name, header, field_prefix);
        if (len)
            tar->name[len++] = '/';
        copy_field(tar->name + len, header, field_name);
    }
}

static enum status keep_name(struct tar *tar, const uint8_t *text, size_t len, struct error *err) {
    while (len && text[len - 1] == '\0')
        len--;
    if (len == 0 || len >= sizeof tar->next_name)
        return error_set(err, STATUS_CORRUPT, "a name of %zu bytes is not in 1..%d", len,
                         FILE_PATH_BYTES - 1);
    if (memchr(text, '\0', len))
        return error_set(err, STATUS_CORRUPT, "a name holds a zero byte");
    memcpy(tar->next_name, text, len);
    tar->next_name[len] = '\0';
    return STATUS_OK;
}

/* ---- pax records: "LENGTH KEY=VALUE\n", the length counts all of it ---- */

static enum status keep_size(struct tar *tar, const uint8_t *digits, size_t len,
                             struct error *err) {
    char text[24] = "";
    if (len < sizeof text)
        memcpy(text, digits, len);
    if (!str_parse_u64(text, &tar->next_size))
        return error_set(err, STATUS_CORRUPT, "a pax size is no number");
    return STATUS_OK;
}

static enum status keep_record(struct tar *tar, const uint8_t *key, size_t len, struct error *err) {
    static const char sparse[] = "GNU.sparse.";
    const uint8_t *equals = memchr(key, '=', len);
    if (!equals)
        return error_set(err, STATUS_CORRUPT, "a pax record has no value");
    size_t key_len = (size_t)(equals - key), value_len = len - key_len - 1;
    if (key_len == 4 && memcmp(key, "path", 4) == 0)
        return keep_name(tar, equals + 1, value_len, err);
    if (key_len == 4 && memcmp(key, "size", 4) == 0)
        return keep_size(tar, equals + 1, value_len, err);
    if (key_len >= sizeof sparse - 1 && memcmp(key, sparse, sizeof sparse - 1) == 0)
        return error_set(err, STATUS_CORRUPT, "a sparse file; pack without --sparse");
    return STATUS_OK;
}

static enum status keep_records(struct tar *tar, const uint8_t *text, size_t len,
                                struct error *err) {
    enum status status = STATUS_OK;
    while (len && !status) {
        size_t record = 0, digits = 0;
        while (digits < len && digits < 9 && text[digits] >= '0' && text[digits] <= '9')
            record = record * 10 + (size_t)(text[digits++] - '0');
        if (digits == 0 || digits + 2 > record || record > len || text[digits] != ' ' ||
            text[record - 1] != '\n')
            return error_set(err, STATUS_CORRUPT, "a pax record is broken");
        status = keep_record(tar, text + digits + 1, record - digits - 2, err);
        text += record;
        len -= record;
    }
    return status;
}

/* ---- entries ---- */

enum kind { KIND_FILE, KIND_PASS_OVER, KIND_NAME, KIND_RECORDS, KIND_REFUSED };

static const struct {
    char type;
    enum kind kind;
    const char *what; /* of what is refused */
} kinds[] = {
    {'0', KIND_FILE, NULL},
    {'\0', KIND_FILE, NULL},
    {'7', KIND_FILE, NULL},
    {'5', KIND_PASS_OVER, NULL},
    {'V', KIND_PASS_OVER, NULL},
    {'K', KIND_PASS_OVER, NULL}, /* the long target of a link, which is refused itself */
    {'g', KIND_PASS_OVER, NULL}, /* pax for all entries: comments */
    {'L', KIND_NAME, NULL},
    {'x', KIND_RECORDS, NULL},
    {'1', KIND_REFUSED, "a hard link; pack with --hard-dereference"},
    {'2', KIND_REFUSED, "a link; pack with --dereference"},
    {'S', KIND_REFUSED, "a sparse file; pack without --sparse"},
    {'M', KIND_REFUSED, "a part of another volume"},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static int find_kind(char type) {
    int i = 0;
    while (i < KINDS && kinds[i].type != type)
        i++;
    return i;
}

/* Whether entries begin here; nothing but zeros ends the archive. */
static enum status next_header(const struct tar *tar, bool *more, struct error *err) {
    if (tar->len - tar->at < BLOCK)
        return error_set(err, STATUS_CORRUPT,
                         "the tar file ends after %zu bytes without an end marker: it is cut off",
                         tar->len);
    const uint8_t *header = tar->bytes + tar->at;
    *more = !is_zero(header);
    if (*more && !sum_is_right(header))
        return error_set(err, STATUS_CORRUPT, "not a tar file, or damaged: the header at byte %zu",
                         tar->at);
    return STATUS_OK;
}

static enum status read_size(const struct tar *tar, const uint8_t *header, enum kind kind,
                             uint64_t *size, struct error *err) {
    bool said = tar->next_size != UINT64_MAX && kind != KIND_NAME && kind != KIND_RECORDS;
    if (!parse_number(header, field_size, size))
        return error_set(err, STATUS_CORRUPT, "the header at byte %zu has no size", tar->at);
    if (said)
        *size = tar->next_size;
    if (*size > tar->len - tar->at - BLOCK)
        return error_set(err, STATUS_CORRUPT, "the entry at byte %zu is cut off", tar->at);
    return STATUS_OK;
}

/* Behind the data, which fills whole blocks; the last one may be missing. */
static void skip(struct tar *tar, uint64_t size) {
    uint64_t rest = tar->len - tar->at, whole = BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK;
    tar->at += (size_t)(whole < rest ? whole : rest);
}

/* One header and its data; *is_file says whether it is an entry to hand out. */
static enum status read_entry(struct tar *tar, struct tar_entry *entry, bool *is_file,
                              struct error *err) {
    const uint8_t *header = tar->bytes + tar->at, *data = header + BLOCK;
    int row = find_kind((char)header[AT_TYPE]);
    enum kind kind = row < KINDS ? kinds[row].kind : KIND_REFUSED;
    uint64_t size;
    enum status status = read_size(tar, header, kind, &size, err);
    if (status)
        return status;
    skip(tar, size);
    if (kind == KIND_NAME)
        return keep_name(tar, data, (size_t)size, err);
    if (kind == KIND_RECORDS)
        return keep_records(tar, data, (size_t)size, err);
    take_name(tar, header);
    /* before there were types, a slash at the end made a folder */
    *is_file = kind == KIND_FILE && !str_has_suffix(tar->name, "/");
    status = clean_name(tar->name, err);
    if (!status && kind == KIND_REFUSED)
        status = error_set(err, STATUS_CORRUPT, "%.200s is %s", tar->name,
                           row < KINDS ? kinds[row].what : "neither a file nor a folder");
    if (header[AT_TYPE] != 'K' && header[AT_TYPE] != 'g') {
        tar->next_name[0] = '\0';
        tar->next_size = UINT64_MAX;
    }
    *entry = (struct tar_entry){tar->name, data, (size_t)size};
    return status;
}

enum status tar_next(struct tar *tar, struct tar_entry *entry, bool *more, struct error *err) {
    bool is_file = false;
    *more = true;
    while (!is_file) {
        enum status status = next_header(tar, more, err);
        if (!status && *more)
            status = read_entry(tar, entry, &is_file, err);
        if (status || !*more)
            return status;
    }
    return STATUS_OK;
}
