/* Targets in what `targets` and `describe` say: what each is and how it is reached. */
#pragma once
#include "base/json.h"
#include "channels/commands/commands.h"

/* All those within reach. */
void about_targets_text(struct channel *channel, struct buffer *out);
void about_targets_json(struct channel *channel, struct json *j);
/* How one of them is used, for `describe`; as JSON what it is, within an object. */
void about_use_text(const struct gate *gate, const Ipc__Target *target, struct buffer *out);
void about_use_json(const struct gate *gate, const Ipc__Target *target, struct json *j);
