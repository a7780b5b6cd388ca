#include "service/up/make_key.h"

#include "engine/base/mem.h"
#include "service/common/config.h"
#include "service/store/api_keys.h"
#include "service/store/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2 };

static bool is_of_key(const char *argument) {
    for (int i = 0; i < key_request_table.count; i++) {
        const char *name = key_request_table.fields[i].name;
        if (str_has_prefix(argument, name) && argument[strlen(name)] == '=')
            return true;
    }
    return false;
}

/* What is not of the key is a setting. */
static enum status parse(struct key_request *request, struct config *config, int argc,
                         char *const *argv, struct error *err) {
    char **of_key = xcalloc((size_t)argc + 1, sizeof *of_key);
    char **settings = xcalloc((size_t)argc + 1, sizeof *settings);
    int key_count = 0, setting_count = 0;
    struct field_errors errors = {.count = 0};
    for (int i = 0; i < argc; i++)
        if (is_of_key(argv[i]))
            of_key[key_count++] = argv[i];
        else
            settings[setting_count++] = argv[i];
    memset(request, 0, sizeof *request);
    fields_default(&key_request_table, request);
    enum status status = config_parse(config, setting_count, settings, err);
    if (!status)
        status = fields_parse_args(&key_request_table, request, key_count, of_key, 0, err);
    if (!status)
        status = fields_check_required(&key_request_table, request, err);
    if (!status)
        status = key_request_check(request, &errors, err);
    free(settings);
    free(of_key);
    return status;
}

/* The default is taken only where a service has been: a key anywhere else is one for nobody. */
static enum status check_place(const struct config *config, int argc, char *const *argv,
                               struct error *err) {
    char id[FILE_PATH_BYTES];
    enum status status = config_path(config, "id", id, err);
    if (status || file_exists(id))
        return status;
    for (int i = 0; i < argc; i++)
        if (str_has_prefix(argv[i], "data="))
            return STATUS_OK;
    return error_set_field(
        err, STATUS_INVALID, "data",
        "%s is no data directory yet; name the service's with data=", config->data);
}

int make_key_main(int argc, char *const *argv) {
    struct key_request request;
    struct config config;
    struct key_card card;
    char secret[SECRET_BYTES];
    struct error err = {0};
    if (parse(&request, &config, argc, argv, &err) || check_place(&config, argc, argv, &err)) {
        fprintf(stderr, "distilld key: %s\n", err.message);
        return EXIT_USAGE;
    }
    enum status status = schema_check_data(config.data, &err);
    if (!status)
        status = api_keys_create(config.data, &request, &card, secret, &err);
    if (status) {
        fprintf(stderr, "distilld key: %s\n", err.message);
        return EXIT_FAILURE;
    }
    printf("%s\n", secret);
    explicit_bzero(secret, sizeof secret);
    fprintf(stderr, "key %s is made in %s; its secret is shown only now\n", card.name, config.data);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
