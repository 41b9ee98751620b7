/*
 * The command line: each command is a request to the API, sent over the control socket, or
 * answered in this process when no server runs.
 *
 *    words ─▶ cli_parse ─▶ cli_build ─▶ cli_send ─▶ cli_show_…
 *             (pure)       (pure)
 */
#ifndef SALLYPORT_APP_CLI_H
#define SALLYPORT_APP_CLI_H

#include <jansson.h>

#include "app/app.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/secret.h"

enum {
    CLI_GIVEN_MAX = 1000,    /* flags in one command */
    CLI_PASSWORD_BYTES = 20, /* of one that is made up: 100 random bits */
    CLI_PAGE_LIMIT = 1000,   /* the most the API gives at once */
    CLI_MANAGED_PAGE = 500,  /* and under /api/v1 */
    CLI_BODY_MAX_BYTES = 64 * 1024 * 1024,
};

/* Exit codes. */
enum { CLI_DONE = 0, CLI_REFUSED = 1, CLI_WRONG_USAGE = 2 };

/* ---- the commands, a table ---- */

struct cli_flag {
    const char *name;  /* without "--"; NULL ends a list */
    const char *value; /* what stands for it in the help; NULL: it takes none */
    const char *meaning;
    bool is_required;
    bool repeats;
};

struct cli_form;
struct cli_request;
struct cli_show;

enum cli_kind {
    CLI_REQUEST, /* build, send, show */
    CLI_SERVE,
    CLI_MIGRATE,
    CLI_BACKUP,
    CLI_RESTORE,
    CLI_CONFIG,
    CLI_DOCTOR,
    CLI_READY,
    CLI_EXPLAIN,
    CLI_COMPLETION,
    CLI_MANUAL,
    CLI_VERSION,
    CLI_HELP,
};

struct cli_command {
    const char *group;    /* "keys"; NULL: the command is one word */
    const char *verb;     /* "create" */
    const char *argument; /* the word after it in the help, "ID", or NULL */
    const char *meaning;
    const char *example;
    enum cli_kind kind;
    const struct cli_flag *flags; /* beside --json and the settings */
    /* Of requests: what is asked, and how the answer is told to people. */
    void (*build)(struct cli_form *form, struct cli_request *out);
    void (*show)(struct cli_show *show, const json_t *answer);
    /* The exit code by an answer that is no problem; NULL: CLI_DONE. */
    int (*judge)(const json_t *answer);
};

extern const struct cli_command cli_commands[]; /* ends with a verb of NULL */

/* NULL if there is none; group is STR_NONE for one word. */
const struct cli_command *cli_find(str group, str verb);
bool cli_is_group(str word);

/* Has it --json? */
bool cli_takes_json(const struct cli_command *command);

/* ---- words to command ---- */

struct cli_given {
    const struct cli_flag *flag;
    str value;
};

struct cli_args {
    const struct cli_command *command;
    str argument; /* STR_NONE: none */
    str topic[2]; /* of help: which command; also the group of one that is not there */
    struct cli_given given[CLI_GIVEN_MAX];
    size_t n_given;
    bool is_json;
};

/*
 * Words without the settings' flags, see config_load; the command's own are taken out. False:
 * *problems says, for people, what is wrong; out->command is then set if it was found.
 */
bool cli_parse(struct arena *arena, char **words, struct cli_args *out, str *problems);

/* STR_NONE if it was not given. */
str cli_value(const struct cli_args *args, const char *flag);
bool cli_has(const struct cli_args *args, const char *flag);

/* ---- command to request ---- */

struct cli_request {
    enum http_method method;
    str target;       /* path and query */
    str employer;     /* for x-employer-id, or STR_NONE */
    struct buf body;  /* JSON; empty: none. Holds secrets: dropped with the request */
    const char *list; /* of a paged list: the member to gather over all pages */
};

/* What a request is made from, beside the words. */
struct cli_inputs {
    int64_t now_ms;
    const struct secret *password; /* users create */
    str file;                      /* keys import, gate-rules set: what the file holds */
};

/* While a request is built. */
struct cli_form {
    struct arena *arena;
    const struct cli_args *args;
    const struct cli_inputs *inputs;
    struct buf problems;
};

/* False: *problems says what is wrong with the flags' values. */
bool cli_build(struct arena *arena, const struct cli_args *args, const struct cli_inputs *inputs,
               struct cli_request *out, str *problems);
void cli_request_drop(struct cli_request *request);

