/* Employers and users, told to people. */
#include "app/cli_show.h"
#include "base/banned.h"

/* ---- employers ---- */

static struct cell approved_cell(const json_t *employer)
{
    bool is_approved = json_is_true(json_object_get(employer, "isApproved"));

    return is_approved ? (struct cell){S("yes"), TINT_GOOD} : (struct cell){S("no"), TINT_BAD};
}

static void employers_row(struct cli_show *show, const json_t *employer, struct cell *cells)
{
    cells[0] = plain(show_text(employer, "id"));
    cells[1] = show_status(employer);
    cells[2] = approved_cell(employer);
    cells[3] = plain(show_time(show, employer, "createdAt", ""));
    cells[4] = plain(show_text(employer, "name"));
}

void cli_show_employers(struct cli_show *show, const json_t *answer)
{
    static const struct show_list list = {"employers",
                                          "There are no employers yet.\n"
                                          "Add one: sallyport employers create --name NAME\n",
                                          {"ID", "STATUS", "APPROVED", "CREATED", "NAME"},
                                          employers_row};

    show_list(show, answer, &list);
}

static void put_employer(struct cli_show *show, const char *done, const json_t *answer)
{
    show_done(show, done, show_text(answer, "name"));
    show_facts(show, (const struct fact[]){{"id", plain(show_text(answer, "id"))},
                                           {"status", show_status(answer)},
                                           {"approved", approved_cell(answer)},
                                           {0}});
}

void cli_show_new_employer(struct cli_show *show, const json_t *answer)
{
    put_employer(show, "Added the employer", answer);
}

void cli_show_changed_employer(struct cli_show *show, const json_t *answer)
{
    put_employer(show, "Changed the employer", answer);
}

/* ---- users ---- */

static void users_row(struct cli_show *show, const json_t *user, struct cell *cells)
{
    cells[0] = plain(show_text(user, "id"));
    cells[1] = show_status(user);
    cells[2] = plain(show_text(user, "role"));
    cells[3] = plain(show_text(user, "employerId"));
    cells[4] = plain(show_time(show, user, "createdAt", ""));
    cells[5] = plain(show_text(user, "email"));
}

void cli_show_users(struct cli_show *show, const json_t *answer)
{
    static const struct show_list list = {
        "users",
        "There are no users yet.\n"
        "Add one: sallyport users create --email EMAIL --role ADMIN\n",
        {"ID", "STATUS", "ROLE", "EMPLOYER", "CREATED", "EMAIL"},
        users_row};

    show_list(show, answer, &list);
}

static void put_user(struct cli_show *show, const char *done, const json_t *answer)
{
    show_done(show, done, show_text(answer, "email"));
    show_facts(show, (const struct fact[]){{"id", plain(show_text(answer, "id"))},
                                           {"status", show_status(answer)},
                                           {"role", plain(show_text(answer, "role"))},
                                           {"employer", plain(show_text(answer, "employerId"))},
                                           {0}});
}

void cli_show_changed_user(struct cli_show *show, const json_t *answer)
{
    put_user(show, "Changed the user", answer);
}

void cli_show_new_user(struct cli_show *show, const json_t *answer)
{
    put_user(show, "Added the user", answer);
    if (!show->made_up)
        return;
    buf_put(show->out, S("\nThe password is shown only now; pass it on, it is not kept:\n\n  "));
    put_tinted(show->out, secret_reveal(show->made_up), TINT_BOLD, show->is_coloured);
    buf_put_byte(show->out, '\n');
}

void cli_show_reset_link(struct cli_show *show, const json_t *answer)
{
    str until = show_time(show, answer, "expiresAt", "");

    show_done(show, "Made a link for the user", show_text(answer, "userId"));
    buf_put(show->out, S("\n  "));
    put_tinted(show->out, show_text(answer, "url"), TINT_BOLD, show->is_coloured);
    buf_printf(show->out,
               "\n\nIt is shown only now: hand it to them. With it they set a new password, once, "
               "until %.*s.\nUntil then the present password goes on working.\n",
               STR_ARG(until));
}

static void sessions_row(struct cli_show *show, const json_t *session, struct cell *cells)
{
    cells[0] = plain(show_text(session, "id"));
    cells[1] = plain(show_time(show, session, "createdAt", ""));
    cells[2] = plain(show_time(show, session, "expiresAt", ""));
    cells[3] = plain(show_text(session, "address"));
    cells[4] = plain(show_text(session, "userAgent"));
}

void cli_show_sessions(struct cli_show *show, const json_t *answer)
{
    static const struct show_list list = {"sessions",
                                          "They are not signed in.\n",
                                          {"ID", "SIGNED IN", "ENDS", "ADDRESS", "USER AGENT"},
                                          sessions_row};

    show_list(show, answer, &list);
}

void cli_show_signed_out(struct cli_show *show, const json_t *answer)
{
    str session = cli_value(show->args, "session");

    (void)answer;
    show_done(show, str_is_none(session) ? "Ended all sessions of the user" : "Ended the session",
              str_is_none(session) ? show->args->argument : session);
}

void cli_show_deactivated(struct cli_show *show, const json_t *answer)
{
    show_done(show, "Deactivated the user", show_text(answer, "email"));
    buf_put(show->out, S("Their sessions are ended and the keys they created are revoked.\n"));
}
