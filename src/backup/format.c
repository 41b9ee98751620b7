/* Header, rows, counts, trailer. */
#include "backup/format.h"

#include <inttypes.h>
#include <zlib.h>

#include "base/banned.h"
#include "base/json.h"
#include "base/time.h"

enum { NAME_MAX_BYTES = 128 };

static const char format_name[] = "sallyport backup";

static const char *const type_names[] = {
    [COLUMN_INT] = "int", [COLUMN_TEXT] = "text", [COLUMN_BLOB] = "blob"};

enum { N_TYPES = sizeof type_names / sizeof type_names[0] };

/* ---- header, written ---- */

static void put_table(struct json_out *j, const struct table *t)
{
    json_open_object(j, STR_NONE);
    json_put_text(j, S("name"), t->name);
    json_open_array(j, S("columns"));
    for (size_t i = 0; i < t->n_columns; i++) {
        json_open_object(j, STR_NONE);
        json_put_text(j, S("name"), t->columns[i].name);
        json_put_text(j, S("type"), str_of(type_names[t->columns[i].type]));
        json_close_object(j);
    }
    json_close_array(j);
    json_close_object(j);
}

void line_put_header(const struct header *header, struct buf *out)
{
    struct json_out j = {out};

    json_open_object(&j, STR_NONE);
    json_put_text(&j, S("format"), str_of(format_name));
    json_put_int(&j, S("version"), FORMAT_VERSION);
    json_put_int(&j, S("schema"), header->schema);
    json_put_text(&j, S("engine"), header->engine);
    json_put_time(&j, S("createdAt"), header->created_at_ms);
    json_put_text(&j, S("sallyport"), header->release);
    json_put_text(&j, S("instanceKeyId"), header->instance_key_id);
    json_open_array(&j, S("tables"));
    for (size_t i = 0; i < header->catalog.n_tables; i++)
        put_table(&j, &header->catalog.tables[i]);
    json_close_array(&j);
    json_close_object(&j);
}

/* ---- header, read ---- */

/* Texts of a header are shown to people and compared with names: short, and plain. */
static bool read_name(struct arena *arena, const json_t *value, str *out)
{
    str text = json_text(value);

    if (text.n == 0 || text.n > NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < ' ' || text.p[i] > '~')
            return false;
    *out = arena_dup(arena, text);
    return true;
}

static bool read_column(struct arena *arena, const json_t *value, struct column *out)
{
    str type = json_text(json_object_get(value, "type"));

    *out = (struct column){0};
    if (json_object_size(value) != 2 ||
        !read_name(arena, json_object_get(value, "name"), &out->name))
        return false;
    for (int i = 0; i < N_TYPES; i++)
        if (str_eq(type, str_of(type_names[i]))) {
            out->type = (enum column_type)i;
            return true;
        }
    return false;
}

static bool read_table(struct arena *arena, const json_t *value, struct table *out)
{
    const json_t *columns = json_object_get(value, "columns");

    *out = (struct table){.n_columns = json_array_size(columns)};
    if (json_object_size(value) != 2 || out->n_columns == 0 ||
        !read_name(arena, json_object_get(value, "name"), &out->name))
        return false;
    out->columns = arena_array(arena, out->n_columns, sizeof *out->columns);
    for (size_t i = 0; i < out->n_columns; i++)
        if (!read_column(arena, json_array_get(columns, i), &out->columns[i]))
            return false;
    return true;
}

static bool read_catalog(struct arena *arena, const json_t *tables, struct catalog *out)
{
    size_t n = json_array_size(tables);

    *out = (struct catalog){.tables = arena_array(arena, n, sizeof *out->tables)};
    if (!json_is_array(tables))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct table *t = &out->tables[i];
        if (!read_table(arena, json_array_get(tables, i), t) || catalog_find(out, t->name))
            return false;
        out->n_tables++;
    }
    return true;
}

