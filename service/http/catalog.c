#include "engine/model/network.h"
#include "engine/spec/train_spec.h"
#include "service/http/handlers.h"
#include "service/http/page.h"

enum status handle_schema(struct request *request, struct reply *reply, struct error *err) {
    struct train_spec defaults;
    (void)request, (void)err;
    fields_default(&train_spec_table, &defaults);
    fields_add_schema(&train_spec_table, &defaults, FIELD_CLI, reply_json(reply, HTTP_OK));
    return STATUS_OK;
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
    str_add_json(str_json_key(out, "description"), network->architecture->sentence);
    str_add_json(str_json_key(out, "origin"), network->architecture->origin->name);
    str_addf(out, ",\"height\":%d,\"width\":%d,\"channels\":%d,\"classes\":%d", network->height,
             network->width, network->channels, network->classes);
    str_addf(out, ",\"parameters\":%lld,\"multiply_adds\":%lld}", (long long)cost.parameters,
             (long long)cost.multiply_adds);
}

enum status handle_architecture_list(struct request *request, struct reply *reply,
                                     struct error *err) {
    (void)err;
    const struct network_size asked = {(int)request_query_value(request, "height"),
                                       (int)request_query_value(request, "width"),
                                       (int)request_query_value(request, "channels"),
                                       (int)request_query_value(request, "classes")};
    struct str *out = page_begin(reply);
    for (const struct architecture *architecture = zoo; architecture->name; architecture++) {
        struct network network;
        struct network_size size = size_for(architecture->origin, asked);
        if (network_init(&network, architecture->name, size, true, NULL))
            continue; /* it does not take such pictures */
        add_architecture(&network, str_json_item(out));
        network_release(&network);
    }
    page_end(out, "");
    return STATUS_OK;
}