/* A line for the user: what is wrong with one flag or argument. */
void cli_problem(struct cli_form *form, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * Keys to import, from a document {"keys":[…]}, a list, or one JSON object a line, as the body of
 * the request. A bad line is a problem that names it.
 */
void cli_read_import(struct cli_form *form, str text, struct buf *body);

/* Rules of the gate, "METHOD PATH SCOPES" a line, as the body of the request; # begins a comment.
 */
void cli_read_rules(struct cli_form *form, str text, struct buf *body);

/* ---- what is read beside the words ---- */

/* CLI_PASSWORD_BYTES characters that are not mistaken for each other. */
void cli_make_password(struct secret *out);

/* The first line of standard input, not echoed where that is a terminal. False: there is none. */
bool cli_read_password(struct secret *out);

/* "-" is standard input. False: *why is one sentence. */
bool cli_read_file(struct arena *arena, str path, struct buf *out, str *why);

/* ---- backups ---- */

enum cli_backup_way { BACKUP_WRITE, BACKUP_RESTORE, BACKUP_CHECK };

struct cli_backup {
    struct arena *arena;
    const struct config *config;
    enum cli_backup_way what;
    str file; /* NUL-terminated; "-": standard output */
    bool is_json;
    struct buf *out; /* what was done, for standard output */
};

/* False: *why is one sentence. */
bool cli_backup(struct cli_backup *run, enum err *e, str *why);

/* ---- sending ---- */

struct cli_reply {
    int status;
    struct buf body; /* holds secrets */
};

/* False: *why is one sentence. out was initialised by the caller, and is dropped by it. */
bool cli_send(struct arena *arena, const struct config *config, const struct cli_request *request,
              struct cli_reply *out, str *why);
void cli_reply_drop(struct cli_reply *reply);

/* ---- showing ---- */

struct cli_show {
    struct arena *arena;
    struct buf *out; /* wiped by its owner: it may hold a new key */
    const struct cli_args *args;
    const struct secret *made_up; /* a password to be shown this once, or NULL */
    size_t width;                 /* of the terminal; 0: none */
    bool is_coloured;
};

void cli_show_employers(struct cli_show *show, const json_t *answer);
void cli_show_new_employer(struct cli_show *show, const json_t *answer);
void cli_show_changed_employer(struct cli_show *show, const json_t *answer);
void cli_show_users(struct cli_show *show, const json_t *answer);
void cli_show_new_user(struct cli_show *show, const json_t *answer);
void cli_show_changed_user(struct cli_show *show, const json_t *answer);
void cli_show_reset_link(struct cli_show *show, const json_t *answer);
void cli_show_sessions(struct cli_show *show, const json_t *answer);
void cli_show_signed_out(struct cli_show *show, const json_t *answer);
void cli_show_deactivated(struct cli_show *show, const json_t *answer);
void cli_show_keys(struct cli_show *show, const json_t *answer);
void cli_show_key_report(struct cli_show *show, const json_t *answer);
void cli_show_new_key(struct cli_show *show, const json_t *answer);
void cli_show_rotated_key(struct cli_show *show, const json_t *answer);
void cli_show_revoked(struct cli_show *show, const json_t *answer);
void cli_show_imported(struct cli_show *show, const json_t *answer);
void cli_show_new_api(struct cli_show *show, const json_t *answer);
void cli_show_apis(struct cli_show *show, const json_t *answer);
void cli_show_changed_api(struct cli_show *show, const json_t *answer);
void cli_show_deleted_api(struct cli_show *show, const json_t *answer);
void cli_show_new_scope(struct cli_show *show, const json_t *answer);
void cli_show_scopes(struct cli_show *show, const json_t *answer);
void cli_show_deleted_scope(struct cli_show *show, const json_t *answer);
void cli_show_new_plan(struct cli_show *show, const json_t *answer);
void cli_show_plans(struct cli_show *show, const json_t *answer);
void cli_show_deleted_plan(struct cli_show *show, const json_t *answer);
void cli_show_set_plan(struct cli_show *show, const json_t *answer);
void cli_show_new_gate_token(struct cli_show *show, const json_t *answer);
void cli_show_gate_tokens(struct cli_show *show, const json_t *answer);
void cli_show_gate_revoked(struct cli_show *show, const json_t *answer);
void cli_show_gate_rules(struct cli_show *show, const json_t *answer);
void cli_show_gate_rules_set(struct cli_show *show, const json_t *answer);
void cli_show_audit(struct cli_show *show, const json_t *answer);
void cli_show_verification(struct cli_show *show, const json_t *answer);
void cli_show_archived(struct cli_show *show, const json_t *answer);
void cli_show_rekeyed(struct cli_show *show, const json_t *answer);

/* A problem body: title, detail, what to do, and the list of errors. */
void cli_show_problem(struct cli_show *show, const json_t *problem);

/* The same when there was no server to write one. */
void cli_write_problem(enum err e, str detail, struct buf *out);

/* ---- made from the tables, for packages ---- */

/* A script for "bash" or "zsh". False: there is none for this shell. */
bool cli_completion(struct cli_show *show, str shell);

/* "1" is sallyport(1), "5" is sallyport.conf(5), as roff. False: there is no such section. */
bool cli_manual(struct cli_show *show, str section);

/* ---- help ---- */

/* Everything (both STR_NONE), a group, a command, or "settings". False: there is no such topic. */
bool cli_help(struct cli_show *show, str group, str verb);

/* "sallyport keys revoke ID", with the flags; NUL-terminated. */
str cli_usage(struct arena *arena, const struct cli_command *command);

/* "sallyport keys revoke" */
str cli_name(struct arena *arena, const struct cli_command *command);

#endif
