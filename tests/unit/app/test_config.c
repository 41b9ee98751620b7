/* app/config.h */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/columns.h"
#include "app/config_values.h"
#include "app/near.h"
#include "app/units.h"
#include "base/json.h"
#include "chance.h"

enum { WORDS_MAX = 32, WORD_BYTES = 300 };

/* What config_load is given, in memory that it may write to, and what came of it. */
struct world {
    struct arena *arena;
    char text[2 * WORDS_MAX][WORD_BYTES];
    char *args[WORDS_MAX + 1];
    char *environment[WORDS_MAX + 1];
    size_t n_args, n_environment;
    char file[64];
    bool has_file;
    bool stderr_is_terminal;
    struct config config;
    str problems;
    bool is_fit;
};

static void set_up_world(struct world *w)
{
    memset(w, 0, sizeof *w);
    w->arena = arena_new();
    snprintf(w->file, sizeof w->file, "/tmp/test_config.XXXXXX");
    int fd = mkstemp(w->file);
    assert_true(fd >= 0);
    close(fd);
    unlink(w->file);
}

static void clean_up_world(struct world *w)
{
    config_drop(&w->config);
    arena_drop(&w->arena);
    unlink(w->file);
}

static char *copy_word(struct world *w, const char *word, size_t at)
{
    assert_true(strlen(word) < WORD_BYTES);
    memcpy(w->text[at], word, strlen(word) + 1);
    return w->text[at];
}

static void give_arg(struct world *w, const char *word)
{
    w->args[w->n_args] = copy_word(w, word, w->n_args);
    w->n_args++;
}

static void give_variable(struct world *w, const char *entry)
{
    w->environment[w->n_environment] = copy_word(w, entry, WORDS_MAX + w->n_environment);
    w->n_environment++;
}

static void give_bytes(struct world *w, const char *bytes, size_t n)
{
    FILE *f = fopen(w->file, "w");

    assert_non_null(f);
    fwrite(bytes, 1, n, f);
    fclose(f);
}

static void give_file(struct world *w, const char *text)
{
    give_bytes(w, text, strlen(text));
}

static bool load(struct world *w)
{
    struct config_input in = {.args = w->args,
                              .environment = w->environment,
                              .default_file = w->file,
                              .stderr_is_terminal = w->stderr_is_terminal};

    config_drop(&w->config);
    w->config = (struct config){0};
    w->problems = STR_NONE;
    w->is_fit = config_load(w->arena, &in, &w->config, &w->problems);
    return w->is_fit;
}

static void assert_fit(struct world *w)
{
    if (!load(w))
        flunk("refused: %.*s", STR_ARG(w->problems));
}

/* Refused, and the problems say all these words. */
#define assert_refused(w, ...) assert_refused_((w), (const char *const[]){__VA_ARGS__, NULL})

static void assert_refused_(struct world *w, const char *const *words)
{
    if (load(w))
        flunk("not refused");
    for (; *words; words++)
        if (!memmem(w->problems.p, w->problems.n, *words, strlen(*words)))
            flunk("\"%s\" is not in: %.*s", *words, STR_ARG(w->problems));
}

static void assert_str(str got, const char *want)
{
    if (!str_eq(got, str_of(want)))
        flunk("\"%.*s\", not \"%s\"", STR_ARG(got), want);
}

/* ---- where a value comes from ---- */

static void without_anything_the_defaults_hold(void **state)
{
    struct world w;

    (void)state;
    set_up_world(&w);
    assert_fit(&w);
    assert_str(w.config.listen, "127.0.0.1:8080");
    assert_str(w.config.database_url, "sqlite:var/sallyport.db");
    assert_int_equal(w.config.session_lifetime_ms, 12 * 3600 * 1000);
    assert_int_equal(w.config.body_memory_bytes, 256 * 1024 * 1024);
    assert_int_equal(w.config.workers, 64);
    assert_true(w.config.api_version_required);
    assert_false(secret_is_set(&w.config.admin_password));
    for (int s = 0; s < SETTINGS_END; s++)
        assert_int_equal(w.config.sources[s], CONFIG_DEFAULT);
    clean_up_world(&w);
}

static void a_flag_beats_the_environment_beats_the_file_beats_the_default(void **state)
{
    struct world w;

    (void)state;
    set_up_world(&w);
    give_file(&w, "workers = 7\n");
    assert_fit(&w);
    assert_int_equal(w.config.workers, 7);
    assert_int_equal(w.config.sources[SETTING_workers], CONFIG_FILE);
    give_variable(&w, "SALLYPORT_WORKERS=8");
    assert_fit(&w);
    assert_int_equal(w.config.workers, 8);
    assert_int_equal(w.config.sources[SETTING_workers], CONFIG_ENVIRONMENT);
    give_arg(&w, "--workers");
    give_arg(&w, "9");
    assert_fit(&w);
    assert_int_equal(w.config.workers, 9);
    assert_int_equal(w.config.sources[SETTING_workers], CONFIG_FLAG);
    clean_up_world(&w);
}

static void flags_are_taken_out_and_other_words_stay_in_order(void **state)
{
    static const char *const words[] = {"keys", "--workers=9", "create", "--name",
                                        "x",    "--log-level", "warn",   "--json"};
    static const char *const left[] = {"keys", "create", "--name", "x", "--json"};
    struct world w;

    (void)state;
    set_up_world(&w);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        give_arg(&w, words[i]);
    assert_fit(&w);
    assert_int_equal(w.config.log_least, LOG_WARN);
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        assert_string_equal(w.args[i], left[i]);
    assert_null(w.args[sizeof left / sizeof *left]);
    clean_up_world(&w);
}

