/* GLSL text to SPIR-V words, through glslang's C interface. */
#ifndef STRATA_VULKAN_GLSL_H
#define STRATA_VULKAN_GLSL_H

#include <stdint.h>

#include "core/status.h"
#include "core/text.h"

typedef struct glsl_file {
    const char *name; /* "linear.comp" */
    const char *text; /* NUL-terminated */
} glsl_file;

/* Where shader text comes from: the embedded files, or a folder that replaces them (--shader-dir). */
typedef struct glsl_sources {
    const glsl_file *file;
    uint32_t n_files;
    const char *folder; /* NULL: use the embedded files */
} glsl_sources;

typedef struct glsl_module {
    uint32_t *words; /* malloc'd */
    size_t n_words;
} glsl_module;

/* Resolve every #include, put `defines` after #version, and mark lines so that messages say file:line.
 *   defines  "TILE=64 WIDE=1", separated by one space; "" for none
 * Owner: caller; release with strata_text_free. The text is also the cache key: equal text, equal module. */
strata_status glsl_expand(strata_text *out, const glsl_sources *sources, const char *name,
                          const char *defines);

/* Compile an expanded text. Any number of threads may do so at once after glsl_open.
 *   optimize  run SPIRV-Tools and drop names; 0 keeps what spirv_reflect needs
 * Owner: caller; release with glsl_free.
 * Errors: STRATA_BAD_SHADER, the message holds "file:line: text". */
strata_status glsl_compile(glsl_module *out, const char *name, const char *text, int optimize);
void glsl_free(glsl_module *m);

strata_status glsl_open(void);  /* before the first compilation; any number of times */
const char *glsl_version(void); /* part of the cache key */

#endif