static bool read_members(struct arena *arena, const json_t *json, struct header *out)
{
    const json_t *schema = json_object_get(json, "schema");
    const json_t *key = json_object_get(json, "instanceKeyId");

    *out = (struct header){.schema = json_integer_value(schema), .instance_key_id = STR_NONE};
    return json_object_size(json) == 8 && json_is_integer(schema) && out->schema > 0 &&
           read_name(arena, json_object_get(json, "engine"), &out->engine) &&
           time_parse(json_text(json_object_get(json, "createdAt")), &out->created_at_ms) &&
           read_name(arena, json_object_get(json, "sallyport"), &out->release) &&
           (json_is_null(key) || read_name(arena, key, &out->instance_key_id)) &&
           read_catalog(arena, json_object_get(json, "tables"), &out->catalog);
}

static enum err newer(struct cx *cx, const json_t *json)
{
    str release = STR_NONE;
    bool is_named = read_name(cx->arena, json_object_get(json, "sallyport"), &release);

    return fail(cx, E_INVALID_REQUEST, "was written by a newer sallyport%s%.*s: restore it with it",
                is_named ? ", " : "", STR_ARG(release));
}

enum err line_read_header(struct cx *cx, struct arena *arena, str line, struct header *out)
{
    DROP(json) json_t *json = NULL;

    if (line.n > HEADER_MAX_BYTES || json_read(cx, line, &json) != E_OK ||
        !str_eq(json_text(json_object_get(json, "format")), str_of(format_name)))
        return fail(cx, E_INVALID_REQUEST, "is no backup of sallyport");
    const json_t *version = json_object_get(json, "version");
    if (json_is_integer(version) && json_integer_value(version) > FORMAT_VERSION)
        return newer(cx, json);
    if (!json_is_integer(version) || json_integer_value(version) != FORMAT_VERSION ||
        !read_members(arena, json, out))
        return fail(cx, E_INVALID_REQUEST, "is damaged: its header is not one that was written");
    if (out->schema > schema_newest())
        return newer(cx, json);
    return E_OK;
}

/* ---- rows ---- */

struct bind value_null(enum column_type type)
{
    if (type == COLUMN_TEXT)
        return TEXT(STR_NONE);
    return type == COLUMN_BLOB ? BLOB(NULL, 0) : (struct bind){.kind = BIND_NULL};
}

static void put_blob(struct json_out *j, str bytes)
{
    char *room;

    json_put_raw(j, STR_NONE, S("\""));
    room = buf_room(j->out, 2 * bytes.n);
    if (room) {
        hex_write((const uint8_t *)bytes.p, bytes.n, room);
        buf_grown(j->out, 2 * bytes.n);
    }
    buf_put_byte(j->out, '"');
}

static void put_value(struct json_out *j, const struct bind *value)
{
    if (value->kind == BIND_INT)
        json_put_int(j, STR_NONE, value->number);
    else if (value->kind == BIND_NULL || str_is_none(value->bytes))
        json_put_null(j, STR_NONE);
    else if (value->kind == BIND_TEXT)
        json_put_text(j, STR_NONE, value->bytes);
    else
        put_blob(j, value->bytes);
}

void line_put_row(const struct table *table, const struct bind *values, struct buf *out)
{
    struct json_out j = {out};

    json_open_array(&j, STR_NONE);
    for (size_t i = 0; i < table->n_columns; i++)
        put_value(&j, &values[i]);
    json_close_array(&j);
}

/* Before a tree is made of it: a long line of ",,,," would be far longer as a tree. */
static size_t count_commas(str line)
{
    bool is_quoted = false;
    size_t n = 0;

    for (size_t i = 0; i < line.n; i++) {
        if (is_quoted && line.p[i] == '\\')
            i++;
        else if (line.p[i] == '"')
            is_quoted = !is_quoted;
        else if (!is_quoted && line.p[i] == ',')
            n++;
    }
    return n;
}

static bool read_blob(struct arena *arena, str hex, struct bind *out)
{
    char *bytes = arena_alloc(arena, hex.n / 2 + 1);

    if (hex.n % 2)
        return false;
    for (size_t i = 0; i < hex.n; i++) {
        int digit = hex_value(hex.p[i]);
        if (digit < 0)
            return false;
        bytes[i / 2] = (char)(i % 2 ? bytes[i / 2] | digit : digit << 4);
    }
    *out = BLOB(bytes, hex.n / 2);
    return true;
}

