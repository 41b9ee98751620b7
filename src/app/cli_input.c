/* What a command reads beside its words: a password, a file. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "app/cli.h"
#include "app/file.h"
#include "base/banned.h"
#include "crypto/random.h"

/* 32 characters that are not mistaken for each other; a byte chooses one without bias. */
static const char password_alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

void cli_make_password(struct secret *out)
{
    char text[CLI_PASSWORD_BYTES];

    random_bytes(text, sizeof text);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = password_alphabet[(unsigned char)text[i] % 32];
    secret_take(out, text, sizeof text);
}

/* A terminal that does not echo, until it is given back; Ctrl-C ends the read, not the process. */
struct quiet_terminal {
    bool is_one; /* else standard input is a pipe or a file */
    struct termios before;
    struct sigaction on_interrupt;
};

static void ignore_signal(int number)
{
    (void)number;
}

static void take_terminal(struct quiet_terminal *terminal)
{
    struct sigaction wake = {.sa_handler = ignore_signal}; /* without SA_RESTART */

    terminal->is_one = tcgetattr(STDIN_FILENO, &terminal->before) == 0;
    if (!terminal->is_one)
        return;
    struct termios quiet = terminal->before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    sigaction(SIGINT, &wake, &terminal->on_interrupt);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    fputs("Password: ", stderr);
}

static void give_terminal_back(const struct quiet_terminal *terminal)
{
    if (!terminal->is_one)
        return;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal->before);
    sigaction(SIGINT, &terminal->on_interrupt, NULL);
    fputs("\n", stderr);
}

/* What comes through a pipe may have no end of line. */
static bool read_line(struct buf *line)
{
    for (;;) {
        char *room = buf_room(line, 1);
        ssize_t n = room ? read(STDIN_FILENO, room, 1) : -1;
        if (n < 0)
            return false;
        if (n == 0 || *room == '\n')
            return true;
        buf_grown(line, 1);
    }
}

bool cli_read_password(struct secret *out)
{
    struct quiet_terminal terminal;
    struct buf line;

    buf_init(&line, SECRET_MAX_BYTES);
    take_terminal(&terminal);
    bool is_read = read_line(&line);
    give_terminal_back(&terminal);
    str text = buf_str(&line);
    if (str_ends(text, S("\r")))
        text.n--;
    bool is_fit = is_read && text.n > 0 && secret_set(out, text);
    buf_drop(&line);
    return is_fit;
}

bool cli_read_file(struct arena *arena, str path, struct buf *out, str *why)
{
    bool is_stdin = str_eq(path, S("-"));
    int fd = is_stdin ? STDIN_FILENO : open(arena_dup(arena, path).p, O_RDONLY | O_CLOEXEC);
    bool is_read = fd >= 0 && file_read(fd, out);

    if (!is_read)
        *why = arena_printf(arena, "%.*s cannot be read: %s", STR_ARG(path), strerror(errno));
    if (fd >= 0 && !is_stdin)
        close(fd);
    return is_read;
}
