/* See agent.h. What is signed is
 *
 *   string session identifier | byte 50 | string user | string "ssh-connection" | string "publickey" |
 *   boolean true | string algorithm | string public key
 *
 * The session identifier is the hash of a key exchange that the gate made (20 to 64 bytes, by the hash): the
 * only part that is not known here. So a broken gate can log in once, as this login, which is what it asked
 * for, to whichever host takes this key; it can sign no commit, no file and no certificate. */
#include "vault/agent.h"

#include <errno.h>
#include <string.h>
#include "policy/certificate_signer.h"

enum {
    AGENT_FAILURE = 5,
    AGENTC_REQUEST_IDENTITIES = 11,
    AGENT_IDENTITIES_ANSWER = 12,
    AGENTC_SIGN_REQUEST = 13,
    AGENT_SIGN_RESPONSE = 14,
    AGENT_RSA_SHA2_256 = 2, /* flags */
    AGENT_RSA_SHA2_512 = 4,
};

enum {
    MSG_USERAUTH_REQUEST = 50,
    SESSION_ID_MIN = 20, /* SHA-1 */
    SESSION_ID_MAX = 64, /* SHA-512 */
};

enum { ALGORITHM_MAX = 64 };

struct agent agent_for(const struct certificate_signer *signer, const char *login)
{
    return (struct agent){ .signer = signer, .login = login, .state = AGENT_SERVING };
}

static bool is_bytes(const struct reader *r, const void *bytes, size_t n)
{
    return reader_left(r) == n && memcmp(r->next, bytes, n) == 0;
}

/* The next string is this one. */
static bool is_next(struct reader *r, const void *bytes, size_t n)
{
    struct reader string;

    return reader_string(r, &string) && is_bytes(&string, bytes, n);
}

static bool is_next_text(struct reader *r, const char *text)
{
    return is_next(r, text, strlen(text));
}

/* ---- answers ---- */

static int put_frame(struct buffer *out, uint8_t type, const struct buffer *rest)
{
    int r = buffer_put_u32(out, (uint32_t)(1 + (rest ? buffer_size(rest) : 0)));

    if (!r)
        r = buffer_put_u8(out, type);
    return r || !rest ? r : buffer_append(out, buffer_head(rest), buffer_size(rest));
}

static int refuse(struct agent *agent, struct buffer *out, struct detail *detail, const char *why)
{
    agent->state = AGENT_REFUSED;
    detail_set(detail, "%s", why);
    return put_frame(out, AGENT_FAILURE, NULL);
}

static int list(struct agent *agent, struct reader *request, struct buffer *out, struct detail *detail)
{
    struct buffer answer;
    size_t n;
    const uint8_t *key = signer_public(agent->signer, &n);
    int r;

    if (!reader_done(request) || agent->listed)
        return refuse(agent, out, detail, "the key was asked for twice, or in a wrong way");
    agent->listed = true;
    buffer_init(&answer, AGENT_MESSAGE_MAX);
    r = buffer_put_u32(&answer, 1);
    if (!r)
        r = buffer_put_string(&answer, key, n);
    if (!r)
        r = buffer_put_string(&answer, "gatehouse", strlen("gatehouse")); /* the comment */
    if (!r)
        r = put_frame(out, AGENT_IDENTITIES_ANSWER, &answer);
    buffer_free(&answer);
    return r;
}

/* ---- signing ---- */

/* The flags of draft-miller-ssh-agent §4.5.1 say again what the request's algorithm says. */
static bool flags_fit(const char *algorithm, uint32_t flags)
{
    if (strcmp(algorithm, "rsa-sha2-256") == 0)
        return flags == AGENT_RSA_SHA2_256;
    if (strcmp(algorithm, "rsa-sha2-512") == 0)
        return flags == AGENT_RSA_SHA2_512;
    return flags == 0;
}

/* NULL, or why this is not to be signed. */
static const char *check_request(const struct agent *agent, struct reader data, uint32_t flags,
                                 char algorithm[ALGORITHM_MAX])
{
    struct reader session, name;
    size_t key_n;
    const uint8_t *key = signer_public(agent->signer, &key_n);
    uint8_t number, is_signed;

    if (!reader_string(&data, &session) || reader_left(&session) < SESSION_ID_MIN ||
        reader_left(&session) > SESSION_ID_MAX)
        return "what is to be signed begins with no session identifier";
    if (!reader_u8(&data, &number) || number != MSG_USERAUTH_REQUEST)
        return "what is to be signed is no request to log in";
    if (!is_next_text(&data, agent->login))
        return "the login to be signed is another one than was asked for";
    if (!is_next_text(&data, "ssh-connection") || !is_next_text(&data, "publickey") ||
        !reader_u8(&data, &is_signed) || is_signed != 1)
        return "what is to be signed is another request than publickey for ssh-connection";
    if (!reader_string(&data, &name) || reader_left(&name) >= ALGORITHM_MAX ||
        !signer_knows(agent->signer, name.next, reader_left(&name)))
        return "the algorithm to sign by is not one of the key's";
    memcpy(algorithm, name.next, reader_left(&name));
    algorithm[reader_left(&name)] = '\0';
    if (!flags_fit(algorithm, flags))
        return "the flags ask for another algorithm than what is to be signed";
    if (!is_next(&data, key, key_n) || !reader_done(&data))
        return "what is to be signed names another key, or holds more than a login";
    return NULL;
}

static int sign(struct agent *agent, struct reader *request, struct buffer *out, struct detail *detail)
{
    char algorithm[ALGORITHM_MAX];
    struct buffer signature;
    struct reader data;
    size_t key_n;
    const uint8_t *key = signer_public(agent->signer, &key_n);
    uint32_t flags;
    int r;

    if (!is_next(request, key, key_n))
        return refuse(agent, out, detail, "a signature of another key was asked for");
    if (!reader_string(request, &data) || !reader_u32(request, &flags) || !reader_done(request))
        return refuse(agent, out, detail, "the request for a signature is malformed");
    const char *why = check_request(agent, data, flags, algorithm);
    if (why)
        return refuse(agent, out, detail, why);
    buffer_init(&signature, AGENT_MESSAGE_MAX);
    r = signer_sign(agent->signer, algorithm, data.next, reader_left(&data), &signature);
    if (!r)
        r = put_frame(out, AGENT_SIGN_RESPONSE, &signature);
    buffer_free(&signature);
    if (!r)
        agent->state = AGENT_SIGNED;
    return r;
}

/* ---- one message ---- */

static int answer(struct agent *agent, struct reader *request, struct buffer *out, struct detail *detail)
{
    uint8_t type;

    if (!reader_u8(request, &type))
        return refuse(agent, out, detail, "an empty message came");
    switch (type) {
    case AGENTC_REQUEST_IDENTITIES:
        return list(agent, request, out, detail);
    case AGENTC_SIGN_REQUEST:
        return sign(agent, request, out, detail);
    default:
        return refuse(agent, out, detail, "the message is none that this agent knows");
    }
}

int agent_take(struct agent *agent, struct buffer *in, struct buffer *out, struct detail *detail)
{
    struct reader all = reader_of(buffer_head(in), buffer_size(in)), request;
    uint32_t n;
    int r;

    if (agent->state != AGENT_SERVING)
        return -EPROTO;
    if (!reader_u32(&all, &n))
        return -EAGAIN;
    if (n > AGENT_MESSAGE_MAX)
        return refuse(agent, out, detail, "the message is too long");
    if (reader_left(&all) < n)
        return -EAGAIN;
    request = reader_of(all.next, n);
    r = answer(agent, &request, out, detail);
    buffer_consume(in, n + 4);
    return r;
}
