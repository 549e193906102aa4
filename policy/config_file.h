/* Paths, and the files that the configuration names. Private to policy/config*. */
#pragma once
#include "policy/config_reader.h"

enum {
    CONFIG_NAMED_FILE_MAX = 1024 * 1024, /* bytes of a file that the configuration names */
    CONFIG_CERTIFICATES_MAX = 64 * 1024, /* bytes of a file of CA certificates: it rides in a message */
    CONFIG_HMAC_KEY_MIN = 16,            /* bytes without the line end, as replay/notify_key.h has it */
    CONFIG_HMAC_KEY_MAX = 1024,
};

/* base/path without "." and doubled slashes; an absolute path stays. malloc'ed, NULL when memory ran out.
 * ".." stays: what it means is up to the links on the way. */
char *config_path(const char *base, const char *path);
/* The path against `state`, malloc'ed; NULL after a report or without memory. node may be NULL. */
char *config_state_path(struct config_reader *reader, const struct config_node *node, const char *fallback);

/* What is asked of a named file beyond being a readable file. */
enum config_file_kind {
    CONFIG_PRIVATE_KEY,  /* OpenSSH or PEM form, for nobody but its owner: as serve wants it */
    CONFIG_CERTIFICATES, /* PEM */
    CONFIG_OPEN_TEXT,    /* nothing */
    CONFIG_HMAC_KEY      /* text, for nobody but its owner */
};
/* Reports at place what is wrong with the file. */
void config_file_check(struct config_reader *reader, const struct config_node *place, const char *path,
                       enum config_file_kind kind);
/* The same, and hands over what it holds, malloc'ed and NUL-terminated; a private key is the caller's to
 * wipe. False after a report, or when nobody looks at files. */
MUST_USE bool config_file_contents(struct config_reader *reader, const struct config_node *place,
                                   const char *path, enum config_file_kind kind, uint8_t **ret,
                                   size_t *ret_n);
/* Checks a PEM file and hands over what it holds, malloc'ed: the process that needs it can't open it.
 * Untouched after a report. */
void config_file_certificates(struct config_reader *reader, const struct config_node *place, const char *path,
                              ProtobufCBinaryData *ret);
/* Checks a list of what is revoked: it must be there and make sense. The issuer reads it again. */
void config_file_revoked(struct config_reader *reader, const struct config_node *place, const char *path);
/* Checks that certificates can be signed with this private key, and that its public half is the one that is
 * looked for in certificates. */
void config_file_signer(struct config_reader *reader, const struct config_node *place, const char *path,
                        const Ipc__Ca *public);
/* Issuer.jwks of a file of public keys, or of the public half of a private one. Untouched after a report. */
void config_file_jwks(struct config_reader *reader, const struct config_node *place, const char *path,
                      Ipc__Issuer *issuer);
void config_file_issuer_key(struct config_reader *reader, const struct config_node *place, const char *path,
                            Ipc__Issuer *issuer);
/* Checks the key of a webhook's signatures, which the ledger reads again: policy/config_notify.c. */
void config_file_hmac_key(struct config_reader *reader, const struct config_node *place, const char *path);
/* Reads the public key file of a CA into a message that the caller owns; its blob stays empty after a report.
 * `name` is how the configuration calls it. NULL when memory ran out. */
Ipc__Ca *config_file_ca(struct config_reader *reader, const struct config_node *place, const char *path,
                        const char *name);
