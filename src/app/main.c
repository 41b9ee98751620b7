/* The command line's entry: settings, then the command, then what it answers. */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "app/cli.h"
#include "app/columns.h"
#include "app/doctor.h"
#include "app/explain.h"
#include "app/near.h"
#include "app/reload.h"
#include "base/banned.h"
#include "base/json.h"
#include "base/time.h"

enum { OUTPUT_MAX_BYTES = 2 * CLI_BODY_MAX_BYTES, SUGGESTED_FROM_BYTES = 3 };

/* One run of the program. */
struct run {
    struct arena *arena;
    struct config config;
    str config_problems; /* STR_NONE: the settings are fit */
    struct cli_args args;
    struct buf out; /* for standard output; wiped, as it may hold a new key */
    struct secret password;
    struct buf file;
};

/* ---- output ---- */

static bool is_coloured(int fd)
{
    const char *no_color = getenv("NO_COLOR"); /* no-color.org: set and not empty */
    const char *term = getenv("TERM");

    return isatty(fd) && !(no_color && *no_color) && term && !str_eq(str_of(term), S("dumb"));
}

static size_t terminal_width(int fd)
{
    struct winsize size = {0};

    return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static struct cli_show show_for(struct run *run, int fd)
{
    return (struct cli_show){.arena = run->arena,
                             .out = &run->out,
                             .args = &run->args,
                             .width = terminal_width(fd),
                             .is_coloured = is_coloured(fd)};
}

/* Not through stdio, whose buffers are not wiped. */
static bool write_whole(int fd, str text)
{
    while (text.n) {
        ssize_t n = write(fd, text.p, text.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text = str_sub(text, (size_t)n, text.n);
    }
    return true;
}

static int complain(str text)
{
    fprintf(stderr, "sallyport: %.*s\n", STR_ARG(text));
    return CLI_REFUSED;
}

/* Write what was gathered to fd; the exit code is `code` unless that fails. */
static int finish(struct run *run, int fd, int code)
{
    if (run->out.n && run->out.p[run->out.n - 1] != '\n')
        buf_put_byte(&run->out, '\n');
    return write_whole(fd, buf_str(&run->out)) ? code : complain(S("cannot write the answer"));
}

static int wrong_usage(struct run *run, str problems)
{
    const struct cli_command *command = run->args.command;

    while (problems.n) {
        str line = str_cut(&problems, S("\n"));
        buf_printf(&run->out, "sallyport: %.*s\n", STR_ARG(line));
    }
    str topic = run->args.topic[0];
    if (command) {
        topic = cli_name(run->arena, command);
        str_cut(&topic, S(" "));
        buf_printf(&run->out, "usage: %.*s\n", STR_ARG(cli_usage(run->arena, command)));
    }
    buf_printf(&run->out, "more:  sallyport help%s%.*s\n", topic.n ? " " : "", STR_ARG(topic));
    return finish(run, STDERR_FILENO, CLI_WRONG_USAGE);
}

/* ---- requests ---- */

/* What users create sends: given, or made up and shown once. */
static bool read_password(struct run *run, str *why)
{
    *why = S("there is no password on standard input");
    if (cli_has(&run->args, "password-stdin"))
        return cli_read_password(&run->password);
    cli_make_password(&run->password);
    return true;
}

static bool is_command(const struct run *run, const char *group, const char *verb)
{
    return run->args.command == cli_find(str_of(group), str_of(verb));
}

static bool is_password_made_up(const struct run *run)
{
    return run->password.p && !cli_has(&run->args, "password-stdin");
}

static int show_failure(struct run *run, enum err e, str why)
{
    if (!run->args.is_json)
        return complain(why);
    cli_write_problem(e, why, &run->out);
    return finish(run, STDOUT_FILENO, CLI_REFUSED);
}

/* The API's answer; a password that was made up here is one more member, since it is kept nowhere.
 */
static void put_json_answer(struct run *run, str answer, bool is_done)
{
    struct json_out j = {&run->out};
    bool has_secret = is_done && is_password_made_up(run) && str_ends(answer, S("}"));

    buf_put(&run->out, has_secret ? str_sub(answer, 0, answer.n - 1) : answer);
    if (!has_secret)
        return;
    json_put_secret(&j, S("password"), &run->password);
    json_close_object(&j);
}

static int judge_answer(const struct run *run, const json_t *answer, bool is_done)
{
    if (!is_done)
        return CLI_REFUSED;
    return run->args.command->judge ? run->args.command->judge(answer) : CLI_DONE;
}

static int show_answer(struct run *run, const struct cli_reply *reply)
{
    DROP(json) json_t *answer = NULL;
    struct cx cx = {.arena = run->arena};
    bool is_done = reply->status >= 200 && reply->status < 300;
    int fd = is_done || run->args.is_json ? STDOUT_FILENO : STDERR_FILENO;
    struct cli_show show = show_for(run, fd);

    if (reply->body.n && json_read(&cx, buf_str(&reply->body), &answer) != E_OK)
        return complain(S("the server's answer cannot be read; is it of the same release?"));
    int code = judge_answer(run, answer, is_done);
    if (run->args.is_json) {
        put_json_answer(run, buf_str(&reply->body), is_done);
        return finish(run, fd, code);
    }
    if (is_password_made_up(run))
        show.made_up = &run->password;
    if (is_done)
        run->args.command->show(&show, answer);
    else
        cli_show_problem(&show, answer);
    return finish(run, fd, code);
}

static int send_request(struct run *run, const struct cli_request *request)
{
    struct cli_reply reply = {0};
    str why = STR_NONE;

    buf_init(&reply.body, CLI_BODY_MAX_BYTES);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int code = cli_send(run->arena, &run->config, request, &reply, &why)
                   ? show_answer(run, &reply)
                   : show_failure(run, E_STORE_DOWN, why);
    curl_global_cleanup();
    cli_reply_drop(&reply);
    return code;
}

/* Without a server its log is this terminal, where the answer says what was done. */
static void log_to_terminal(const struct run *run)
{
    bool is_level_given = run->config.sources[SETTING_log_level] != CONFIG_DEFAULT;

    log_start(is_level_given ? run->config.log_least : LOG_WARN, run->config.log_is_json);
}

static int run_request(struct run *run)
{
    struct cli_request request;
    str why = STR_NONE;

    log_to_terminal(run);
    if ((is_command(run, "keys", "import") || is_command(run, "gate-rules", "set")) &&
        !cli_read_file(run->arena, run->args.argument, &run->file, &why))
        return complain(why);
    if (is_command(run, "users", "create") && !read_password(run, &why))
        return wrong_usage(run, why);
    struct cli_inputs inputs = {time_now_ms(), &run->password, buf_str(&run->file)};
    if (!cli_build(run->arena, &run->args, &inputs, &request, &why))
        return wrong_usage(run, why);
    int code = send_request(run, &request);
    cli_request_drop(&request);
    return code;
}

/* ---- commands of this process ---- */

static int run_backup(struct run *run, enum cli_backup_way what)
{
    struct cli_backup backup = {.arena = run->arena,
                                .config = &run->config,
                                .what = what,
                                .file = arena_dup(run->arena, run->args.argument),
                                .is_json = run->args.is_json,
                                .out = &run->out};
    str why = STR_NONE;
    enum err e;

    log_to_terminal(run);
    if (!cli_backup(&backup, &e, &why))
        return show_failure(run, e, why);
    return finish(run, STDOUT_FILENO, CLI_DONE);
}

static int show_config(struct run *run)
{
    struct cli_show show = show_for(run, STDOUT_FILENO);
    struct columns table;

    if (run->args.is_json) {
        config_write_json(run->arena, &run->config, &run->out);
        return finish(run, STDOUT_FILENO, CLI_DONE);
    }
    columns_init(&table, run->arena, 5);
    table.width = show.width;
    table.is_coloured = show.is_coloured;
    config_write_columns(&table, &run->config);
    columns_write(&table, &run->out);
    return finish(run, STDOUT_FILENO, CLI_DONE);
}

static int ready(struct run *run)
{
    struct cli_show show = show_for(run, STDOUT_FILENO);

    curl_global_init(CURL_GLOBAL_DEFAULT);
    int code = doctor_ready(&show, &run->config);
    curl_global_cleanup();
    return finish(run, STDOUT_FILENO, code);
}

static int doctor(struct run *run)
{
    struct cli_show show = show_for(run, STDOUT_FILENO);

    curl_global_init(CURL_GLOBAL_DEFAULT);
    int code = doctor_run(&show, &run->config, run->config_problems);
    curl_global_cleanup();
    return finish(run, STDOUT_FILENO, code);
}

/* The nearest code, or those with the given text in them: "API_KEY_IP_NOT_ALLOWED" for "key_ip". */
static str suggested_codes(struct run *run, str text)
{
    struct near near;
    str list = STR_NONE;

    near_init(&near, text);
    for (int e = E_OK + 1; e < E_CATALOGUE_END; e++) {
        str code = err_info((enum err)e)->code;
        near_try(&near, code);
        if (text.n >= SUGGESTED_FROM_BYTES && strcasestr(code.p, arena_dup(run->arena, text).p))
            list = arena_printf(run->arena, "%.*s%s%.*s", STR_ARG(list), list.n ? ", " : "",
                                STR_ARG(code));
    }
    return str_is_none(near.best) ? list : near.best;
}

static int explain_argument(struct run *run)
{
    if (explain(&run->out, run->arena, run->args.argument, run->args.is_json))
        return finish(run, STDOUT_FILENO, CLI_DONE);
    bool is_word = !memchr(run->args.argument.p, ' ', run->args.argument.n);
    str codes = is_word ? suggested_codes(run, run->args.argument) : STR_NONE;
    str mean = str_is_none(codes)
                   ? S("; docs/errors.md and docs/troubleshooting.md list them")
                   : arena_printf(run->arena, "; did you mean %.*s?", STR_ARG(codes));
    return complain(arena_printf(run->arena, "there is no error or message \"%.*s\"%.*s",
                                 STR_ARG(run->args.argument), STR_ARG(mean)));
}

/* What is made from the tables, by the command's one argument. */
static int print(struct run *run, bool (*write)(struct cli_show *, str), str else_say)
{
    struct cli_show show = show_for(run, STDOUT_FILENO);

    if (write(&show, run->args.argument))
        return finish(run, STDOUT_FILENO, CLI_DONE);
    complain(else_say);
    return CLI_WRONG_USAGE;
}

static int show_version(struct run *run)
{
    buf_put(&run->out, run->args.is_json
                           ? S("{\"name\":\"sallyport\",\"version\":\"" SALLYPORT_VERSION "\"}")
                           : S("sallyport " SALLYPORT_VERSION));
    return finish(run, STDOUT_FILENO, CLI_DONE);
}

static int show_help(struct run *run)
{
    struct cli_show show = show_for(run, STDOUT_FILENO);

    if (cli_help(&show, run->args.topic[0], run->args.topic[1]))
        return finish(run, STDOUT_FILENO, CLI_DONE);
    complain(arena_printf(run->arena, "there is no help for \"%.*s%s%.*s\"",
                          STR_ARG(run->args.topic[0]), str_is_none(run->args.topic[1]) ? "" : " ",
                          STR_ARG(run->args.topic[1])));
    fprintf(stderr, "sallyport help lists the commands\n");
    return CLI_WRONG_USAGE;
}

/* ---- */

static bool needs_settings(enum cli_kind kind)
{
    return kind != CLI_HELP && kind != CLI_COMPLETION && kind != CLI_MANUAL &&
           kind != CLI_VERSION && kind != CLI_EXPLAIN && kind != CLI_DOCTOR;
}

static int run_command(struct run *run)
{
    enum cli_kind kind = run->args.command->kind;

    if (needs_settings(kind) && !str_is_none(run->config_problems)) {
        complain(run->config_problems);
        return CLI_WRONG_USAGE;
    }
    switch (kind) {
    case CLI_REQUEST:
        return run_request(run);
    case CLI_SERVE:
        return app_serve(&run->config);
    case CLI_MIGRATE:
        return app_migrate(&run->config);
    case CLI_BACKUP:
        return run_backup(run, BACKUP_WRITE);
    case CLI_RESTORE:
        return run_backup(run, cli_has(&run->args, "check") ? BACKUP_CHECK : BACKUP_RESTORE);
    case CLI_CONFIG:
        return show_config(run);
    case CLI_DOCTOR:
        return doctor(run);
    case CLI_READY:
        return ready(run);
    case CLI_EXPLAIN:
        return explain_argument(run);
    case CLI_COMPLETION:
        return print(run, cli_completion, S("there is completion for bash and zsh"));
    case CLI_MANUAL:
        return print(run, cli_manual, S("the sections are 1 and 5"));
    case CLI_VERSION:
        return show_version(run);
    case CLI_HELP:
        return show_help(run);
    }
    return CLI_WRONG_USAGE;
}

/* The settings are read first in any case: that is what wipes passwords from args. */
static int run_words(struct run *run, char **words)
{
    struct config_input input = {.args = words,
                                 .environment = environ,
                                 .default_file = reload_default_file(),
                                 .stderr_is_terminal = isatty(STDERR_FILENO)};
    str problems = STR_NONE;
    bool is_empty = !*words;

    if (!config_load(run->arena, &input, &run->config, &run->config_problems))
        run->config = (struct config){0};
    if (is_empty) {
        struct cli_show show = show_for(run, STDERR_FILENO);
        cli_help(&show, STR_NONE, STR_NONE);
        return finish(run, STDERR_FILENO, CLI_WRONG_USAGE);
    }
    if (*words && str_eq(str_of(*words), S("--version")))
        *words += 2;
    if (cli_parse(run->arena, words, &run->args, &problems))
        return run_command(run);
    if (!str_is_none(run->config_problems))
        complain(run->config_problems);
    return wrong_usage(run, problems);
}

int main(int argc, char **argv)
{
    struct run run = {.arena = arena_new()};

    json_start();
    buf_init(&run.out, OUTPUT_MAX_BYTES);
    buf_init(&run.file, CLI_BODY_MAX_BYTES);
    int code = run_words(&run, argc > 0 ? argv + 1 : argv);
    buf_drop(&run.out);
    buf_drop(&run.file);
    secret_drop(&run.password);
    config_drop(&run.config);
    arena_drop(&run.arena);
    return code;
}
