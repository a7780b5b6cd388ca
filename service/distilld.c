/*
 * distilld: the service. Which role it plays is its first argument, settings are key=value.
 */
#include "api/codec.h"
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
} ROLES[] = {
    {"up", "everything on this machine: a private Redis, the HTTP server, one worker", up_main,
     NULL},
    {"serve", "the HTTP server alone", serve, NULL},
    {"work", "one worker alone", work, NULL},
    {"key", "makes an API key and prints its secret: key name=NAME roles=ROLE,... [data=...]", NULL,
     make_key_main},
};
enum { ROLE_COUNT = sizeof ROLES / sizeof *ROLES };

static void print_help(FILE *out) {
    struct str help = STR_INIT;
    str_add(&help, "distilld <role> [key=value ...]\n\nRoles:\n");
    for (int i = 0; i < ROLE_COUNT; i++)
        str_addf(&help, "  %-6s %s\n", ROLES[i].name, ROLES[i].doc);
    str_add(&help, "\nSettings:\n");
    config_add_help(&help);
    str_add(&help,
            "\nDISTILLD_LOG in the environment: debug, info, warn or error, the least that is "
            "logged (default info).\n");
    fputs(str_text(&help), out);
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
        for (int word = 0; words[word]; word++)
            if (str_equal(argv[i], words[word]))
                return true;
    return false;
}

int main(int argc, char **argv) {
    static const char *const help[] = {"help", "help=1", "--help", "-h", NULL};
    static const char *const version[] = {"version", "--version", NULL};
    process_wait_briefly(argv);
    if (asks_for(argc, argv, help)) {
        print_help(stdout);
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
    int role = find_role(name);
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
