/*
 * distilld: the service. Which role it plays is its first argument, settings are key=value.
 */
#include "api/codec.h"
#include "api/key.h"
#include "engine/base/process.h"
#include "engine/session/trainer.h"
#include "service/common/config.h"
#include "service/common/signals.h"
#include "service/http/serve.h"
#include "service/up/make_key.h"
#include "service/up/up.h"
#include "service/worker/work.h"

#include <stdio.h>
#include <stdlib.h>

enum { EXIT_USAGE = 2 };

#define LOG_HELP                                                                                   \
    "\nDISTILLD_LOG in the environment: debug, info, warn or error, the least that is logged "     \
    "(default info).\n"

static int serve(const struct config *config, int argc, char *const *argv) {
    (void)argc;
    (void)argv;
    return serve_main(config);
}

static int work(const struct config *config, int argc, char *const *argv) {
    (void)argc;
    (void)argv;
    return work_main(config);
}

static const struct {
    const char *name, *doc;
    int (*run)(const struct config *config, int argc, char *const *argv);
    int (*command)(int argc, char *const *argv); /* instead: something with other arguments */
    unsigned unused;                             /* flags of settings that mean nothing to it */
    const struct field_table *arguments;         /* that it has beside settings, or NULL */
} ROLES[] = {
    {"up", "everything on this machine: a private Redis, the HTTP server, one worker", up_main,
     NULL, 0, NULL},
    {"serve", "the HTTP server alone", serve, NULL, 0, NULL},
    {"work", "one worker alone", work, NULL, CONFIG_SERVER, NULL},
    {"key", "makes an API key and prints its secret: key name=NAME roles=ROLE,... [data=...]", NULL,
     make_key_main, CONFIG_SERVER | CONFIG_SERVICE, &key_request_table},
};
enum { ROLE_COUNT = sizeof ROLES / sizeof *ROLES };

static void print_help(FILE *out) {
    struct str help = STR_INIT;
    str_add(&help, "distilld <role> [key=value ...]\ndistilld <role> help=1\n\nRoles:\n");
    for (int i = 0; i < ROLE_COUNT; i++)
        str_addf(&help, "  %-6s %s\n", ROLES[i].name, ROLES[i].doc);
    str_add(&help, "\nSettings:\n");
    config_add_help(&help, 0);
    str_add(&help, LOG_HELP);
    fputs(str_text(&help), out);
    str_release(&help);
}

static void print_role_help(int role) {
    struct str help = STR_INIT;
    str_addf(&help, "distilld %s [key=value ...]\n\n%s\n\nSettings:\n", ROLES[role].name,
             ROLES[role].doc);
    if (ROLES[role].arguments)
        fields_add_help(ROLES[role].arguments, 0, NULL, &help);
    config_add_help(&help, ROLES[role].unused);
    str_add(&help, LOG_HELP);
    fputs(str_text(&help), stdout);
    str_release(&help);
}

static int find_role(const char *name) {
    for (int i = 0; i < ROLE_COUNT; i++)
        if (str_equal(ROLES[i].name, name))
            return i;
    return -1;
}

/* Is one of the arguments one of the words? */
static bool asks_for(int argc, char *const *argv, const char *const *words) {
    for (int i = 1; i < argc; i++)
        if (str_index(words, argv[i]) >= 0)
            return true;
    return false;
}

int main(int argc, char **argv) {
    static const char *const help[] = {"help", "help=1", "--help", "-h", NULL};
    static const char *const version[] = {"version", "--version", NULL};
    process_wait_briefly(argv);
    int role = argc > 1 ? find_role(argv[1]) : -1;
    if (asks_for(argc, argv, help)) {
        if (role < 0)
            print_help(stdout);
        else
            print_role_help(role);
        return EXIT_SUCCESS;
    }
    if (asks_for(argc, argv, version)) {
        printf("distilld %s\n", trainer_version());
        return EXIT_SUCCESS;
    }
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (role < 0) {
        fprintf(stderr, "distilld: there is no role \"%s\"; distilld help lists them\n", name);
        return EXIT_USAGE;
    }
    if (ROLES[role].command)
        return ROLES[role].command(argc - 2, argv + 2);
    struct config config;
    struct error err = {0};
    if (config_parse(&config, argc - 2, argv + 2, &err) != STATUS_OK) {
        fprintf(stderr, "distilld %s: %s\n", name, err.message);
        return EXIT_USAGE;
    }
    codec_init();
    signals_install();
    return ROLES[role].run(&config, argc - 2, argv + 2);
}
