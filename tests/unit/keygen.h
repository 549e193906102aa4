/* Runs the real ssh-keygen for tests: keys, CAs and certificates in a directory of their own. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { KEYGEN_PATH = 256 };

/* Makes a directory below /tmp; keygen_remove() removes it with what is in it. */
void keygen_directory(char out[KEYGEN_PATH]);
void keygen_remove(const char *directory);

/* Runs a program to its end; the test fails when it can't be started or does not exit with 0.
 * NULL-terminated. */
void keygen_run(const char *directory, const char *const *argv);
/* DIRECTORY/NAME and NAME.pub: an unencrypted key pair. bits: NULL for the default. */
void keygen_key(const char *directory, const char *name, const char *type, const char *bits);
/* Signs DIRECTORY/KEY.pub with DIRECTORY/CA; options: further arguments of ssh-keygen, NULL-terminated, may
 * be NULL. Returns the certificate's wire form, malloc'ed. */
uint8_t *keygen_certify(const char *directory, const char *key, const char *ca, const char *const *options,
                        size_t *ret_n);
/* The content of DIRECTORY/NAME, malloc'ed and NUL-terminated. */
char *keygen_read(const char *directory, const char *name, size_t *ret_n);
/* The wire form in DIRECTORY/NAME, a public key or certificate file; malloc'ed. */
uint8_t *keygen_blob(const char *directory, const char *name, size_t *ret_n);
