/* Points of a learning curve as JSON and CSV. */
#include "api/point.h"
#include "tests/support/t.h"

static struct point sample(void) {
    struct point point;
    fields_default(&point_table, &point);
    point.seq = 7;
    clock_format(1700000000000, point.time);
    point.phase = POINT_EVAL;
    point.epoch = 2;
    point.step = 1564;
    point.loss = 0.1;
    point.top1 = 0.7;
    return point;
}

static void test_json_comes_back(void) {
    struct point point = sample(), back;
    struct str json = STR_INIT;
    point_add_json(&point, &json);
    T_STR(str_text(&json),
          "{\"seq\":7,\"time\":\"2023-11-14T22:13:20.000Z\",\"phase\":\"eval\",\"epoch\":2,"
          "\"step\":1564,\"loss\":0.1,\"ce\":null,\"distill\":null,\"top1\":0.7,\"top5\":null,"
          "\"learning_rate\":null,\"images_per_s\":null}");
    T_INT(point_decode(&back, str_text(&json), json.len, NULL), STATUS_OK);
    T_INT(back.seq, 7);
    T_STR(back.time, point.time);
    T_INT(back.phase, POINT_EVAL);
    T_NEAR(back.loss, 0.1, 0);
    T_CHECK(isnan(back.distill));
    str_release(&json);
}

static void test_damaged_points_are_corrupt(void) {
    struct point point;
    struct error err = {0};
    static const char *const bad[] = {
        "", "{", "[]", "{\"seq\":0}", "{\"phase\":\"x\"}", "{\"top1\":1.5}", "{\"bogus\":1}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        T_INT(point_decode(&point, bad[i], strlen(bad[i]), &err), STATUS_CORRUPT);
        T_CONTAINS(err.message, "stored point");
    }
}

static void test_csv(void) {
    struct point point = sample();
    struct str csv = STR_INIT;
    point_add_csv_header(&csv);
    point_add_csv(&point, &csv);
    T_STR(str_text(&csv),
          "seq,time,phase,epoch,step,loss,ce,distill,top1,top5,learning_rate,images_per_s\r\n"
          "7,2023-11-14T22:13:20.000Z,eval,2,1564,0.1,,,0.7,,,\r\n");
    str_release(&csv);
}

int main(void) {
    T_RUN(test_json_comes_back);
    T_RUN(test_damaged_points_are_corrupt);
    T_RUN(test_csv);
    return t_done();
}
