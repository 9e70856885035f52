/* shaders -- the build's shader step.
 *
 *   shaders args  <folder> <stem> <out.h>     compile <stem>.comp, write struct <stem>_args
 *   shaders embed <folder> <out.c> <file>...  write shader files as one C table
 *   shaders assets <folder> <out.c> <file>... the same for any files, with their sizes; one that begins with
 * a slash is not below the folder, and is called by its last part
 *
 * It compiles with the library's own front end, so a shader that would fail at run time fails the build. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulkan/glsl.h"
#include "vulkan/spirv.h"

static strata_status write_args(FILE *f, const char *stem, const spirv_block *b)
{
    strata_text signature = { 0 };
    spirv_signature(&signature, b);
    if (signature.failed) return strata_fail(STRATA_NO_MEMORY, "%s: its signature", stem);
    fprintf(f, "/* Made by the build from shaders/%s.comp. */\n#pragma once\n#include \"core/kernel.h\"\n\n",
            stem);
    fprintf(f, "struct %s_args {\n", stem);
    for (uint32_t i = 0; i < b->n_bindings; i++)
        fprintf(f, "    strata_slice %s; /* binding %u%s */\n", b->binding[i].name, i,
                b->binding[i].writes ? "" : ", only read");
    for (uint32_t i = 0; i < b->n_members; i++)
        fprintf(f, "    %s %s;\n", b->member[i].type, b->member[i].name);
    fprintf(f, "};\n\nenum { %s_PUSH_AT = %u * sizeof(strata_slice) };\n", stem, b->n_bindings);
    for (uint32_t i = 0; i < b->n_members; i++)
        fprintf(f, "_Static_assert(offsetof(struct %s_args, %s) == %s_PUSH_AT + %u, \"layout\");\n", stem,
                b->member[i].name, stem, b->member[i].offset);
    fprintf(f, "\nstatic const strata_args_layout %s_layout = {\n    .stem = \"%s\", .signature = \"%s\",\n",
            stem, stem, signature.s);
    uint32_t writes = 0;
    for (uint32_t i = 0; i < b->n_bindings; i++)
        if (b->binding[i].writes) writes |= 1u << i;
    fprintf(f, "    .n_slices = %u, .push_at = %s_PUSH_AT, .push_bytes = %u, .writes = 0x%xu,\n};\n\n",
            b->n_bindings, stem, 4 * b->n_members, writes);
    fprintf(f, "void strata_cpu_%s(const struct %s_args *a, strata_pass pass);\n", stem, stem);
    fprintf(f, "static inline void %s_on_cpu(const void *a, strata_pass pass) { strata_cpu_%s(a, pass); }\n",
            stem, stem);
    fprintf(f, "static const strata_kernel %s_kernel = { &%s_layout, %s_on_cpu };\n", stem, stem, stem);
    strata_text_free(&signature);
    return STRATA_OK;
}

static strata_status args(const char *folder, const char *stem, const char *path)
{
    strata_status status = STRATA_OK;
    strata_text text = { 0 };
    glsl_module module = { 0 };
    spirv_block block;
    FILE *f = NULL;
    char name[256];
    snprintf(name, sizeof name, "%s.comp", stem);
    STRATA_GO(glsl_open());
    STRATA_GO(glsl_expand(&text, &(glsl_sources) { .folder = folder }, name, ""));
    STRATA_GO(glsl_compile(&module, name, text.s, 0));
    STRATA_GO(spirv_reflect(&block, module.words, module.n_words, name));
    f = fopen(path, "w");
    if (!f) STRATA_GO(strata_fail(STRATA_FILE, "%s: cannot write", path));
    STRATA_GO(write_args(f, stem, &block));
done:
    if (f && fclose(f) != 0) status = strata_fail(STRATA_FILE, "%s: cannot write", path);
    if (status != STRATA_OK) remove(path);
    glsl_free(&module);
    strata_text_free(&text);
    return status;
}

/* Write one file's bytes as an array. Bytes, not a string literal: C11 compilers need not take a literal
 * above 4095 characters. */
static strata_status embed_file(FILE *out, const char *folder, const char *name, int i)
{
    char from[1024];
    if (*name == '/')
        snprintf(from, sizeof from, "%s", name);
    else
        snprintf(from, sizeof from, "%s/%s", folder, name);
    FILE *in = fopen(from, "rb");
    if (!in) return strata_fail(STRATA_FILE, "%s: cannot read", from);
    fprintf(out, "static const unsigned char file_%d[] = {", i);
    int column = 0;
    for (int c; (c = fgetc(in)) != EOF; column++) fprintf(out, "%s%d,", column % 24 ? "" : "\n    ", c);
    fprintf(out, "0 };\n");
    fclose(in);
    return STRATA_OK;
}

typedef enum table { SHADERS, ASSETS } table;

static strata_status embed(const char *folder, const char *path, char **names, int n, table t)
{
    strata_status status = STRATA_OK;
    FILE *out = fopen(path, "w");
    if (!out) return strata_fail(STRATA_FILE, "%s: cannot write", path);
    fprintf(out, "/* Made by the build. */\n#include \"%s\"\n\n",
            t == SHADERS ? "vulkan/glsl.h" : "core/asset.h");
    for (int i = 0; i < n; i++) STRATA_GO(embed_file(out, folder, names[i], i));
    fprintf(out, "\nconst %s[] = {\n",
            t == SHADERS ? "glsl_file strata_shader_files" : "strata_asset strata_assets");
    for (int i = 0; i < n; i++) {
        const char *name = *names[i] == '/' ? strrchr(names[i], '/') + 1 : names[i];
        if (t == SHADERS)
            fprintf(out, "    { \"%s\", (const char *)file_%d },\n", name, i);
        else
            fprintf(out, "    { \"%s\", file_%d, sizeof file_%d - 1 },\n", name, i, i);
    }
    fprintf(out, "    { 0 },\n};\nconst uint32_t %s = %d;\n",
            t == SHADERS ? "strata_n_shader_files" : "strata_n_assets", n);
done:
    if (fclose(out) != 0 && status == STRATA_OK) status = strata_fail(STRATA_FILE, "%s: cannot write", path);
    if (status != STRATA_OK) remove(path);
    return status;
}

int main(int argc, char **argv)
{
    strata_status status = STRATA_BAD_ARG;
    if (argc == 5 && strcmp(argv[1], "args") == 0)
        status = args(argv[2], argv[3], argv[4]);
    else if (argc >= 5 && strcmp(argv[1], "embed") == 0)
        status = embed(argv[2], argv[3], argv + 4, argc - 4, SHADERS);
    else if (argc >= 4 && strcmp(argv[1], "assets") == 0)
        status = embed(argv[2], argv[3], argv + 4, argc - 4, ASSETS);
    else
        strata_fail(status,
                    "usage: shaders args FOLDER STEM OUT.h | shaders embed|assets FOLDER OUT.c FILE...");
    if (status != STRATA_OK) fprintf(stderr, "%s\n", strata_message());
    return status == STRATA_OK ? 0 : 1;
}
