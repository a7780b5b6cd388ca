#include "service/common/config.h"

#include "tests/support/t.h"

static struct error why;

static enum status parse(const char *host, bool insecure) {
    struct config config;
    char item[64], yes[] = "insecure=1";
    snprintf(item, sizeof item, "host=%s", host);
    char *argv[] = {item, yes};
    return config_parse(&config, insecure ? 2 : 1, argv, &why);
}

static void addresses_of_this_machine_alone(void) {
    const char *const hosts[] = {"127.0.0.1", "127.8.9.10", "::1", "localhost"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        T_INT(parse(hosts[i], false), STATUS_OK);
}

/* A name that only looks like the loopback may be anybody's. */
static void others_need_a_word(void) {
    const char *const hosts[] = {"0.0.0.0", "::", "127.example.org", "127.0.0.1.example",
                                 "::ffff:10.0.0.1"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        T_INT(parse(hosts[i], false), STATUS_INVALID);
        T_STR(why.field, "host");
        T_INT(parse(hosts[i], true), STATUS_OK);
    }
}

/* Where there are keys, everybody is asked for one. */
static void keys_will_do(void) {
    char folder[] = "/tmp/distill-config-XXXXXX", keys[64], data[64], host[] = "host=0.0.0.0";
    struct config config;
    T_CHECK(mkdtemp(folder) != NULL);
    snprintf(data, sizeof data, "data=%s", folder);
    snprintf(keys, sizeof keys, "%s/" CONFIG_KEYS_FOLDER, folder);
    char *argv[] = {data, host};
    T_INT(config_parse(&config, 2, argv, &why), STATUS_INVALID);
    T_INT(file_make_dirs(keys, &why), STATUS_OK);
    T_INT(config_parse(&config, 2, argv, &why), STATUS_OK);
    T_INT(file_remove_all(folder, &why), STATUS_OK);
}

int main(void) {
    T_RUN(addresses_of_this_machine_alone);
    T_RUN(others_need_a_word);
    T_RUN(keys_will_do);
    return t_done();
}
