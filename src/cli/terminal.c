#include "cli/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/args.h"

static struct {
    bool out, err; /* colour on stdout, on stderr */
    bool live;     /* the last line of stderr is the live one */
} terminal;

bool cli_is_terminal(FILE *stream) { return isatty(fileno(stream)); }

bool cli_utf8(void) { return strcmp(nl_langinfo(CODESET), "UTF-8") == 0; }

int cli_columns(FILE *stream)
{
    struct winsize size = { 0 };
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return 80;
    return size.ws_col;
}

static bool set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

static bool colour_of(FILE *stream)
{
    const char *term = getenv("TERM");
    if (set("NO_COLOR")) return false;
    if (set("CLICOLOR_FORCE") || set("FORCE_COLOR")) return true;
    return cli_is_terminal(stream) && !(term && strcmp(term, "dumb") == 0);
}

strata_status cli_terminal_begin(const char *when)
{
    if (!when || strcmp(when, "auto") == 0) {
        terminal.out = colour_of(stdout);
        terminal.err = colour_of(stderr);
    } else if (strcmp(when, "always") == 0 || strcmp(when, "never") == 0) {
        terminal.out = terminal.err = when[0] == 'a';
    } else {
        return cli_fail(STRATA_BAD_ARG, "--color wants auto, always or never, got '%s'", when);
    }
    return STRATA_OK;
}

const char *cli_style_begin(FILE *stream, cli_style style)
{
    static const char *const codes[] = { "", "\033[1m", "\033[31m", "\033[32m", "\033[2m" };
    return (stream == stdout ? terminal.out : terminal.err) ? codes[style] : "";
}

const char *cli_style_end(FILE *stream)
{
    return (stream == stdout ? terminal.out : terminal.err) ? "\033[0m" : "";
}

/* ---- Lines ------------------------------------------------------------------------------------- */

void cli_live_clear(void)
{
    if (terminal.live) fputs("\r\033[K", stderr);
    terminal.live = false;
}

/* Bytes of the first `columns` characters of a text of narrow characters; escapes take no column. */
static int cut(const char *s, int columns)
{
    int bytes = 0;
    while (s[bytes]) {
        const bool escape = s[bytes] == '\033';
        if (!escape && ((unsigned char)s[bytes] & 0xc0) != 0x80 && columns-- == 0) break;
        if (escape) bytes += (int)strcspn(s + bytes, "m");
        bytes += s[bytes] != '\0';
    }
    return bytes;
}

void cli_live(const char *text)
{
    fprintf(stderr, "\r\033[K%.*s", cut(text, cli_columns(stderr) - 1), text);
    fflush(stderr);
    terminal.live = true;
}

void cli_note(const char *format, ...)
{
    va_list values;
    cli_live_clear();
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
}

void cli_note_lines(const char *lines)
{
    cli_live_clear();
    fputs(lines, stderr);
}

void cli_complain(void)
{
    fflush(stdout); /* what came before it stands before it where both are one */
    cli_note("%sstrata:%s %s", cli_style_begin(stderr, CLI_RED), cli_style_end(stderr), cli_message());
}

strata_status cli_check_output(void)
{
    const int flags = fcntl(STDOUT_FILENO, F_GETFL);
    if (flags != -1 && (flags & O_ACCMODE) != O_RDONLY) return STRATA_OK;
    return cli_fail(STRATA_FILE, "standard output: %s", strerror(EBADF));
}

strata_status cli_flush(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return STRATA_OK;
    /* Of an earlier line the reason is gone. */
    return cli_fail(STRATA_FILE, "standard output: %s",
                    errno ? strerror(errno) : "not all of it could be written");
}

/* ---- Numbers for people ---------------------------------------------------------------------------- */

cli_text cli_bytes(unsigned long long bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    cli_text text;
    double v = (double)bytes;
    int unit = 0;
    while (v >= 1024 && unit < 6) v /= 1024, unit++;
    snprintf(text.s, sizeof text.s, v < 10 && v != floor(v) ? "%.1f %s" : "%.0f %s", v, units[unit]);
    return text;
}

cli_text cli_count(double n)
{
    cli_text text;
    const char *unit = n >= 999.5e6 ? "G" : n >= 999.5e3 ? "M" : n >= 999.5 ? "k" : "";
    const double v = n / (n >= 999.5e6 ? 1e9 : n >= 999.5e3 ? 1e6 : n >= 999.5 ? 1e3 : 1);
    snprintf(text.s, sizeof text.s, v < 99.95 && *unit ? "%.1f%s" : "%.0f%s", v, unit);
    return text;
}

cli_text cli_time(double seconds)
{
    cli_text text;
    const unsigned long s = seconds > 0 && seconds < 1e9 ? (unsigned long)(seconds + 0.5) : 0;
    if (s >= 3600)
        snprintf(text.s, sizeof text.s, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text.s, sizeof text.s, "%lu:%02lu", s / 60, s % 60);
    return text;
}

cli_text cli_share(double share)
{
    cli_text text = { "-" };
    if (isfinite(share)) snprintf(text.s, sizeof text.s, "%.1f %%", 100 * share);
    return text;
}

/* ---- JSON ------------------------------------------------------------------------------------------- */

/* Bytes of the UTF-8 character that begins here; 0: none does. */
static size_t character(const unsigned char *s)
{
    const size_t n = s[0] < 0x80                   ? 1
                     : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
                     : (s[0] & 0xf0) == 0xe0       ? 3
                     : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                                   : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90)) return 0; /* too long a form */
    if ((s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f)) return 0; /* no character's number */
    return n;
}

void cli_json_text(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    putchar('"');
    while (*s) {
        const size_t n = character(s);
        if (n == 0)
            fputs("\\ufffd", stdout);
        else if (*s == '"' || *s == '\\')
            printf("\\%c", *s);
        else if (*s < 0x20 || *s == 0x7f)
            printf("\\u%04x", *s);
        else
            fwrite(s, 1, n, stdout);
        s += n ? n : 1;
    }
    putchar('"');
}

void cli_json_number(double v)
{
    if (isfinite(v))
        printf("%.17g", v);
    else
        fputs("null", stdout);
}

void cli_json_key(const char *key, bool first)
{
    if (!first) fputs(", ", stdout);
    cli_json_text(key);
    fputs(": ", stdout);
}
