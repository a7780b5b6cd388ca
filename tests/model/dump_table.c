/*
 * dump_table - prints the table of transitions (api/job.c) as Promela, for queue.pml: names as
 * numbers, and carry_out(event), which does what the row that applies says, or sets done to false.
 *
 * Each row prints its number when the checker comes to it for the first time; `dump_table rows`
 * prints how many there are.
 */
#include "api/job.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void define(const char *prefix, const char *slug, int value) {
    printf("#define %s", prefix);
    for (; *slug; slug++)
        putchar(toupper((unsigned char)*slug));
    printf(" %d\n", value);
}

static void print_names(void) {
    for (int i = 0; i < JOB_STATE_COUNT; i++)
        define("", job_state_slug((enum job_state)i), i);
    define("", "absent", JOB_ABSENT);
    for (int i = 0; i < JOB_REQUEST_COUNT; i++)
        define("WISH_", job_request_slug((enum job_request)i), i);
    for (int i = 0; i < JOB_EVENT_COUNT; i++)
        define("EVENT_", job_event_slug((enum job_event)i), i);
}

static void print_rows(void) {
    printf("\nc_decl { static unsigned char row_seen[%d]; }\n\n", job_transition_count);
    printf("inline carry_out(event) {\n    done = true;\n    if\n");
    for (int i = 0; i < job_transition_count; i++) {
        const struct job_transition *row = &job_transitions[i];
        printf("    :: event == %d && state == %d && wish == %d -> state = %d; wish = %d;\n",
               (int)row->event, (int)row->from, (int)row->requested, (int)row->to,
               (int)row->requested_then);
        printf(
            "       c_code { if (!row_seen[%d]) { row_seen[%d] = 1; printf(\"row %d\\n\"); } }\n",
            i, i, i);
    }
    printf("    :: else -> done = false\n    fi\n}\n");
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "rows") == 0) {
        printf("%d\n", job_transition_count);
        return 0;
    }
    print_names();
    print_rows();
    return 0;
}
