/* One SFTP session under test, with hands for its client and its target. */
#pragma once
#include "check.h"
#include "channels/sftp/path.h"
#include "channels/sftp/sftp.h"
#include "channels/sftp/wire.h"

struct talk {
    struct transfer *transfer;
    const char *denied;           /* effects on paths that contain it are refused */
    const char *held;             /* requests whose text contains it are held */
    char last[4 * PATH_TEXT_MAX]; /* text of the last request that was decided on */
    size_t decided, told;
    char state[16], note[DETAIL_MAX]; /* of the last transfer that was told of */
    uint64_t bytes;
    bool broken; /* the recording can't be written */
};

void talk_begin(struct talk *talk, bool asks_paths);
/* The same, INIT and VERSION behind it. */
void talk_greet(struct talk *talk, bool asks_paths, bool openssh);
void talk_end(struct talk *talk);

/* A packet in a text of hex digits and blanks, its length left out; 'text' is the text, "text" a string of
 * SSH. */
size_t talk_packet(const char *text, uint8_t *out, size_t size);
/* Each gives one packet and returns what the run returned. */
int talk_client(struct talk *talk, const char *packet);
int talk_target(struct talk *talk, const char *packet);
/* What came out is this packet, whole and first; it is taken away. "": nothing came out. */
#define talk_expect_client(talk, packet) talk_expect_((talk), true, (packet), __LINE__)
#define talk_expect_target(talk, packet) talk_expect_((talk), false, (packet), __LINE__)
void talk_expect_(struct talk *talk, bool client, const char *packet, int line);
/* A STATUS for the client with this id and code, whatever its text. */
#define talk_expect_status(talk, id, code) talk_expect_status_((talk), (id), (code), __LINE__)
void talk_expect_status_(struct talk *talk, uint32_t id, uint32_t code, int line);