static void after_two_dashes_nothing_is_a_setting(void **state)
{
    struct world w;

    (void)state;
    set_up_world(&w);
    give_arg(&w, "--");
    give_arg(&w, "--workers=9");
    assert_fit(&w);
    assert_int_equal(w.config.workers, 64);
    assert_string_equal(w.args[1], "--workers=9");
    clean_up_world(&w);
}

static void a_flag_without_its_value_is_a_problem(void **state)
{
    struct world w;

    (void)state;
    set_up_world(&w);
    give_arg(&w, "--workers");
    give_arg(&w, "--log-level=info");
    assert_refused(&w, "workers", "--workers", "needs a value");
    clean_up_world(&w);
}

static void a_setting_given_twice_in_one_place_is_a_problem(void **state)
{
    struct world w;

    (void)state;
    set_up_world(&w);
    give_file(&w, "workers = 7\nworkers = 8\n");
    assert_refused(&w, "workers", ":2", "twice");
    give_file(&w, "");
    give_arg(&w, "--workers=1");
    give_arg(&w, "--workers=2");
    assert_refused(&w, "--workers", "twice");
    clean_up_world(&w);
}

/* ---- the file ---- */

static void a_missing_default_file_is_no_problem_a_missing_named_one_is(void **state)
{
    struct world w;

    (void)state;
    set_up_world(&w);
    assert_fit(&w);
    assert_true(str_is_none(w.config.file));
    give_arg(&w, "--config=/nowhere/sallyport.conf");
    assert_refused(&w, "/nowhere/sallyport.conf", "No such file");
    give_variable(&w, "SALLYPORT_CONFIG=/nowhere/else.conf");
    assert_refused(&w, "/nowhere/else.conf");
    clean_up_world(&w);
}

static void the_named_file_is_read(void **state)
{
    char named[WORD_BYTES];
    struct world w;

    (void)state;
    set_up_world(&w);
    give_file(&w, "workers = 7\n");
    snprintf(named, sizeof named, "SALLYPORT_CONFIG=%s", w.file);
    give_variable(&w, named);
    assert_fit(&w);
    assert_str(w.config.file, w.file);
    assert_int_equal(w.config.workers, 7);
    clean_up_world(&w);
}

static void a_folder_is_no_settings_file(void **state)
{
    struct world w;

    (void)state;
    set_up_world(&w);
    give_arg(&w, "--config=/tmp");
    assert_refused(&w, "/tmp", "directory");
    clean_up_world(&w);
}

static void comments_blank_lines_spaces_and_line_ends_of_windows_are_fine(void **state)
{
    struct world w;

    (void)state;
    set_up_world(&w);
    give_file(&w, "# a comment\r\n\r\n; another\r\n  workers   =   7  \r\nlog_level=warn");
    assert_fit(&w);
    assert_int_equal(w.config.workers, 7);
    assert_str(w.config.log_level, "warn");
    clean_up_world(&w);
}

static void everything_after_the_equals_sign_is_the_value(void **state)
{
    struct world w;

    (void)state;
    set_up_world(&w);
    give_file(&w, "admin_password = a = b ; # c\n");
    assert_fit(&w);
    assert_str(secret_reveal(&w.config.admin_password), "a = b ; # c");
    clean_up_world(&w);
}

static void bad_lines_are_named_by_their_number(void **state)
{
    struct world w;

    (void)state;
    set_up_world(&w);
    give_file(&w, "\n[server]\nworkers\nlog_level = \"warn\"\nlistn = 1\n");
    assert_refused(&w, ":2", "section", ":3", "name = value", ":4", "quotes", ":5",
                   "did you mean listen?");
    clean_up_world(&w);
}

static void long_lines_and_nul_bytes_are_refused_not_cut(void **state)
{
    static char text[9000];
    struct world w;

    (void)state;
    set_up_world(&w);
    memset(text, 'x', sizeof text);
    memcpy(text, "trusted_proxies=", 16);
    give_bytes(&w, text, sizeof text);
    assert_refused(&w, ":1", "too long");
    give_bytes(&w, "workers = 7\0007\n", 14);
    assert_refused(&w, ":1", "NUL");
    clean_up_world(&w);
}

/* ---- unknown names ---- */

static void an_unknown_variable_is_a_problem_and_its_value_is_not_shown(void **state)
{
    struct world w;

    (void)state;
    set_up_world(&w);
    give_variable(&w, "SALLYPORT_ADMIN_PASWORD=hunter2hunter2");
    assert_refused(&w, "SALLYPORT_ADMIN_PASWORD", "did you mean SALLYPORT_ADMIN_PASSWORD?");
    assert_null(memmem(w.problems.p, w.problems.n, "hunter2", 7));
    clean_up_world(&w);
}

static void variables_of_tests_and_scripts_are_allowed(void **state)
{
    struct world w;

    (void)state;
    set_up_world(&w);
    give_variable(&w, "SALLYPORT_TEST_ANYTHING=1");
    give_variable(&w, "SALLYPORT_BIN=build/sallyport");
    give_variable(&w, "SALLYPORT_CONFIG=");
    give_variable(&w, "SALLY=1");
    give_variable(&w, "PATH=/bin");
    assert_fit(&w);
    clean_up_world(&w);
}

