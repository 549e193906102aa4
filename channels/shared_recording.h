/* One recording for several channels: all connections that an SSH connection has to one cluster. kubectl
 * opens dozens of them for one command, which nobody wants to look for in dozens of recordings.
 *
 * It ends SHARED_RECORDING_IDLE_MS after its last channel, and with the connection. */
#pragma once
#include "channels/channel.h"

enum { SHARED_RECORDING_IDLE_MS = 60 * 1000 };

struct shared_recording;

/* As channel_record(). */
void channel_record_shared(struct channel *channel, channel_recorded *recorded);
/* Whether the answer was to a question of these. */
bool shared_recording_answered(struct gate *gate, Ipc__AnswerRecording *answer, int *fds, size_t n_fds);
/* The channel writes no more; nothing, when its recording is its own. */
void shared_recording_leave(struct channel *channel);
/* No channel joins it any more: it ends with the last one that has. */
void shared_recording_close(struct channel *channel);
/* The connection is gone, and every channel with it. */
void shared_recordings_end(struct gate *gate);
