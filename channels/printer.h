/* Text on its way to a descriptor that may be slow: what built-in commands print with. */
#pragma once
#include <stdbool.h>
#include "base/buffer.h"
#include "base/loop.h"

enum { PRINTER_LIMIT = 32 * 1024 * 1024 }; /* bytes that may wait */

struct printer;
typedef void printer_done(void *owner);

/* fd is the printer's from here on, also on failure. newlines: "\n" goes out as "\r\n", as a terminal wants
 * it. done is called from the loop each time that nothing waits any more, or that nobody reads any more. */
MUST_USE int printer_new(struct loop *loop, int fd, bool newlines, printer_done *done, void *owner,
                         struct printer **ret);
void printer_free(struct printer *printer); /* closes the descriptor */
/* Beyond the limit, or once nobody reads, the text is dropped. */
void printer_put(struct printer *printer, const void *bytes, size_t n);
bool printer_empty(const struct printer *printer);
