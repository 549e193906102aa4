/* The rules of a target in what `describe` says. */
#pragma once
#include "base/json.h"
#include "channels/commands/commands.h"

/* Those that apply to the gate's identity there, in their order. */
void about_rules_text(const struct gate *gate, const char *target, struct buffer *out);
void about_rules_json(const struct gate *gate, const char *target, struct json *j);
