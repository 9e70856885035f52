/* glslang 12.0 (Debian 12) has no include callbacks in its C interface: glslang_shader_preprocess reads files
 * beside the working directory. So #include is resolved here, as text, which works with every version and
 * gives the cache its key. */
#define _GNU_SOURCE /* memmem */
#include "vulkan/glsl.h"

#include "core/kernel.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glslang/Include/glslang_c_interface.h>
#include <glslang/Public/resource_limits_c.h>
#include <glslang/build_info.h>

enum { MAX_INCLUDED = 16, MAX_NAME = 64 };

typedef struct expansion {
    strata_text *out;
    const glsl_sources *sources;
    const char *defines;
    char seen[MAX_INCLUDED][MAX_NAME]; /* each file is taken once, as with #pragma once */
    int n_seen;
} expansion;

static strata_status read_file(char **out, const char *folder, const char *name)
{
    char path[1024];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
        return strata_fail(STRATA_FILE, "%s/%s: the path is longer than %zu", folder, name, sizeof path);
    FILE *f = fopen(path, "rb");
    if (!f) return strata_fail(STRATA_FILE, "%s: %s", path, strerror(errno));
    strata_text text = { 0 };
    char piece[4096];
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;) strata_text_append(&text, piece, n);
    int bad = ferror(f) || text.failed || text.length == 0;
    fclose(f);
    if (bad) {
        strata_text_free(&text);
        return strata_fail(STRATA_FILE, "%s: empty or not readable", path);
    }
    *out = text.s;
    return STRATA_OK;
}

/* Find a source. *owned is to be freed by the caller, NULL for an embedded text. */
static strata_status find(const char **text, char **owned, const glsl_sources *s, const char *name)
{
    *owned = NULL;
    if (s->folder) {
        STRATA_TRY(read_file(owned, s->folder, name));
        *text = *owned;
        return STRATA_OK;
    }
    for (uint32_t i = 0; i < s->n_files; i++)
        if (strcmp(s->file[i].name, name) == 0) {
            *text = s->file[i].text;
            return STRATA_OK;
        }
    return strata_fail(STRATA_BAD_SHADER, "%s: there is no such shader in the library", name);
}

/* "NAME=VALUE NAME=VALUE" to #define lines; there may be more than one blank, where something is left out. */
static void put_defines(strata_text *out, const char *defines)
{
    while (*(defines += strspn(defines, " "))) {
        size_t pair = strcspn(defines, " "), name = strcspn(defines, "= ");
        strata_text_append(out, "#define ", 8);
        strata_text_append(out, defines, name);
        strata_text_append(out, " ", 1);
        if (name < pair) strata_text_append(out, defines + name + 1, pair - name - 1);
        strata_text_append(out, "\n", 1);
        defines += pair;
    }
}

/* The passes by name, from the one list that C reads too. */
static void put_passes(strata_text *out)
{
    for (int i = 0; i < STRATA_PASSES; i++)
        strata_text_format(out, "#define %s %d\n", strata_pass_name((strata_pass)i), i);
}

/* The name between quotes of an #include line, or 0. */
static int include_name(char name[MAX_NAME], const char *line)
{
    char end = 0;
    while (*line == ' ') line++;
    return sscanf(line, "#include \"%63[A-Za-z0-9_.]%c", name, &end) == 2 && end == '"';
}

static strata_status expand(expansion *e, const char *name)
{
    strata_status status = STRATA_OK;
    const char *text = NULL;
    char *owned = NULL, wanted[MAX_NAME];
    for (int i = 0; i < e->n_seen; i++)
        if (strcmp(e->seen[i], name) == 0) return STRATA_OK;
    if (e->n_seen == MAX_INCLUDED)
        return strata_fail(STRATA_BAD_SHADER, "%s: more than %d files included", name, MAX_INCLUDED);
    snprintf(e->seen[e->n_seen++], MAX_NAME, "%s", name);

    STRATA_GO(find(&text, &owned, e->sources, name));
    int line = 1, top = e->n_seen == 1;
    if (!top) strata_text_format(e->out, "#line 1 \"%s\"\n", name);
    for (const char *p = text; *p; line++) {
        size_t length = strcspn(p, "\n");
        if (include_name(wanted, p)) {
            status = expand(e, wanted);
            if (status != STRATA_OK) {
                status = strata_fail(status, "%s:%d: cannot include: %s", name, line, strata_message());
                goto done;
            }
            strata_text_format(e->out, "#line %d \"%s\"\n", line + 1, name);
        } else {
            strata_text_append(e->out, p, length);
            strata_text_append(e->out, "\n", 1);
        }
        if (top && line == 1) { /* the first line is #version; nothing but comments may come before it */
            strata_text_format(e->out, "#extension GL_GOOGLE_cpp_style_line_directive : require\n");
            put_passes(e->out);
            put_defines(e->out, e->defines);
            strata_text_format(e->out, "#line 2 \"%s\"\n", name);
        }
        p += length + (p[length] == '\n');
    }
done:
    free(owned);
    return status;
}

