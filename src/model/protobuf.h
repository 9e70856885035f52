/* Writing Protocol Buffers: the fields of a message, appended to a text. A message inside a message is made
 * in a text of its own and appended with strata_proto_text. */
#ifndef STRATA_MODEL_PROTOBUF_H
#define STRATA_MODEL_PROTOBUF_H

#include <stdint.h>

#include "core/text.h"

/* field: its number in the .proto file. A negative whole number is written as its 64 bits. */
void strata_proto_int(strata_text *t, uint32_t field, int64_t value);
void strata_proto_float(strata_text *t, uint32_t field, float value);
void strata_proto_string(strata_text *t, uint32_t field, const char *s);

/* A message or bytes of `from`, which is then released, into `t`. */
void strata_proto_text(strata_text *t, uint32_t field, strata_text *from);

/* The beginning of bytes or of a message of `length` bytes that follow elsewhere. */
void strata_proto_begin(strata_text *t, uint32_t field, uint64_t length);

#endif