static void a_variable_in_small_letters_is_unknown(void **state)
{
    struct world w;

    (void)state;
    set_up_world(&w);
    give_variable(&w, "SALLYPORT_listen=127.0.0.1:1");
    assert_refused(&w, "SALLYPORT_listen", "did you mean SALLYPORT_LISTEN?");
    clean_up_world(&w);
}

/* ---- problems ---- */

static void all_problems_are_told_at_once(void **state)
{
    struct world w;

    (void)state;
    set_up_world(&w);
    give_file(&w, "workers = none\nlog_level = loud\nnot_a_thing = 1\n");
    give_variable(&w, "SALLYPORT_SESSION_LIFETIME=1y");
    give_variable(&w, "SALLYPORT_TRUSTED_PROXIES=10.0.0.1/8");
    give_arg(&w, "--body-memory=1MiB");
    give_arg(&w, "--api-version-required=maybe");
    assert_refused(&w, "7 problems", "workers = \"none\"", "1 to 1024", "log_level = \"loud\"",
                   "debug, info, warn or error", "not_a_thing", "session_lifetime = \"1y\"",
                   "SALLYPORT_SESSION_LIFETIME", "10.0.0.0/8", "body_memory", "16MiB to 64GiB",
                   "--api-version-required", "true or false");
    clean_up_world(&w);
}

static void a_secret_is_never_shown_in_a_problem(void **state)
{
    char text[WORD_BYTES];
    struct world w;

    (void)state;
    set_up_world(&w);
    give_arg(&w, "--admin-password=hunter2one");
    give_arg(&w, "--admin-password=hunter2two");
    assert_refused(&w, "admin_password", "twice");
    assert_null(memmem(w.problems.p, w.problems.n, "hunter2", 7));
    clean_up_world(&w);
    set_up_world(&w);
    snprintf(text, sizeof text, "%s", "admin_password = \"hunter2\"\n");
    give_file(&w, text);
    assert_refused(&w, "quotes");
    assert_null(memmem(w.problems.p, w.problems.n, "hunter2", 7));
    clean_up_world(&w);
}

static void what_is_shown_cannot_steer_a_terminal(void **state)
{
    struct world w;

    (void)state;
    set_up_world(&w);
    give_arg(&w, "--listen=\033[31m");
    assert_refused(&w, "\"?[31m\"");
    clean_up_world(&w);
}

/* ---- secrets ---- */

static bool holds(const struct world *w, const char *needle)
{
    return memmem(w->text, sizeof w->text, needle, strlen(needle)) != NULL;
}

static void passwords_are_wiped_from_flags_and_environment(void **state)
{
    struct world w;

    (void)state;
    set_up_world(&w);
    give_variable(&w, "HOME=/root");
    give_variable(&w, "SALLYPORT_ADMIN_PASSWORD=from-environment");
    give_variable(&w, "SALLYPORT_WORKERS=7");
    give_arg(&w, "serve");
    give_arg(&w, "--admin-password");
    give_arg(&w, "from-a-flag");
    assert_fit(&w);
    assert_str(secret_reveal(&w.config.admin_password), "from-a-flag");
    assert_false(holds(&w, "from-environment"));
    assert_false(holds(&w, "from-a-flag"));
    assert_string_equal(w.environment[0], "HOME=/root");
    assert_string_equal(w.environment[1], "SALLYPORT_WORKERS=7");
    assert_null(w.environment[2]);
    assert_string_equal(w.args[0], "serve");
    assert_null(w.args[1]);
    clean_up_world(&w);
}

static void passwords_are_wiped_where_settings_are_refused_too(void **state)
{
    struct world w;

    (void)state;
    set_up_world(&w);
    give_variable(&w, "SALLYPORT_ADMIN_PASSWORD=from-environment");
    give_arg(&w, "--admin-password=from-a-flag");
    give_arg(&w, "--admin-password=from-another");
    give_arg(&w, "--workers=none");
    assert_refused(&w, "workers");
    assert_false(holds(&w, "from-"));
    clean_up_world(&w);
}

/* ---- every setting ---- */

static const char *sample_text(enum setting setting)
{
    static const struct {
        enum setting setting;
        const char *text;
    } samples[] = {
        {SETTING_listen, "[::1]:9000"},
        {SETTING_metrics_listen, "[::1]:9001"},
        {SETTING_public_url, "https://api.example.org"},
        {SETTING_tls_cert, "/etc/sallyport/cert.pem"},
        {SETTING_tls_key, "/etc/sallyport/key.pem"},
        {SETTING_tls_client_ca, "/etc/sallyport/clients.pem"},
        {SETTING_trusted_proxies, "10.0.0.0/8, fd00::/8"},
        {SETTING_gate_peers, "10.1.0.0/16"},
        {SETTING_outbound_allow, "hooks.internal, 10.0.0.0/8, ::1"},
        {SETTING_outbound_ca_file, "/etc/ssl/own.pem"},
        {SETTING_gate_client_ca, "/etc/sallyport/gateways.pem"},
        {SETTING_gate_socket, "/run/sallyport-gate.sock"},
        {SETTING_gate_uids, "root, 33"},
        {SETTING_control_socket, "/run/sallyport.sock"},
        {SETTING_database_url, "sqlite:/srv/other.db"},
        {SETTING_key_file, "/etc/sallyport/instance.key"},
        {SETTING_audit_archive_folder, "/srv/sallyport/audit"},
        {SETTING_geoip_database, "/srv/GeoLite2-Country.mmdb"},
        {SETTING_instance_key, "a key is judged when it is used"},
        {SETTING_environment, "staging"},
        {SETTING_admin_email, "root@example.org"},
        {SETTING_admin_password, "a long enough password"},
        {SETTING_api_vendor, "example"},
    };

    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        if (samples[i].setting == setting)
            return samples[i].text;
    flunk("give a sample of %.*s", STR_ARG(setting_info(setting)->name));
    return NULL;
}

