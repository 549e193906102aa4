/* The heads of the two events that every statement writes. Part of recorder.c. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "base/ipc.h"

enum { RECORDER_HEAD_MAX = 2048 /* bytes of a head that is made here; longer ones are protobuf-c's */ };

/* Packs requests and outputs just as ipc__event__pack() does, without looking at descriptors. Returns the
 * size, and in *ret_head where in bytes it begins; 0: it is another event, has fields that are not known
 * here, or is too long. */
size_t recorder_head(const Ipc__Event *event, uint8_t bytes[RECORDER_HEAD_MAX], const uint8_t **ret_head);
