/* What a request is, for people. */
#pragma once
#include "channels/sftp/path.h"
#include "channels/sftp/wire.h"

enum { SFTP_WORDS_MAX = 4 * PATH_TEXT_MAX };

/* "open /srv/a (write, create)"; path: as it is judged; where the client said something else, that is added.
 */
void sftp_words(char out[SFTP_WORDS_MAX], const struct sftp_request *request, const char *const path[2]);
/* Of a file in which this detector fired; out of 512 bytes. Returns out. */
const char *sftp_words_fired(char *out, const char *detector);
