/* A directory with a `state` in which a configuration's files are to be found, good ones and bad ones. */
#pragma once

/* Makes it; the path, malloc'ed. Fails the test when it can't. */
char *fixture_new(void);
/* Removes it and everything in it. */
void fixture_free(char *directory);
/* Writes DIRECTORY/NAME. */
void fixture_write(const char *directory, const char *name, unsigned mode, const void *bytes,
                   unsigned long n);