static bool read_value(struct arena *arena, enum column_type type, const json_t *value,
                       struct bind *out)
{
    *out = value_null(type);
    if (json_is_null(value))
        return true;
    if (type == COLUMN_INT) {
        *out = INT(json_integer_value(value));
        return json_is_integer(value);
    }
    if (!json_is_string(value))
        return false;
    if (type == COLUMN_BLOB)
        return read_blob(arena, json_text(value), out);
    *out = TEXT(arena_dup(arena, json_text(value)));
    return true;
}

bool line_read_row(struct cx *cx, struct arena *arena, const struct table *table, str line,
                   struct bind *values)
{
    DROP(json) json_t *json = NULL;

    if (count_commas(line) != table->n_columns - 1 || json_read(cx, line, &json) != E_OK ||
        json_array_size(json) != table->n_columns)
        return false;
    for (size_t i = 0; i < table->n_columns; i++)
        if (!read_value(arena, table->columns[i].type, json_array_get(json, i), &values[i]))
            return false;
    return true;
}

/* ---- counts and the trailer ---- */

void line_put_count(str table, int64_t rows, struct buf *out)
{
    struct json_out j = {out};

    json_open_object(&j, STR_NONE);
    json_put_text(&j, S("table"), table);
    json_put_int(&j, S("rows"), rows);
    json_close_object(&j);
}

static void put_le(struct buf *out, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        buf_put_byte(out, (char)(value >> 8 * i));
}

/* RFC 1952 section 2.3 around RFC 1951 section 3.2.4: each bit of it is known beforehand. */
static void put_member(struct buf *out, str text)
{
    buf_put(out, S("\x1f\x8b\x08\0\0\0\0\0\0\xff"));
    put_le(out, 1, 1);
    put_le(out, (uint32_t)text.n, 2);
    put_le(out, (uint32_t)~text.n, 2);
    buf_put(out, text);
    put_le(out, (uint32_t)crc32(0, (const Bytef *)text.p, (uInt)text.n), 4);
    put_le(out, (uint32_t)text.n, 4);
}

void line_put_trailer(int64_t tables, int64_t rows, const struct sha256 *digest, struct buf *out)
{
    char hex[2 * SHA256_BYTES];
    DROP(buf) struct buf line;
    struct json_out j = {&line};

    buf_init(&line, TRAILER_MAX_BYTES - MEMBER_FRAME_BYTES);
    hex_write(digest->bytes, SHA256_BYTES, hex);
    json_open_object(&j, STR_NONE);
    json_put_int(&j, S("tables"), tables);
    json_put_int(&j, S("rows"), rows);
    json_put_text(&j, S("sha256"), (str){hex, sizeof hex});
    json_close_object(&j);
    buf_put_byte(&line, '\n');
    put_member(out, buf_str(&line));
}

/* ---- one catalogue and another ---- */

static str table_fault(struct arena *arena, const struct table *file, const struct table *store)
{
    for (size_t i = 0; i < file->n_columns || i < store->n_columns; i++) {
        if (i >= store->n_columns)
            return arena_printf(arena, "it has the column %.*s of %.*s, which this schema has not",
                                STR_ARG(file->columns[i].name), STR_ARG(file->name));
        const struct column *wanted = &store->columns[i];
        if (i >= file->n_columns || !str_eq(file->columns[i].name, wanted->name) ||
            file->columns[i].type != wanted->type)
            return arena_printf(arena, "it has not the column %.*s of %.*s as this schema has it",
                                STR_ARG(wanted->name), STR_ARG(store->name));
    }
    return STR_NONE;
}

str catalog_fault(struct arena *arena, const struct catalog *file, const struct catalog *store)
{
    str fault = STR_NONE;

    for (size_t i = 0; i < file->n_tables && str_is_none(fault); i++) {
        const struct table *t = &file->tables[i];
        const struct table *same = catalog_find(store, t->name);
        fault = same ? table_fault(arena, t, same)
                     : arena_printf(arena, "it has the table %.*s, which this schema has not",
                                    STR_ARG(t->name));
    }
    for (size_t i = 0; i < store->n_tables && str_is_none(fault); i++)
        if (!catalog_find(file, store->tables[i].name))
            fault =
                arena_printf(arena, "it has not the table %.*s", STR_ARG(store->tables[i].name));
    return fault;
}
