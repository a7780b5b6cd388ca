/* What train_spec_finish fills in and refuses, and the canonical text. */
#include "engine/spec/train_spec.h"
#include "tests/support/t.h"

static struct train_spec spec;
static struct error err;

static enum status finish(const char *arguments) {
    char copy[512], *argv[24], *rest = copy;
    int argc = 0;
    snprintf(copy, sizeof copy, "%s", arguments);
    for (char *word; (word = strsep(&rest, " "));)
        argv[argc++] = word;
    memset(&err, 0, sizeof err);
    fields_default(&train_spec_table, &spec);
    enum status status = fields_parse_args(&train_spec_table, &spec, argc, argv, 0, &err);
    return status ? status : train_spec_finish(&spec, &err);
}

static void test_refusals_name_the_field(void) {
    static const struct {
        const char *arguments, *field;
    } cases[] = {
        {"method=ce dataset=d", "student"},
        {"method=ce student=s", "dataset"},
        {"method=ce student=s dataset=d teacher=t", "teacher"},
        {"method=ce student=s dataset=d temperature=4", "temperature"},
        {"method=ce student=s dataset=d gamma=0.5", "gamma"},
        {"method=ce student=s dataset=d beta=1", "beta"},
        {"method=ce student=s dataset=d ce_weight=0", "ce_weight"},
        {"method=predict dataset=d", "model"},
        {"method=predict model=m", "dataset"},
        {"method=predict model=m dataset=d precision=tf32", "precision"},
        {"method=kd student=s dataset=d", "teacher"},
        {"method=ttm student=s dataset=d teacher=t beta=1", "temperature"},
        {"method=ttm student=s dataset=d teacher=t gamma=0.1", "beta"},
        {"method=wttm student=s dataset=d teacher=t gamma=0.1", "beta"},
        {"method=ttm student=s dataset=d teacher=t gamma=0.1 beta=0 ce_weight=0", "ce_weight"},
        {"student=s dataset=d milestones=5,5", "milestones"},
        {"student=s dataset=d epochs=3 warmup_epochs=4", "warmup_epochs"},
        {"student=s dataset=d schedule=cosine min_learning_rate=1", "min_learning_rate"},
        {"student=s dataset=d nesterov=1 momentum=0", "nesterov"},
        {"student=s dataset=d optimizer=adamw nesterov=1", "nesterov"},
        {"student=s dataset=d optimizer=adamw momentum=0.9", "momentum"},
        {"student=s dataset=d beta1=0.9", "beta1"},
        {"student=s dataset=d optimizer=sgd beta2=0.9", "beta2"},
        {"student=s dataset=d epsilon=1e-8", "epsilon"},
        {"student=s dataset=d precision=tf32", "precision"},
        {"student=s dataset=d precision=tf32 device=cpu", "precision"},
        {"student=s dataset=d precision=tf32 device=ref", "precision"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        T_INT(finish(cases[i].arguments), STATUS_INVALID);
        T_STR(err.field, cases[i].field);
        T_CONTAINS(err.message, cases[i].field);
    }
}

static void test_method_defaults(void) {
    T_INT(finish("method=kd student=s dataset=d teacher=t"), STATUS_OK);
    T_NEAR(spec.temperature, 4, 0);
    T_NEAR(spec.gamma, 0.25, 0);
    T_NEAR(spec.beta, 0.9, 0);
    T_NEAR(spec.ce_weight, 0.1, 0);
    T_INT(finish("method=kd student=s dataset=d teacher=t gamma=0.5 beta=2"), STATUS_OK);
    T_NEAR(spec.temperature, 2, 0);
    T_NEAR(spec.beta, 2, 0);
    T_INT(finish("method=wttm student=s dataset=d teacher=t temperature=10 beta=3"), STATUS_OK);
    T_NEAR(spec.gamma, 0.1, 0);
    T_NEAR(spec.ce_weight, 1, 0);
    T_INT(finish("student=s dataset=d"), STATUS_OK);
    T_INT(spec.method, METHOD_CE);
    T_NEAR(spec.ce_weight, 1, 0);
    T_CHECK(isnan(spec.temperature) && isnan(spec.beta));
}

static void test_optimizer_defaults(void) {
    T_INT(finish("student=s dataset=d"), STATUS_OK);
    T_NEAR(spec.momentum, 0.9, 0);
    T_CHECK(isnan(spec.beta1) && isnan(spec.beta2) && isnan(spec.epsilon));
    T_INT(train_spec_finish(&spec, &err), STATUS_OK); /* what it filled in is no contradiction */
    T_INT(finish("student=s dataset=d optimizer=adamw beta2=0.95"), STATUS_OK);
    T_CHECK(isnan(spec.momentum));
    T_NEAR(spec.beta1, 0.9, 0);
    T_NEAR(spec.beta2, 0.95, 0);
    T_NEAR(spec.epsilon, 1e-8, 0);
    T_INT(train_spec_finish(&spec, &err), STATUS_OK);
}

static void test_dependent_fields(void) {
    T_INT(finish("student=s dataset=d seed=7"), STATUS_OK);
    T_INT(spec.data_seed, 7);
    T_INT(finish("student=s dataset=d seed=7 data_seed=0"), STATUS_OK);
    T_INT(spec.data_seed, 0);
    T_INT(finish("student=s dataset=d augment=none"), STATUS_OK);
    T_INT(spec.crop_padding, 0);
    T_CHECK(!spec.flip);
}

static void test_finish_is_idempotent_for_every_gamma(void) {
    for (int i = 1; i <= 1000; i++) {
        char arguments[128];
        snprintf(arguments, sizeof arguments,
                 "method=ttm student=s dataset=d teacher=t beta=1 %s=%g",
                 i % 2 ? "gamma" : "temperature", i % 2 ? i / 1000.0 : i / 7.0 + 1);
        T_INT(finish(arguments), STATUS_OK);
        struct train_spec once = spec;
        T_INT(train_spec_finish(&spec, &err), STATUS_OK);
        T_CHECK(memcmp(&once, &spec, sizeof spec) == 0);
    }
}

static void test_tf32_is_a_run_of_its_own(void) {
    struct str f32 = STR_INIT, tf32 = STR_INIT;
    T_INT(finish("student=s dataset=d device=cuda"), STATUS_OK);
    train_spec_add_canonical(&spec, &f32);
    T_INT(finish("student=s dataset=d device=cuda precision=tf32"), STATUS_OK);
    train_spec_add_canonical(&spec, &tf32);
    T_CONTAINS(str_text(&tf32), "\"precision\":\"tf32\"");
    T_CHECK(strcmp(str_text(&f32), str_text(&tf32)) != 0);
    str_release(&f32);
    str_release(&tf32);
}

static void test_contradiction_is_refused(void) {
    T_INT(finish("method=kd student=s dataset=d teacher=t temperature=4"), STATUS_OK);
    spec.gamma = 0.5;
    T_INT(train_spec_finish(&spec, &err), STATUS_INVALID);
    T_STR(err.field, "gamma");
}

static void canonical(const char *arguments, struct str *out) {
    T_INT(finish(arguments), STATUS_OK);
    str_clear(out);
    train_spec_add_canonical(&spec, out);
}

static void test_canonical_holds_what_decides_the_result(void) {
    struct str base = STR_INIT, other = STR_INIT;
    canonical("student=s dataset=d", &base);
    canonical("student=s dataset=d name=x tags=a priority=5 device=ref report_every=3 out=o "
              "checkpoint_every=9 resume=1",
              &other);
    T_STR(str_text(&other), str_text(&base));
    canonical("student=s dataset=d threads=3", &other);
    T_CHECK(!str_equal(str_text(&other), str_text(&base)));
    canonical("student=s dataset=d epochs=240 data_seed=1", &other);
    T_STR(str_text(&other), str_text(&base));
    T_CONTAINS(str_text(&base), "{\"method\":\"ce\",\"teacher\":null,\"student\":\"s\"");
    T_CONTAINS(str_text(&base), "\"weight_decay\":0.0005");
    str_release(&base);
    str_release(&other);
}

static void test_json_shows_a_job(void) {
    struct str json = STR_INIT;
    T_INT(finish("student=s dataset=d name=x out=o"), STATUS_OK);
    train_spec_add_json(&spec, &json);
    T_CONTAINS(str_text(&json), "\"name\":\"x\"");
    T_CONTAINS(str_text(&json), "\"priority\":0");
    T_CHECK(!strstr(str_text(&json), "\"out\"") && !strstr(str_text(&json), "\"resume\""));
    str_release(&json);
}

/* A prediction has its own fields and those of every job, and an architecture once it is known. */
static void test_variants(void) {
    struct str json = STR_INIT, trained = STR_INIT;
    T_INT(finish("method=predict model=m dataset=d split=train"), STATUS_OK);
    T_INT(spec.epochs, 1);
    str_copy(spec.student, sizeof spec.student, "resnet8");
    train_spec_add_json(&spec, &json);
    T_CONTAINS(str_text(&json), "{\"method\":\"predict\",\"student\":\"resnet8\",\"dataset\":\"d\","
                                "\"model\":\"m\",\"split\":\"train\",\"threads\":2,");
    T_CHECK(!strstr(str_text(&json), "epochs"));
    T_INT(finish("student=s dataset=d"), STATUS_OK);
    train_spec_add_json(&spec, &trained);
    T_CHECK(!strstr(str_text(&trained), "\"split\""));
    T_CHECK(!strstr(str_text(&trained), "\"model\""));
    str_release(&json);
    str_release(&trained);
}

int main(void) {
    T_RUN(test_refusals_name_the_field);
    T_RUN(test_method_defaults);
    T_RUN(test_optimizer_defaults);
    T_RUN(test_dependent_fields);
    T_RUN(test_finish_is_idempotent_for_every_gamma);
    T_RUN(test_tf32_is_a_run_of_its_own);
    T_RUN(test_contradiction_is_refused);
    T_RUN(test_canonical_holds_what_decides_the_result);
    T_RUN(test_json_shows_a_job);
    T_RUN(test_variants);
    return t_done();
}
