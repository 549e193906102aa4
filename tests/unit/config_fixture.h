/* A directory with a `state` in which a configuration's files are to be found, good ones and bad ones. */
#pragma once

extern char *directory;

/* For cmocka, before and behind a group of tests: makes it; removes it and everything in it. */
int make_fixture(void **state);
int remove_fixture(void **state);
/* Writes PLACE/NAME. */
void fixture_write(const char *place, const char *name, unsigned mode, const void *bytes, unsigned long n);
