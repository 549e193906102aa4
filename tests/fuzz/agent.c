/* What a gate says to the agent of a host's key. Nothing is signed that does not name this key, this login
 * and this service; the answers are whole messages. */
#include <stdlib.h>
#include <string.h>
#include "policy/certificate_issue.h"
#include "policy/certificate_signer.h"
#include "vault/agent.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Made for this test: what it opens is nowhere else. The seeds name it. */
static const char KEY[] = "-----BEGIN PRIVATE KEY-----\n"
                          "MC4CAQAwBQYDK2VwBCIEILzPccS+IEHz0xZsmEZahagAlogvckngyJ2Qqm6eU4Ed\n"
                          "-----END PRIVATE KEY-----\n";

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* The answers so far, one behind another. */
static void check_answers(const struct buffer *out)
{
    struct reader all = reader_of(buffer_head(out), buffer_size(out));

    while (reader_left(&all) > 0) {
        struct reader message;
        uint8_t type = 0;

        require(reader_string(&all, &message) && reader_u8(&message, &type));
        require(type == 5 || type == 12 || type == 14);
    }
}

static bool holds(const uint8_t *bytes, size_t n, const void *needle, size_t needle_n)
{
    return memmem(bytes, n, needle, needle_n) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static struct certificate_signer *signer;
    struct detail detail = { "" };
    struct buffer in, out;
    struct agent agent;
    size_t key_n;

    if (!signer)
        require(certificate_signer_new((const uint8_t *)KEY, sizeof(KEY) - 1, &signer, &detail) == 0);
    if (n > 2 * AGENT_MESSAGE_MAX)
        return 0;
    agent = agent_for(signer, "deploy");
    buffer_init(&in, 2 * AGENT_MESSAGE_MAX);
    buffer_init(&out, 4 * AGENT_MESSAGE_MAX);
    require(buffer_append(&in, bytes, n) == 0);
    while (agent.state == AGENT_SERVING && agent_take(&agent, &in, &out, &detail) == 0)
        ;
    check_answers(&out);
    const uint8_t *key = signer_public(signer, &key_n);
    if (agent.state == AGENT_SIGNED)
        require(holds(bytes, n, key, key_n) && holds(bytes, n, "\0\0\0\6deploy", 10) &&
                holds(bytes, n, "\0\0\0\16ssh-connection", 18));
    buffer_free(&in);
    buffer_free(&out);
    return 0;
}
