/* Bytes of a client, of a server, and of a stream that may not be PostgreSQL at all. The first byte chooses
 * whose, the second in which pieces they come. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "base/chain.h"
#include "channels/pg/back.h"
#include "channels/pg/startup.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct rulebook *rulebook;
static const struct circumstances who = { .target = "fuzz" };
static struct recorder *recorder;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static Ipc__Config config;
    static Ipc__Rule rule, *rules[] = { &rule };
    static char any[] = "*", allow[] = "allow", name[] = "all", select[] = "select", *targets[] = { any },
                *kinds[] = { select };
    static Ipc__Match match, *matches[] = { &match };
    uint8_t key[CHAIN_KEY] = { 1 }, tag[CHAIN_TAG] = { 0 };
    Ipc__AnswerRecording answer = IPC__ANSWER_RECORDING__INIT;
    (void)argc;
    (void)argv;
    ipc__config__init(&config);
    ipc__rule__init(&rule);
    ipc__match__init(&match);
    match.statements = kinds;
    rule.name = name;
    rule.action = allow;
    rule.targets = targets;
    rule.match = matches;
    match.n_statements = rule.n_targets = rule.n_match = config.n_rules = 1;
    config.rules = rules;
    answer.chain_key = (ProtobufCBinaryData){ sizeof(key), key };
    answer.chain_tag = (ProtobufCBinaryData){ sizeof(tag), tag };
    sql_start();
    if (rulebook_new(&config, &rulebook) ||
        recorder_new(open("/dev/null", O_WRONLY | O_CLOEXEC), &answer, UINT64_MAX, false, &recorder))
        abort();
    return 0;
}

static int take(struct front *front, struct back *back, bool client, const uint8_t *bytes, size_t n)
{
    struct lane *lane = client ? &front->lane : &back->lane;
    if (buffer_append(&lane->in, bytes, n) < 0)
        return -1;
    int r = client ? front_take(front) : back_take(back);
    lane_forget(lane);
    return r;
}

static void run_session(bool client, size_t piece, const uint8_t *bytes, size_t n)
{
    struct front front;
    struct back back;
    if (front_init(&front, rulebook, &who, NULL, recorder, 1) == 0) {
        memset(front.refusals.nonce, '0', REFUSAL_NONCE); /* so that a run can be repeated */
        back_init(&back, &front, false, true);
        front.text_kind = TEXT_UTF8;
        for (size_t at = 0; at < n; at += piece) {
            if (take(&front, &back, client, bytes + at, n - at < piece ? n - at : piece) != 0)
                break;
        }
        back_free(&back);
    }
    front_free(&front);
}

static void run_startup(const uint8_t *bytes, size_t n)
{
    struct startup startup;
    struct detail detail;
    if (startup_read(bytes, n, &startup, &detail) == 0)
        startup_free(&startup);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n < 2)
        return 0;
    size_t piece = bytes[1] ? bytes[1] : n;
    if (bytes[0] % 3 == 0)
        run_startup(bytes + 2, n - 2);
    else
        run_session(bytes[0] % 3 == 1, piece, bytes + 2, n - 2);
    return 0;
}