/* A value that is valid and not the default. */
static const char *sample(enum setting setting)
{
    const struct config_spec *spec = config_spec(setting);

    switch (spec->kind) {
    case CONFIG_INT:
    case CONFIG_DURATION:
    case CONFIG_BYTES:
        return spec->most.p;
    case CONFIG_BOOL:
        return "false";
    case CONFIG_CHOICE:
        return strrchr(spec->info.unit.p, '|') + 1;
    default:
        return sample_text(setting);
    }
}

static const char *shown_sample(enum setting setting)
{
    return config_spec(setting)->kind == CONFIG_SECRET ? "(set)" : sample(setting);
}

static str shout(struct arena *arena, str name, char dash)
{
    str out = arena_dup(arena, name);

    for (char *p = (char *)out.p; *p; p++)
        *p = dash == '-' ? (*p == '_' ? '-' : *p) : *p == '_' ? '_' : (char)(*p - 'a' + 'A');
    return out;
}

static void assert_shown(struct world *w, enum setting setting, enum config_source source)
{
    str name = setting_info(setting)->name;
    struct columns table;
    struct buf out;
    char line[512];

    assert_fit(w);
    assert_int_equal(w->config.sources[setting], source);
    assert_str(config_value_text(w->arena, &w->config, setting), shown_sample(setting));
    buf_init(&out, 1 << 20);
    columns_init(&table, w->arena, 5);
    config_write_columns(&table, &w->config);
    columns_write(&table, &out);
    str rest = buf_str(&out);
    bool is_found = false;
    while (!str_is_none(rest)) {
        str row = str_cut(&rest, S("\n"));
        snprintf(line, sizeof line, "%.*s ", STR_ARG(name));
        is_found =
            is_found ||
            (str_starts(row, str_of(line)) &&
             memmem(row.p, row.n, shown_sample(setting), strlen(shown_sample(setting))) &&
             memmem(row.p, row.n, config_source_text(source).p, config_source_text(source).n));
    }
    if (!is_found)
        flunk("%.*s is not shown with its value and source:\n%.*s", STR_ARG(name),
              STR_ARG(buf_str(&out)));
    buf_drop(&out);
}

/* What is of no use alone: the others that it needs. */
static void give_companions(struct world *w, enum setting setting)
{
    static const enum setting files[] = {SETTING_tls_cert, SETTING_tls_key, SETTING_tls_client_ca};
    char text[WORD_BYTES];

    if (!str_starts(setting_info(setting)->name, S("tls_")) && setting != SETTING_gate_client_ca)
        return;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (files[i] == setting)
            continue;
        snprintf(text, sizeof text, "SALLYPORT_%s=/somewhere",
                 shout(w->arena, setting_info(files[i])->name, '_').p);
        give_variable(w, text);
    }
}

static void every_setting_can_be_set_by_flag_environment_and_file_and_is_shown(void **state)
{
    char text[WORD_BYTES];
    struct world w;

    (void)state;
    for (int s = 0; s < SETTINGS_END; s++) {
        enum setting setting = (enum setting)s;
        str name = setting_info(setting)->name;

        set_up_world(&w);
        snprintf(text, sizeof text, "%.*s = %s\n", STR_ARG(name), sample(setting));
        give_file(&w, text);
        give_companions(&w, setting);
        assert_shown(&w, setting, CONFIG_FILE);
        clean_up_world(&w);

        set_up_world(&w);
        snprintf(text, sizeof text, "SALLYPORT_%s=%s", shout(w.arena, name, '_').p,
                 sample(setting));
        give_variable(&w, text);
        give_companions(&w, setting);
        assert_shown(&w, setting, CONFIG_ENVIRONMENT);
        clean_up_world(&w);

        set_up_world(&w);
        snprintf(text, sizeof text, "--%s", shout(w.arena, name, '-').p);
        give_arg(&w, text);
        give_arg(&w, sample(setting));
        give_companions(&w, setting);
        assert_shown(&w, setting, CONFIG_FLAG);
        clean_up_world(&w);
    }
}

static void every_line_of_the_table_is_complete(void **state)
{
    (void)state;
    for (int s = 0; s < SETTINGS_END; s++) {
        const struct config_spec *spec = config_spec((enum setting)s);
        bool has_bounds = spec->kind != CONFIG_BOOL && spec->kind != CONFIG_CHOICE;
        assert_true(spec->info.unit.n > 0);
        assert_true(str_ends(spec->info.meaning, S(".")));
        assert_int_equal(spec->least.n > 0, has_bounds);
        assert_int_equal(spec->most.n > 0, has_bounds);
    }
}

/* One setting, through its flag. */
static void assert_flag(enum setting setting, const char *value, bool is_valid)
{
    char text[WORD_BYTES];
    struct world w;

    set_up_world(&w);
    snprintf(text, sizeof text, "--%s=%s", shout(w.arena, setting_info(setting)->name, '-').p,
             value);
    give_arg(&w, text);
    if (load(&w) != is_valid)
        flunk("%s is %s", text, is_valid ? w.problems.p : "taken");
    clean_up_world(&w);
}

