/* Grants in force, and what somebody may decide: a part of `whoami` and `describe`. */
#pragma once
#include "base/buffer.h"
#include "base/json.h"
#include "channels/channel.h"

/* Asks the ledger for grants, then prints; without a ledger nothing is known of them. */
void about_with_grants(struct channel *channel, void (*print)(struct channel *channel));

/* Those of the gate's own identity. */
void about_grants_text(const struct channel *channel, struct buffer *out);
/* A member "grants"; null when nothing is known of them. */
void about_grants_json(const struct channel *channel, struct json *j);

/* Rules whose requests this identity may decide; nothing when there are none. */
void about_decides_text(const struct gate *gate, struct buffer *out);
/* A member "decides". */
void about_decides_json(const struct gate *gate, struct json *j);
