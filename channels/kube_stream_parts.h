/* The inside of a kube_stream, shared by kube_stream.c (bytes, beginning and end), kube_stream_decide.c (what
 * becomes of a request) and kube_stream_show.c (what of the answers is shown and recorded). */
#pragma once
#include "channels/kube/access.h"
#include "channels/kube/exchange.h"
#include "channels/kube/veil.h"
#include "channels/kube/verdict.h"
#include "channels/kube_link.h"
#include "channels/kube_stream.h"
#include "channels/masking.h"

struct detect_stream;
struct kube_hold;
struct kube_preview_task;
struct kube_talk;

struct kube_stream {
    struct kube_stream *next; /* of all in this gate */
    struct channel *channel;
    uint32_t number; /* in the recording */
    bool record_output;
    char host[320]; /* of the target, for Host */
    int client_fd;
    struct source *client;
    struct timer *timer;
    struct buffer in;
    bool heard;        /* something came from the client */
    bool client_ended; /* its end of file was read */
    bool closing;      /* our end of file is out */
    bool inside;       /* a step is under way */
    struct exchange *exchange;
    struct masking masking;

    struct kube_link *link;
    bool repeated;                     /* the request was sent once more */
    uint32_t count_request;            /* to the ledger, while it is asked; else 0 */
    uint64_t answer_bytes;             /* of its answer, that were shown */
    struct kube_verdict verdict;       /* of the request that is under way */
    struct kube_hold *hold;            /* while people decide; or NULL */
    struct kube_preview_task *reading; /* the server is asked what the body sets; or NULL */
    bool was_read;                     /* it was asked, */
    struct buffer read;                /* and says this; or empty */
    struct kube_plan *plan;            /* what is masked in its answer; or NULL */
    struct kube_veil *veil;            /* which does that */
    struct detail fault;               /* of the same */
    enum access_kind access;           /* the answer is gathered, and told with ours in it */
    struct access_verdict access_verdict;
    char access_space[256];
    struct buffer gathered;
    struct detect_stream *detect; /* of the answer; or NULL */
    struct kube_talk *talk;       /* once the protocol has changed; or NULL */
    bool asks_recording;
    char reason[DETAIL_MAX]; /* for the log, at the end */
};

struct circumstances kube_stream_who(const struct kube_stream *s);
/* The state is ASKING: it is judged, recorded, and sent, refused or held. Negative: the stream must stop. */
MUST_USE int kube_stream_decide(struct kube_stream *s);
/* Exec and attach are sessions of their own, and so have a recording of their own: whether there is none yet;
 * asks for it. */
bool kube_stream_wants_recording(const struct kube_stream *s, const struct exchange_question *q);
MUST_USE int kube_stream_ask_recording(struct kube_stream *s, const struct exchange_question *q);
/* People or the ledger are asked, and nothing is known yet. */
bool kube_stream_waits(const struct kube_stream *s);
enum { KUBE_STREAM_READS = 1 };
/* Before it is judged, while it is not known what its body sets. KUBE_STREAM_READS: the server is asked, and
 * kube_stream_decide() is called once it has said. */
MUST_USE int kube_stream_read(struct kube_stream *s, const struct exchange_question *q);
void kube_stream_forget_read(struct kube_stream *s);
/* They are asked, about the text that stands in the recording under that number. */
MUST_USE int kube_stream_hold(struct kube_stream *s, const struct exchange_question *q,
                              const struct buffer *text, uint64_t number);
/* What is open is withdrawn. */
void kube_stream_drop_hold(struct kube_stream *s, const char *why);
/* It was allowed: a connection is there or asked for, and it is on its way. warning: goes with the answer; or
 * NULL. */
MUST_USE int kube_stream_send(struct kube_stream *s, const char *warning);
/* The same, once the limits of the rule that allowed it have room for it. */
MUST_USE int kube_stream_count(struct kube_stream *s, const char *warning);
/* Those of that rule; or NULL. */
const Ipc__Limits *kube_stream_limits(const struct kube_stream *s);
/* A Status is the answer; recorded. */
MUST_USE int kube_stream_refuse(struct kube_stream *s, const struct kube_status *status);
/* The connection to the server is of no use any more. */
void kube_stream_drop_link(struct kube_stream *s);
/* What the connection to the server has brought. */
MUST_USE int kube_stream_server(struct kube_stream *s, bool *ret_moved);

/* Goes on as far as it can. The stream may be gone afterwards. */
void kube_stream_step(struct kube_stream *s);

extern const struct exchange_calls kube_stream_show; /* owner: the stream */