static int64_t bound(const struct config_spec *spec, str text)
{
    int64_t value = strtoll(text.p, NULL, 10);

    if (spec->kind == CONFIG_DURATION)
        assert_true(duration_parse(text, &value));
    if (spec->kind == CONFIG_BYTES)
        assert_true(bytes_parse(text, &value));
    return value;
}

static void numbers_are_taken_up_to_their_bounds_and_not_past_them(void **state)
{
    static const char *const units[] = {
        [CONFIG_INT] = "", [CONFIG_DURATION] = "ms", [CONFIG_BYTES] = "B", [CONFIG_LIST] = NULL};
    char text[64];

    (void)state;
    for (int s = 0; s < SETTINGS_END; s++) {
        const struct config_spec *spec = config_spec((enum setting)s);
        const char *unit = units[spec->kind];

        if (!unit)
            continue;
        assert_flag((enum setting)s, spec->least.p, true);
        assert_flag((enum setting)s, spec->most.p, true);
        snprintf(text, sizeof text, "%" PRId64 "%s", bound(spec, spec->most) + 1, unit);
        assert_flag((enum setting)s, text, false);
        snprintf(text, sizeof text, "%" PRId64 "%s", bound(spec, spec->least) - 1, unit);
        assert_flag((enum setting)s, text, false);
    }
}

static void what_is_no_number_time_or_size_is_refused(void **state)
{
    static const char *const texts[] = {
        "", "x", "1.5", "-1", "+1", "0x10", "1e3", "1 2", "99999999999999999999"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_flag(SETTING_workers, texts[i], false);
        assert_flag(SETTING_head_timeout, texts[i], false);
        assert_flag(SETTING_body_memory, texts[i], false);
    }
    assert_flag(SETTING_workers, "10s", false);
    assert_flag(SETTING_head_timeout, "10", false);
    assert_flag(SETTING_head_timeout, "10 s", false);
    assert_flag(SETTING_head_timeout, "10S", false);
    assert_flag(SETTING_body_memory, "16MB", false);
}