strata_status glsl_expand(strata_text *out, const glsl_sources *sources, const char *name,
                          const char *defines)
{
    expansion e = { .out = out, .sources = sources, .defines = defines };
    STRATA_TRY(expand(&e, name));
    if (out->failed) return strata_fail(STRATA_NO_MEMORY, "%s: no memory for its text", name);
    if (strncmp(out->s, "#version ", 9) != 0)
        return strata_fail(STRATA_BAD_SHADER, "%s:1: wants #version on its first line", name);
    return STRATA_OK;
}

/* glslang writes "ERROR: file:line: 'token' : text" and then lines that only count; keep the first kind. */
static strata_status fail_with_log(const char *name, const char *log)
{
    strata_text kept = { 0 };
    for (const char *p = log; *p;) {
        size_t n = strcspn(p, "\n");
        int says_something = n > 7 && strncmp(p, "ERROR: ", 7) == 0 && !isdigit((unsigned char)p[7]);
        if (says_something && !memmem(p, n, "compilation terminated", 22)) {
            strata_text_append(&kept, "\n", 1);
            strata_text_append(&kept, p + 7, n - 7);
        }
        p += n + (p[n] == '\n');
    }
    strata_status status = strata_fail(STRATA_BAD_SHADER, "%s does not compile:%s", name,
                                       kept.s ? kept.s : log);
    strata_text_free(&kept);
    return status;
}

strata_status glsl_compile(glsl_module *out, const char *name, const char *text, int optimize)
{
    const int rules = GLSLANG_MSG_SPV_RULES_BIT | GLSLANG_MSG_VULKAN_RULES_BIT;
    const glslang_input_t input = {
        .language = GLSLANG_SOURCE_GLSL,
        .stage = GLSLANG_STAGE_COMPUTE,
        .client = GLSLANG_CLIENT_VULKAN,
        .client_version = GLSLANG_TARGET_VULKAN_1_1,
        .target_language = GLSLANG_TARGET_SPV,
        .target_language_version = GLSLANG_TARGET_SPV_1_3,
        .code = text,
        .default_version = 460,
        .default_profile = GLSLANG_NO_PROFILE,
        .messages = (glslang_messages_t)rules,
        .resource = glslang_default_resource(),
    };
    strata_status status = STRATA_OK;
    glslang_program_t *program = NULL;
    glslang_shader_t *shader = glslang_shader_create(&input);
    if (!shader) return strata_fail(STRATA_NO_MEMORY, "%s: glslang made no shader", name);
    if (!glslang_shader_preprocess(shader, &input) || !glslang_shader_parse(shader, &input)) {
        status = fail_with_log(name, glslang_shader_get_info_log(shader));
        goto done;
    }
    program = glslang_program_create();
    glslang_program_add_shader(program, shader);
    if (!glslang_program_link(program, rules)) {
        status = fail_with_log(name, glslang_program_get_info_log(program));
        goto done;
    }
    /* For GLSL, glslang runs SPIRV-Tools only when asked to optimise for size; the name misleads, the passes
     * do not. */
    glslang_spv_options_t options = { .disable_optimizer = !optimize,
                                      .optimize_size = optimize,
                                      .strip_debug_info = optimize };
    glslang_program_SPIRV_generate_with_options(program, GLSLANG_STAGE_COMPUTE, &options);
    size_t n = glslang_program_SPIRV_get_size(program);
    out->words = n ? malloc(n * sizeof *out->words) : NULL;
    if (!out->words) {
        status = strata_fail(STRATA_NO_MEMORY, "%s: %zu words of SPIR-V", name, n);
        goto done;
    }
    glslang_program_SPIRV_get(program, out->words);
    out->n_words = n;
done:
    if (program) glslang_program_delete(program);
    glslang_shader_delete(shader);
    return status;
}

void glsl_free(glsl_module *m)
{
    free(m->words);
    *m = (glsl_module) { 0 };
}

/* glslang's first shader takes 100 ms, almost all for its tables of built-in symbols; the next one 1 ms. They
 * are kept until the process ends: a device opened after another was closed finds them. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int initialized;
static void initialize(void) { initialized = glslang_initialize_process(); }

strata_status glsl_open(void)
{
    pthread_once(&once, initialize);
    return initialized ? STRATA_OK : strata_fail(STRATA_NO_MEMORY, "glslang does not start");
}

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)
const char *glsl_version(void)
{
    return "glslang " TEXT(GLSLANG_VERSION_MAJOR) "." TEXT(GLSLANG_VERSION_MINOR) "." TEXT(
        GLSLANG_VERSION_PATCH);
}
