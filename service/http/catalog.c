#include "engine/model/network.h"
#include "engine/spec/train_spec.h"
#include "service/http/handlers.h"
#include "service/http/page.h"

enum { SIDE_MIN = 8, SIDE_MAX = 1024, CLASSES_MAX = 65536, CHANNELS_MAX = 4 };

enum status handle_schema(struct request *request, struct reply *reply, struct error *err) {
    struct train_spec defaults;
    enum status status = request_check_query(request, "", err);
    if (status)
        return status;
    fields_default(&train_spec_table, &defaults);
    fields_add_schema(&train_spec_table, &defaults, FIELD_CLI, reply_json(reply, HTTP_OK));
    return STATUS_OK;
}

/* The pictures and classes that are asked for; 0 where nothing is said. */
static enum status parse_size(struct request *request, struct network_size *size,
                              struct error *err) {
    const struct {
        const char *name;
        int64_t min, max;
        int *value;
    } parameters[] = {
        {"height", SIDE_MIN, SIDE_MAX, &size->height},
        {"width", SIDE_MIN, SIDE_MAX, &size->width},
        {"channels", 1, CHANNELS_MAX, &size->channels},
        {"classes", 2, CLASSES_MAX, &size->classes},
    };
    *size = (struct network_size){.height = 0, .width = 0, .channels = 3, .classes = 0};
    enum status status = request_check_query(request, "height width channels classes", err);
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0] && !status; i++) {
        int64_t value = *parameters[i].value;
        status = request_query_int(request, parameters[i].name, parameters[i].min,
                                   parameters[i].max, &value, err);
        *parameters[i].value = (int)value;
    }
    return status;
}

/* What is not said is as the original has it. */
static struct network_size size_for(const struct origin *origin, struct network_size asked) {
    return (struct network_size){asked.height ? asked.height : origin->side,
                                 asked.width ? asked.width : origin->side, asked.channels,
                                 asked.classes ? asked.classes : origin->classes};
}

static void add_architecture(const struct network *network, struct str *out) {
    struct network_cost cost = network_cost(network);
    str_add(out, "{\"name\":");
    str_add_json(out, network->architecture->name);
    str_add(out, ",\"description\":");
    str_add_json(out, network->architecture->sentence);
    str_add(out, ",\"origin\":");
    str_add_json(out, network->architecture->origin->name);
    str_addf(out, ",\"height\":%d,\"width\":%d,\"channels\":%d,\"classes\":%d", network->height,
             network->width, network->channels, network->classes);
    str_addf(out, ",\"parameters\":%lld,\"multiply_adds\":%lld}", (long long)cost.parameters,
             (long long)cost.multiply_adds);
}

enum status handle_architecture_list(struct request *request, struct reply *reply,
                                     struct error *err) {
    struct network_size asked;
    enum status status = parse_size(request, &asked, err);
    if (status)
        return status;
    struct str *out = reply_json(reply, HTTP_OK);
    int shown = 0;
    page_begin(out);
    for (const struct architecture *architecture = zoo; architecture->name; architecture++) {
        struct network network;
        struct network_size size = size_for(architecture->origin, asked);
        if (network_init(&network, architecture->name, size, true, NULL))
            continue; /* it does not take such pictures */
        page_separate(out, shown++);
        add_architecture(&network, out);
        network_release(&network);
    }
    page_end(out, "");
    return STATUS_OK;
}
