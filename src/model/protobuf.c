/* Protocol Buffers' wire format: https://protobuf.dev/programming-guides/encoding/ */
#include "model/protobuf.h"

#include <string.h>

enum { VARINT = 0, LENGTH = 2, FIXED32 = 5 };

static void put_varint(strata_text *t, uint64_t value)
{
    char bytes[10];
    size_t n = 0;
    for (; value > 127; value >>= 7) bytes[n++] = (char)(value | 128);
    bytes[n++] = (char)value;
    strata_text_append(t, bytes, n);
}

static void put_tag(strata_text *t, uint32_t field, uint32_t kind)
{
    put_varint(t, (uint64_t)field << 3 | kind);
}

void strata_proto_int(strata_text *t, uint32_t field, int64_t value)
{
    put_tag(t, field, VARINT);
    put_varint(t, (uint64_t)value);
}

void strata_proto_float(strata_text *t, uint32_t field, float value)
{
    put_tag(t, field, FIXED32);
    strata_text_append(t, (const char *)&value, sizeof value); /* hosts are little-endian: model/stored.c */
}

void strata_proto_begin(strata_text *t, uint32_t field, uint64_t length)
{
    put_tag(t, field, LENGTH);
    put_varint(t, length);
}

void strata_proto_string(strata_text *t, uint32_t field, const char *s)
{
    strata_proto_begin(t, field, strlen(s));
    strata_text_append(t, s, strlen(s));
}

void strata_proto_text(strata_text *t, uint32_t field, strata_text *from)
{
    strata_proto_begin(t, field, from->length);
    if (from->length) strata_text_append(t, from->s, from->length);
    t->failed = t->failed || from->failed;
    strata_text_free(from);
}
