#include "engine/data/tar.h"

#include "engine/base/str.h"

#include <string.h>

/* Fields of a header block: where and how long. */
struct place {
    int at, len;
};
static const struct place field_name = {0, 100}, field_size = {124, 12}, field_sum = {148, 8},
                          field_prefix = {345, 155};
enum { AT_TYPE = 156, AT_MAGIC = 257 };

void tar_headers_init(struct tar_headers *headers) {
    *headers = (struct tar_headers){.next_size = UINT64_MAX};
}

void tar_init(struct tar *tar, const void *bytes, size_t len) {
    *tar = (struct tar){.bytes = bytes, .len = len};
    tar_headers_init(&tar->headers);
}

/* ---- header fields ---- */

static bool is_zero(const uint8_t *block) {
    for (int i = 0; i < TAR_BLOCK; i++)
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
    for (int i = 0; i < TAR_BLOCK; i++)
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
static void take_name(struct tar_headers *headers, const uint8_t *header) {
    static const char posix[] = "ustar"; /* with its NUL; GNU's own form has no prefix */
    size_t len = 0;
    if (headers->next_name[0]) {
        memcpy(headers->name, headers->next_name, sizeof headers->name);
    } else {
        if (memcmp(header + AT_MAGIC, posix, sizeof posix) == 0)
            len = copy_field(headers->name, header, field_prefix);
        if (len)
            headers->name[len++] = '/';
        copy_field(headers->name + len, header, field_name);
    }
}

static enum status keep_name(struct tar_headers *headers, const uint8_t *text, size_t len,
                             struct error *err) {
    while (len && text[len - 1] == '\0')
        len--;
    if (len == 0 || len >= sizeof headers->next_name)
        return error_set(err, STATUS_CORRUPT, "a name of %zu bytes is not in 1..%d", len,
                         FILE_PATH_BYTES - 1);
    if (memchr(text, '\0', len))
        return error_set(err, STATUS_CORRUPT, "a name holds a zero byte");
    memcpy(headers->next_name, text, len);
    headers->next_name[len] = '\0';
    return STATUS_OK;
}

/* ---- pax records: "LENGTH KEY=VALUE\n", the length counts all of it ---- */

static enum status keep_size(struct tar_headers *headers, const uint8_t *digits, size_t len,
                             struct error *err) {
    char text[24] = "";
    if (len < sizeof text)
        memcpy(text, digits, len);
    if (!str_parse_u64(text, &headers->next_size))
        return error_set(err, STATUS_CORRUPT, "a pax size is no number");
    return STATUS_OK;
}

static enum status keep_record(struct tar_headers *headers, const uint8_t *key, size_t len,
                               struct error *err) {
    static const char sparse[] = "GNU.sparse.";
    const uint8_t *equals = memchr(key, '=', len);
    if (!equals)
        return error_set(err, STATUS_CORRUPT, "a pax record has no value");
    size_t key_len = (size_t)(equals - key), value_len = len - key_len - 1;
    if (key_len == 4 && memcmp(key, "path", 4) == 0)
        return keep_name(headers, equals + 1, value_len, err);
    if (key_len == 4 && memcmp(key, "size", 4) == 0)
        return keep_size(headers, equals + 1, value_len, err);
    if (key_len >= sizeof sparse - 1 && memcmp(key, sparse, sizeof sparse - 1) == 0)
        return error_set(err, STATUS_CORRUPT, "a sparse file; pack without --sparse");
    return STATUS_OK;
}

static enum status keep_records(struct tar_headers *headers, const uint8_t *text, size_t len,
                                struct error *err) {
    enum status status = STATUS_OK;
    while (len && !status) {
        size_t record = 0, digits = 0;
        while (digits < len && digits < 9 && text[digits] >= '0' && text[digits] <= '9')
            record = record * 10 + (size_t)(text[digits++] - '0');
        if (digits == 0 || digits + 2 > record || record > len || text[digits] != ' ' ||
            text[record - 1] != '\n')
            return error_set(err, STATUS_CORRUPT, "a pax record is broken");
        status = keep_record(headers, text + digits + 1, record - digits - 2, err);
        text += record;
        len -= record;
    }
    return status;
}

/* ---- entries ---- */

static const struct {
    char type;
    enum tar_kind kind;
    const char *what; /* of what is refused */
} kinds[] = {
    {'0', TAR_FILE, NULL},
    {'\0', TAR_FILE, NULL},
    {'7', TAR_FILE, NULL},
    {'5', TAR_PASS_OVER, NULL},
    {'V', TAR_PASS_OVER, NULL},
    {'K', TAR_PASS_OVER, NULL}, /* the long target of a link, which is refused itself */
    {'g', TAR_PASS_OVER, NULL}, /* pax for all entries: comments */
    {'L', TAR_NAME, NULL},
    {'x', TAR_RECORDS, NULL},
    {'1', TAR_REFUSED, "a hard link; pack with --hard-dereference"},
    {'2', TAR_REFUSED, "a link; pack with --dereference"},
    {'S', TAR_REFUSED, "a sparse file; pack without --sparse"},
    {'M', TAR_REFUSED, "a part of another volume"},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static int find_kind(char type) {
    int i = 0;
    while (i < KINDS && kinds[i].type != type)
        i++;
    return i;
}

static bool is_extra(enum tar_kind kind) {
    return kind == TAR_NAME || kind == TAR_RECORDS;
}

/* Name and size of an entry, for which nothing that was said before is left. */
static enum status read_entry(struct tar_headers *headers, const uint8_t *header, int row,
                              enum tar_kind *kind, struct error *err) {
    take_name(headers, header);
    /* before there were types, a slash at the end made a folder */
    if (*kind == TAR_FILE && str_has_suffix(headers->name, "/"))
        *kind = TAR_PASS_OVER;
    enum status status = clean_name(headers->name, err);
    if (!status && *kind == TAR_REFUSED)
        status = error_set(err, STATUS_CORRUPT, "%.200s is %s", headers->name,
                           row < KINDS ? kinds[row].what : "neither a file nor a folder");
    if (header[AT_TYPE] != 'K' && header[AT_TYPE] != 'g') {
        headers->next_name[0] = '\0';
        headers->next_size = UINT64_MAX;
    }
    return status;
}

enum status tar_read_header(struct tar_headers *headers, const uint8_t *header, uint64_t at,
                            enum tar_kind *kind, uint64_t *size, struct error *err) {
    *kind = TAR_END;
    *size = 0;
    if (is_zero(header))
        return STATUS_OK;
    if (!sum_is_right(header))
        return error_set(err, STATUS_CORRUPT, "not a tar file, or damaged: the header at byte %llu",
                         (unsigned long long)at);
    if (!parse_number(header, field_size, size))
        return error_set(err, STATUS_CORRUPT, "the header at byte %llu has no size",
                         (unsigned long long)at);
    int row = find_kind((char)header[AT_TYPE]);
    *kind = row < KINDS ? kinds[row].kind : TAR_REFUSED;
    if (is_extra(*kind))
        return STATUS_OK;
    if (headers->next_size != UINT64_MAX)
        *size = headers->next_size;
    return read_entry(headers, header, row, kind, err);
}

enum status tar_read_extra(struct tar_headers *headers, enum tar_kind kind, const uint8_t *data,
                           size_t len, struct error *err) {
    return kind == TAR_NAME ? keep_name(headers, data, len, err)
                            : keep_records(headers, data, len, err);
}

/* ---- a whole archive ---- */

/* Behind the data, which fills whole blocks; the last one may be missing. */
static void skip(struct tar *tar, uint64_t size) {
    uint64_t rest = tar->len - tar->at;
    uint64_t whole = TAR_BLOCK + (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
    tar->at += (size_t)(whole < rest ? whole : rest);
}

/* One header and its data. */
static enum status read_next(struct tar *tar, struct tar_entry *entry, enum tar_kind *kind,
                             struct error *err) {
    const uint8_t *header = tar->bytes + tar->at, *data = header + TAR_BLOCK;
    size_t at = tar->at;
    uint64_t size;
    if (tar->len - at < TAR_BLOCK)
        return error_set(err, STATUS_CORRUPT,
                         "the tar file ends after %zu bytes without an end marker: it is cut off",
                         tar->len);
    enum status status = tar_read_header(&tar->headers, header, at, kind, &size, err);
    if (status || *kind == TAR_END)
        return status;
    if (size > tar->len - at - TAR_BLOCK)
        return error_set(err, STATUS_CORRUPT, "the entry at byte %zu is cut off", at);
    skip(tar, size);
    *entry = (struct tar_entry){tar->headers.name, data, (size_t)size};
    return is_extra(*kind) ? tar_read_extra(&tar->headers, *kind, data, (size_t)size, err)
                           : STATUS_OK;
}

enum status tar_next(struct tar *tar, struct tar_entry *entry, bool *more, struct error *err) {
    enum tar_kind kind;
    *more = true;
    do {
        enum status status = read_next(tar, entry, &kind, err);
        if (status)
            return status;
    } while (kind != TAR_FILE && kind != TAR_END);
    *more = kind == TAR_FILE;
    return STATUS_OK;
}

bool tar_is_hidden(const struct tar_entry *entry) {
    return entry->name[0] == '.' || strstr(entry->name, "/.");
}
