/* What one statement and its answer cost the gate, without its sockets: frames, verdict, recording (which is
 * written). The numbers are CPU of one process that does nothing else; beside others that fill the caches it
 * is more.
 *
 *   statement [ROUNDS] [simple|prepared]
 *
 * simple: each text is new; prepared: Bind and Execute of one statement. One of them alone is for counting:
 * valgrind --tool=callgrind --toggle-collect=measure. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include "base/chain.h"
#include "base/io.h"
#include "channels/pg/back.h"
#include "known.h"

enum { ROUNDS = 50000, TEXT_MAX = 256, RECORDING_MAX = 1 << 30 };

struct side {
    struct front front;
    struct back back;
    struct scope *scope;
};

/* ---- what is said ---- */

static const char answer[] = "T\0\0\0\x21\0\x01"
                             "abalance\0\0\0\x40\x2d\0\x03\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0"
                             "D\0\0\0\x0b\0\x01\0\0\0\x01"
                             "0C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I";

static size_t put_header(char *out, char type, size_t body)
{
    out[0] = type;
    out[1] = out[2] = 0;
    out[3] = (char)((body + 4) >> 8);
    out[4] = (char)(body + 4);
    return 5;
}

static size_t put_query(char *out, int n)
{
    int body =
        snprintf(out + 5, TEXT_MAX - 5, "SELECT abalance FROM pgbench_accounts WHERE aid = %d;", n) + 1;
    return put_header(out, 'Q', (size_t)body) + (size_t)body;
}

static size_t put_parse(char *out)
{
    static const char body[] = "P_0\0SELECT abalance FROM pgbench_accounts WHERE aid = $1;\0\0";
    size_t n = put_header(out, 'P', sizeof body);
    memcpy(out + n, body, sizeof body);
    n += sizeof body;
    n += put_header(out + n, 'S', 0);
    return n;
}

static size_t put_bind(char *out, int value)
{
    char digits[16], *at = out + 5;
    int n = snprintf(digits, sizeof digits, "%d", value);
    memcpy(at, "\0P_0\0\0\0\0\x01\0\0\0", 12); /* portal, statement, no formats, one value */
    at[12] = (char)n;
    memcpy(at + 13, digits, (size_t)n);
    memcpy(at + 13 + n, "\0\x01\0\0", 4);
    size_t total = put_header(out, 'B', (size_t)(17 + n)) + (size_t)(17 + n);
    total += put_header(out + total, 'D', 2);
    memcpy(out + total, "P", 2);
    total += 2;
    total += put_header(out + total, 'E', 5);
    memset(out + total, 0, 5);
    total += 5;
    total += put_header(out + total, 'S', 0);
    return total;
}

/* ---- the gate's part of it ---- */

static void say(struct side *s, const char *bytes, size_t n)
{
    int r = buffer_append(&s->front.lane.in, bytes, n);
    r = r ? r : front_take(&s->front);
    while (r == 0 && s->front.held) {
        known_answer(scope_catalog(s->scope));
        front_resume(&s->front, NULL);
        r = front_take(&s->front);
    }
    if (r || buffer_size(&s->front.lane.out) != n || memcmp(buffer_head(&s->front.lane.out), bytes, n) != 0)
        abort();
    lane_forget(&s->front.lane);
}

static void hear(struct side *s)
{
    int r = buffer_append(&s->back.lane.in, answer, sizeof answer - 1);
    r = r ? r : back_take(&s->back);
    if (r || buffer_size(&s->back.lane.out) != sizeof answer - 1)
        abort();
    lane_forget(&s->back.lane);
}

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void measure(struct side *s, const char *what, size_t (*put)(char *out, int value), int rounds)
{
    char bytes[TEXT_MAX];
    for (int i = 1; i <= 8; i++) { /* names are looked up, decisions kept */
        say(s, bytes, put(bytes, i));
        hear(s);
    }
    double start = now();
    for (int i = 1; i <= rounds; i++) {
        say(s, bytes, put(bytes, 100000 + i % 100000));
        hear(s);
    }
    printf("%6.2f us a statement, %s\n", (now() - start) / rounds, what);
}

static int recorder(struct recorder **ret)
{
    uint8_t key[CHAIN_KEY] = { 1 }, tag[CHAIN_TAG] = { 0 };
    Ipc__AnswerRecording answer_of_ledger = IPC__ANSWER_RECORDING__INIT;
    answer_of_ledger.id = (char *)(uintptr_t) "x";
    answer_of_ledger.chain_version = CHAIN_V2;
    answer_of_ledger.chain_key = (ProtobufCBinaryData){ sizeof key, key };
    answer_of_ledger.chain_tag = (ProtobufCBinaryData){ sizeof tag, tag };
    return recorder_new(memfd_create("recording", MFD_CLOEXEC), &answer_of_ledger, RECORDING_MAX, false, ret);
}

int main(int argc, char **argv)
{
    CLEANUP(rulebook_free) struct rulebook *rulebook = NULL;
    CLEANUP(catalog_free) struct catalog *catalog = NULL;
    CLEANUP(scope_free) struct scope *scope = NULL;
    CLEANUP(recorder_free) struct recorder *pen = NULL;
    const struct circumstances who = { .target = "t" };
    char bytes[TEXT_MAX];
    struct side s = { .scope = NULL };
    int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
    sql_start();
    if (known_rules(&rulebook) < 0 || catalog_new(&catalog) < 0 || scope_new(catalog, &scope) < 0 ||
        recorder(&pen) < 0 || front_init(&s.front, rulebook, &who, scope, pen, 1) < 0)
        return 1;
    s.scope = scope;
    s.front.text_kind = TEXT_UTF8;
    back_init(&s.back, &s.front, false, true);
    const char *only = argc > 2 ? argv[2] : NULL;
    if (!only || strcmp(only, "simple") == 0)
        measure(&s, "simple", put_query, rounds);
    say(&s, bytes, put_parse(bytes));
    hear(&s);
    if (!only || strcmp(only, "prepared") == 0)
        measure(&s, "prepared", put_bind, rounds);
    front_free(&s.front);
    back_free(&s.back);
    return 0;
}
