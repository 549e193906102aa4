/* Who has to agree to what a rule or mask holds: a part of `describe`. */
#pragma once
#include "base/buffer.h"
#include "base/ipc.h"
#include "base/json.h"

/* ", asks dba, up to 10m"; nothing for NULL. */
void about_approve_text(const Ipc__Approve *approve, struct buffer *out);
/* A member "approve". */
void about_approve_json(const Ipc__Approve *approve, struct json *j);