static void texts_have_the_form_of_what_they_are_for(void **state)
{
    static const struct {
        enum setting setting;
        const char *text;
        bool is_valid;
    } cases[] = {
        {SETTING_listen, "localhost:8080", true},
        {SETTING_listen, "0.0.0.0:0", true},
        {SETTING_listen, "8080", false},
        {SETTING_listen, ":8080", false},
        {SETTING_listen, "127.0.0.1", false},
        {SETTING_listen, "127.0.0.1:", false},
        {SETTING_listen, "127.0.0.1:65536", false},
        {SETTING_listen, "127.0.0.256:80", false},
        {SETTING_listen, "::1:8080", false},
        {SETTING_listen, "[127.0.0.1]:80", false},
        {SETTING_listen, "", false},
        {SETTING_public_url, "", true},
        {SETTING_public_url, "http://localhost:8080/", true},
        {SETTING_public_url, "https://[::1]:8443", true},
        {SETTING_public_url, "api.example.org", false},
        {SETTING_public_url, "ftp://api.example.org", false},
        {SETTING_public_url, "https://", false},
        {SETTING_public_url, "https://a/b", false},
        {SETTING_public_url, "https://a?b", false},
        {SETTING_public_url, "https://user@a", false},
        {SETTING_database_url, "sqlite:", false},
        {SETTING_database_url, "var/sallyport.db", false},
        {SETTING_database_url, "postgresql://localhost/x", true},
        {SETTING_database_url, "postgresql://", false},
        {SETTING_database_url, "postgres://localhost/x", false},
        {SETTING_environment, "", false},
        {SETTING_environment, "\"production\"", false},
        {SETTING_environment, "pre prod", false},
        {SETTING_admin_email, "", true},
        {SETTING_admin_email, "nobody", false},
        {SETTING_admin_password, "", true},
        {SETTING_api_vendor, "a/b", false},
        {SETTING_trusted_proxies, "", true},
        {SETTING_trusted_proxies, " 10.0.0.0/8\t,, ::1 ", true},
        {SETTING_trusted_proxies, "10.0.0.0/33", false},
        {SETTING_trusted_proxies, "localhost", false},
        {SETTING_outbound_allow, "localhost 10.0.0.1 fd00::/8", true},
        {SETTING_outbound_allow, "https://hooks.internal", false},
        {SETTING_outbound_allow, "10.0.0.0/33", false},
        {SETTING_outbound_allow, "0x7f.1", false},
        {SETTING_log_level, "INFO", false},
        {SETTING_log_level, "", false},
        {SETTING_api_version_required, "yes", false},
        {SETTING_api_version_required, "", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_flag(cases[i].setting, cases[i].text, cases[i].is_valid);
}

static void texts_and_secrets_end_at_their_length(void **state)
{
    char text[200];
    struct world w;

    (void)state;
    memset(text, 'a', sizeof text);
    memcpy(text, "control_socket=", 15);
    text[15 + 107] = '\0';
    set_up_world(&w);
    give_file(&w, text);
    assert_fit(&w);
    text[15 + 107] = 'a';
    text[15 + 108] = '\0';
    give_file(&w, text);
    assert_refused(&w, "control_socket", "0 to 107 bytes");
    clean_up_world(&w);
}

/* ---- what follows from the settings ---- */

static struct world *world_of(const char *arg)
{
    static struct world w;

    if (w.arena)
        clean_up_world(&w);
    set_up_world(&w);
    give_arg(&w, arg);
    assert_fit(&w);
    return &w;
}

static void only_production_makes_live_keys(void **state)
{
    (void)state;
    assert_str(world_of("--environment=production")->config.key_environment, "live");
    assert_str(world_of("--environment=Production")->config.key_environment, "test");
    assert_str(world_of("--environment=staging")->config.key_environment, "test");
}

static void listen_is_taken_apart(void **state)
{
    const struct config *c = &world_of("--listen=[::1]:9000")->config;

    (void)state;
    assert_str(c->listen_host, "::1");
    assert_int_equal(c->listen_port, 9000);
}

static void public_url_is_an_origin(void **state)
{
    (void)state;
    assert_str(world_of("--public-url=HTTPS://API.example.org:443/")->config.public_url,
               "https://api.example.org");
    assert_true(world_of("--public-url=https://a")->config.public_url_is_https);
    assert_str(world_of("--public-url=http://a:80")->config.public_url, "http://a");
    assert_str(world_of("--public-url=http://a:443")->config.public_url, "http://a:443");
    assert_str(world_of("--listen=127.0.0.1:9000")->config.public_url, "http://127.0.0.1:9000");
    assert_str(world_of("--listen=0.0.0.0:9000")->config.public_url, "http://localhost:9000");
    assert_str(world_of("--listen=[::]:9000")->config.public_url, "http://localhost:9000");
}

static void with_a_certificate_public_url_is_https_and_a_key_is_needed(void **state)
{
    struct world w;

    (void)state;
    set_up_world(&w);
    give_arg(&w, "--tls-cert=c");
    give_arg(&w, "--tls-key=k");
    give_arg(&w, "--listen=0.0.0.0:9000");
    assert_fit(&w);
    assert_str(w.config.public_url, "https://localhost:9000");
    assert_true(w.config.public_url_is_https);
    clean_up_world(&w);

    set_up_world(&w);
    give_arg(&w, "--tls-cert=c");
    assert_refused(&w, "tls_key", "is missing");
    clean_up_world(&w);
    set_up_world(&w);
    give_arg(&w, "--tls-key=k");
    assert_refused(&w, "tls_cert", "is missing");
    clean_up_world(&w);
    set_up_world(&w);
    give_arg(&w, "--tls-cert=c");
    give_arg(&w, "--tls-key=k");
    give_arg(&w, "--tls-client-certificates=required");
    assert_refused(&w, "tls_client_ca", "is missing");
    clean_up_world(&w);
}

static void a_password_in_a_url_is_not_shown(void **state)
{
    static const struct {
        const char *flag, *shown;
    } cases[] = {
        {"--database-url=postgresql://h/d", "postgresql://h/d"},
        {"--database-url=postgresql://u@h/d", "postgresql://u@h/d"},
        {"--database-url=postgresql://u:p%40ss@h:5432/d?sslmode=require",
         "postgresql://u:***@h:5432/d?sslmode=require"},
        {"--database-url=postgresql:///d?password=x&user=u&sslpassword=y",
         "postgresql:///d?password=***&user=u&sslpassword=***"},
        {"--database-url=sqlite:a@b:c.db", "sqlite:a@b:c.db"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world *w = world_of(cases[i].flag);
        assert_str(config_value_text(w->arena, &w->config, SETTING_database_url), cases[i].shown);
    }
}

static void the_control_socket_is_beside_the_database(void **state)
{
    (void)state;
    assert_str(world_of("--database-url=sqlite:/srv/a/b.db")->config.control_socket,
               "/srv/a/sallyport.sock");
    assert_str(world_of("--database-url=sqlite:b.db")->config.control_socket, "sallyport.sock");
    assert_str(world_of("--database-url=postgresql://h/a/b")->config.control_socket,
               "sallyport.sock");
    assert_str(world_of("--database-url=sqlite:/srv/a/b.db")->config.key_file,
               "/srv/a/instance.key");
    assert_str(world_of("--key-file=k")->config.key_file, "k");
    assert_str(world_of("--control-socket=x.sock")->config.control_socket, "x.sock");
}

static void a_control_socket_that_cannot_be_bound_is_a_problem(void **state)
{
    char text[WORD_BYTES];
    struct world w;

    (void)state;
    snprintf(text, sizeof text, "--database-url=sqlite:/%0120d/b.db", 0);
    set_up_world(&w);
    give_arg(&w, text);
    assert_refused(&w, "control_socket", "shorter");
    clean_up_world(&w);
}

static void trusted_proxies_are_blocks(void **state)
{
    const struct config *c = &world_of("--trusted-proxies=10.0.0.0/8 ::1,192.0.2.1")->config;
    struct net_addr addr;

    (void)state;
    assert_int_equal(c->n_proxies, 3);
    assert_true(net_addr_parse(S("10.9.9.9"), &addr));
    assert_true(net_cidrs_have(c->proxies, c->n_proxies, &addr));
    assert_true(net_addr_parse(S("192.0.2.2"), &addr));
    assert_false(net_cidrs_have(c->proxies, c->n_proxies, &addr));
}

static void the_log_is_text_on_a_terminal_unless_told_otherwise(void **state)
{
    struct world w;

    (void)state;
    set_up_world(&w);
    assert_fit(&w);
    assert_true(w.config.log_is_json);
    w.stderr_is_terminal = true;
    assert_fit(&w);
    assert_false(w.config.log_is_json);
    give_variable(&w, "SALLYPORT_LOG_FORMAT=json");
    assert_fit(&w);
    assert_true(w.config.log_is_json);
    clean_up_world(&w);
}

static void as_json_every_setting_is_there_and_no_secret(void **state)
{
    struct world *w = world_of("--admin-password=hunter2hunter2");
    struct cx cx = {.arena = w->arena};
    json_t *value = NULL;
    struct buf out;

    (void)state;
    buf_init(&out, 1 << 20);
    config_write_json(w->arena, &w->config, &out);
    assert_int_equal(json_read(&cx, buf_str(&out), &value), E_OK);
    assert_int_equal(json_array_size(json_object_get(value, "settings")), SETTINGS_END);
    assert_null(memmem(out.p, out.n, "hunter2", 7));
    json_drop(&value);
    buf_drop(&out);
}

/* ---- units, near ---- */

static void what_is_written_with_a_unit_reads_back(void **state)
{
    struct chance c = chance_new("units");
    char text[UNITS_TEXT_BYTES];
    int64_t got = 0;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        int64_t value = (int64_t)chance_below(&c, UINT64_C(1) << chance_below(&c, 36));
        size_t n = duration_write(value, text);
        assert_true(duration_parse((str){text, n}, &got));
        assert_int_equal(got, value);
        n = bytes_write(value, text);
        assert_true(bytes_parse((str){text, n}, &got));
        assert_int_equal(got, value);
    }
}

static void the_largest_whole_unit_is_written(void **state)
{
    char text[UNITS_TEXT_BYTES];

    (void)state;
    assert_str((str){text, duration_write(90 * INT64_C(86400000), text)}, "90d");
    assert_str((str){text, duration_write(75000, text)}, "75s");
    assert_str((str){text, duration_write(1500, text)}, "1500ms");
    assert_str((str){text, duration_write(0, text)}, "0ms");
    assert_str((str){text, bytes_write(3 << 20, text)}, "3MiB");
    assert_str((str){text, bytes_write(1025, text)}, "1025B");
}

static str nearest(const char *wanted)
{
    struct near near;

    near_init(&near, str_of(wanted));
    near_try(&near, S("listen"));
    near_try(&near, S("log_level"));
    near_try(&near, S("log_format"));
    near_try(&near, S("keys"));
    return near.best;
}

static void a_near_name_is_suggested_and_a_far_one_is_not(void **state)
{
    (void)state;
    assert_str(nearest("lisetn"), "listen");
    assert_str(nearest("LISTEN"), "listen");
    assert_str(nearest("loglevel"), "log_level");
    assert_str(nearest("log_fromat"), "log_format");
    assert_str(nearest("key"), "keys");
    assert_true(str_is_none(nearest("serve")));
    assert_true(str_is_none(nearest("")));
}

/* ---- issuers ---- */

static void issuers_come_from_sections_and_variables_and_variables_go_first(void **state)
{
    struct world w;

    (void)state;
    set_up_world(&w);
    give_file(&w, "workers = 7\n[issuer clerk]\r\nkind = clerk\nissuer = https://file.test\r\n"
                  "authorized_parties = https://a.test, https://b.test\nleeway = 0s\n"
                  "[issuer my-sso]\nissuer=http://[::1]:80/realm\naudience = x\n"
                  "role_claim = a.b\nrole_map = org:x:ADMIN\n");
    give_variable(&w, "SALLYPORT_ISSUER_CLERK_ISSUER=https://variable.test");
    give_variable(&w, "SALLYPORT_ISSUER_MY_SSO_EMPLOYER_CLAIM=o.id");
    give_variable(&w, "SALLYPORT_ISSUER_THIRD_ISSUER=https://third.test");
    give_variable(&w, "SALLYPORT_ISSUER_THIRD_AUDIENCE=y");
    assert_fit(&w);
    assert_int_equal(w.config.workers, 7);
    assert_int_equal(w.config.n_issuers, 3);
    const struct config_issuer *clerk = &w.config.issuers[0];
    assert_str(clerk->name, "clerk");
    assert_str(clerk->issuer, "https://variable.test");
    assert_int_equal(clerk->sources[ISSUER_SETTING_issuer], CONFIG_ENVIRONMENT);
    assert_int_equal(clerk->authorized_parties.n, 2);
    assert_int_equal(clerk->leeway_ms, 0);
    assert_str(clerk->algorithms.texts[0], "RS256");
    assert_str(w.config.issuers[1].name, "my-sso");
    assert_str(w.config.issuers[1].employer_claim, "o.id");
    assert_int_equal(w.config.issuers[1].leeway_ms, 5000);
    assert_str(w.config.issuers[2].name, "third");
    clean_up_world(&w);
}

static void every_bad_setting_of_an_issuer_is_named(void **state)
{
    struct world w;

    (void)state;
    set_up_world(&w);
    give_file(&w, "[issuer a]\nissuer = http://example.test\nalgorithms = RS256, HS256\n"
                  "role_map = admin\nleeway = 2m\nkind = saml\nissuers = x\nworkers = 7\n"
                  "create_users = yes\naudience = \"x\"\nemployer = e\nemployer = f\n"
                  "[issuer Two Words]\nkind = nonsense\n[issuer ]\n[issuer b\n");
    give_variable(&w, "SALLYPORT_ISSUER_C_COLOUR=red");
    give_variable(&w, "SALLYPORT_ISSUER_ISSUER=red");
    assert_refused(&w, "issuer.a.issuer = \"http://example.test\"", "must be an https:// URL",
                   "issuer.a.algorithms", "\"HS256\" is none of them", "issuer.a.role_map",
                   "\"admin\" is none", "issuer.a.leeway", "from 0s to 1m", "issuer.a.kind",
                   "must be clerk or oidc", ":7", "is not a setting of an issuer", ":8",
                   "belongs above the first section", "issuer.a.create_users", ":10", "quotes",
                   "issuer.a.employer = \"f\"", "given twice", "[issuer Two Words]",
                   "lower-case letters", "[issuer ]", "[issuer b", "sections are [issuer NAME]",
                   "SALLYPORT_ISSUER_C_COLOUR", "SALLYPORT_ISSUER_ISSUER");
    assert_null(memmem(w.problems.p, w.problems.n, "nonsense", 8));
    clean_up_world(&w);
}

static void what_an_issuer_lacks_is_named(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"[issuer a]\naudience = x\n", "issuer.a.issuer"},
        {"[issuer a]\nissuer = https://a.test\n", "issuer.a.authorized_parties"},
        {"[issuer a]\nissuer = https://a.test\naudience = x\nrole_claim = r\n",
         "issuer.a.role_map"},
        {"[issuer a]\nissuer = https://a.test\naudience = x\npem_file = /nowhere/at/all\n",
         "cannot be read: No such file"},
        {"[issuer a]\nissuer = https://a.test\naudience = x\npem_file = /dev/null\n",
         "holds no key"},
        {"[issuer a]\nissuer = https://a.test\naudience = x\npem_file = /x\n"
         "jwks_url = https://a.test/keys\n",
         "beside jwks_url"},
        {"[issuer a]\nissuer = https://a.test\naudience = x\n"
         "[issuer b]\nissuer = https://a.test\naudience = x\n",
         "each must have its own"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        set_up_world(&w);
        give_file(&w, cases[i].text);
        assert_refused(&w, cases[i].says);
        clean_up_world(&w);
    }
}

static void seventeen_issuers_are_one_too_many(void **state)
{
    struct world w;
    char text[2048];
    size_t n = 0;

    (void)state;
    set_up_world(&w);
    for (int i = 0; i < 17; i++)
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "[issuer i%d]\nissuer = https://%d.test\naudience = x\n", i, i);
    give_file(&w, text);
    assert_refused(&w, "[issuer i16]", "16 can be configured");
    clean_up_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_anything_the_defaults_hold),
        cmocka_unit_test(a_flag_beats_the_environment_beats_the_file_beats_the_default),
        cmocka_unit_test(flags_are_taken_out_and_other_words_stay_in_order),
        cmocka_unit_test(after_two_dashes_nothing_is_a_setting),
        cmocka_unit_test(a_flag_without_its_value_is_a_problem),
        cmocka_unit_test(a_setting_given_twice_in_one_place_is_a_problem),
        cmocka_unit_test(a_missing_default_file_is_no_problem_a_missing_named_one_is),
        cmocka_unit_test(the_named_file_is_read),
        cmocka_unit_test(a_folder_is_no_settings_file),
        cmocka_unit_test(comments_blank_lines_spaces_and_line_ends_of_windows_are_fine),
        cmocka_unit_test(everything_after_the_equals_sign_is_the_value),
        cmocka_unit_test(bad_lines_are_named_by_their_number),
        cmocka_unit_test(long_lines_and_nul_bytes_are_refused_not_cut),
        cmocka_unit_test(an_unknown_variable_is_a_problem_and_its_value_is_not_shown),
        cmocka_unit_test(variables_of_tests_and_scripts_are_allowed),
        cmocka_unit_test(a_variable_in_small_letters_is_unknown),
        cmocka_unit_test(all_problems_are_told_at_once),
        cmocka_unit_test(a_secret_is_never_shown_in_a_problem),
        cmocka_unit_test(what_is_shown_cannot_steer_a_terminal),
        cmocka_unit_test(passwords_are_wiped_from_flags_and_environment),
        cmocka_unit_test(passwords_are_wiped_where_settings_are_refused_too),
        cmocka_unit_test(every_setting_can_be_set_by_flag_environment_and_file_and_is_shown),
        cmocka_unit_test(every_line_of_the_table_is_complete),
        cmocka_unit_test(numbers_are_taken_up_to_their_bounds_and_not_past_them),
        cmocka_unit_test(what_is_no_number_time_or_size_is_refused),
        cmocka_unit_test(texts_have_the_form_of_what_they_are_for),
        cmocka_unit_test(texts_and_secrets_end_at_their_length),
        cmocka_unit_test(only_production_makes_live_keys),
        cmocka_unit_test(listen_is_taken_apart),
        cmocka_unit_test(public_url_is_an_origin),
        cmocka_unit_test(with_a_certificate_public_url_is_https_and_a_key_is_needed),
        cmocka_unit_test(a_password_in_a_url_is_not_shown),
        cmocka_unit_test(the_control_socket_is_beside_the_database),
        cmocka_unit_test(a_control_socket_that_cannot_be_bound_is_a_problem),
        cmocka_unit_test(trusted_proxies_are_blocks),
        cmocka_unit_test(the_log_is_text_on_a_terminal_unless_told_otherwise),
        cmocka_unit_test(as_json_every_setting_is_there_and_no_secret),
        cmocka_unit_test(what_is_written_with_a_unit_reads_back),
        cmocka_unit_test(the_largest_whole_unit_is_written),
        cmocka_unit_test(a_near_name_is_suggested_and_a_far_one_is_not),
        cmocka_unit_test(issuers_come_from_sections_and_variables_and_variables_go_first),
        cmocka_unit_test(every_bad_setting_of_an_issuer_is_named),
        cmocka_unit_test(what_an_issuer_lacks_is_named),
        cmocka_unit_test(seventeen_issuers_are_one_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
