/* A step of a request for approval, as a recording shows it. */
#pragma once
#include "base/buffer.h"
#include "base/ipc.h"
#include "base/json.h"

void play_approval_json(struct json *j, const Ipc__ApprovalNews *news);
/* "[approval A7K2MQ: approved by corp/anna: fine]" and a line end. -ENOBUFS, -ENOMEM. */
MUST_USE int play_approval_text(struct buffer *out, const Ipc__ApprovalNews *news);
