/* Words of --augment: a table of them, and presets, which are texts of the same words. */
#include "train/augment.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/items.h"

typedef enum word_kind {
    WORD_FLAG,   /* no value */
    WORD_PIXELS, /* a whole number, or none */
    WORD_NUMBER,
    WORD_TURN,  /* degrees; kept in turns */
    WORD_RANGE, /* LOW:HIGH */
    WORD_BORDER,
    WORD_PRESET
} word_kind;

typedef struct word {
    const char *name;
    word_kind kind;
    double low, high;   /* of values, inclusive */
    uint32_t what;      /* flag that it sets */
    size_t at, at_high; /* floats of strata_augment */
    const char *stands; /* WORD_RANGE: what no value stands for, NULL: one is wanted; WORD_PRESET: words */
} word;

#define AT(field) offsetof(strata_augment, field)

static const word words[] = {
    { "flip", WORD_FLAG, 0, 0, STRATA_AUGMENT_FLIP, 0, 0, NULL },
    { "vflip", WORD_FLAG, 0, 0, STRATA_AUGMENT_FLIP_VERTICAL, 0, 0, NULL },
    { "crop", WORD_PIXELS, 0, 1024, STRATA_AUGMENT_CROP, 0, 0, NULL },
    { "resized", WORD_RANGE, 1e-4, 1, STRATA_AUGMENT_RESIZED, AT(area_low), AT(area_high), "0.08:1" },
    { "ratio", WORD_RANGE, 0.01, 100, 0, AT(ratio_low), AT(ratio_high), NULL },
    { "rotate", WORD_TURN, 0, 180, 0, AT(rotate), 0, NULL },
    { "scale", WORD_RANGE, 0.05, 20, 0, AT(scale_low), AT(scale_high), NULL },
    { "zoom", WORD_NUMBER, 1, 20, 0, AT(zoom), 0, NULL },
    { "shear", WORD_TURN, 0, 60, 0, AT(shear), 0, NULL },
    { "warp", WORD_NUMBER, 0, 0.5, 0, AT(warp), 0, NULL },
    { "p-affine", WORD_NUMBER, 0, 1, 0, AT(p_affine), 0, NULL },
    { "border", WORD_BORDER, 0, 0, 0, 0, 0, NULL },
    { "brightness", WORD_NUMBER, 0, 10, 0, AT(brightness), 0, NULL },
    { "contrast", WORD_NUMBER, 0, 10, 0, AT(contrast), 0, NULL },
    { "saturation", WORD_NUMBER, 0, 10, 0, AT(saturation), 0, NULL },
    { "hue", WORD_NUMBER, 0, 0.5, 0, AT(hue), 0, NULL },
    { "lighting", WORD_NUMBER, 0, 0.5, 0, AT(lighting), 0, NULL },
    { "p-colour", WORD_NUMBER, 0, 1, 0, AT(p_colour), 0, NULL },
    { "erase", WORD_NUMBER, 0, 1, 0, AT(erase), 0, NULL },
    { "mixup", WORD_NUMBER, 0, 100, 0, AT(mixup), 0, NULL },
    { "cutmix", WORD_NUMBER, 0, 100, 0, AT(cutmix), 0, NULL },
    /* fastai v1's get_transforms(); torchvision's usual sets for ImageNet and CIFAR, and its ColorJitter. */
    { "fastai", WORD_PRESET, 0, 0, 0, 0, 0,
      "crop=0,flip,rotate=10,zoom=1.1,warp=0.2,lighting=0.2,p-affine=0.75,p-colour=0.75,border=reflect" },
    { "imagenet", WORD_PRESET, 0, 0, 0, 0, 0, "resized=0.08:1,flip" },
    { "cifar", WORD_PRESET, 0, 0, 0, 0, 0, "crop=4,flip" },
    { "jitter", WORD_PRESET, 0, 0, 0, 0, 0, "brightness=0.4,contrast=0.4,saturation=0.4,hue=0.1" },
};
enum { WORDS = sizeof words / sizeof *words };

/* A word where it stands in the text. */
typedef struct item {
    const char *name, *value; /* value: NULL without one */
    int name_length, value_length;
    size_t place; /* from 1 */
} item;

static strata_status wrong(const item *i, const char *wanted)
{
    return strata_fail(STRATA_BAD_ARG, "--augment: %.*s at character %zu wants %s, got '%.*s'",
                       i->name_length, i->name, i->place, wanted, i->value_length, i->value ? i->value : "");
}

/* A number that ends where `end` says. */
static bool read_number(double *out, const char *text, const char *end)
{
    char *stop = NULL;
    if (text == end || strchr(" \t+", *text)) return false;
    *out = strtod(text, &stop);
    return stop == end && isfinite(*out);
}

static float *field(strata_augment *a, size_t at) { return (float *)(void *)((char *)a + at); }

static strata_status put_number(strata_augment *a, const word *w, const item *i)
{
    char wanted[64];
    double v = 0;
    snprintf(wanted, sizeof wanted, "%s from %g to %g", w->kind == WORD_TURN ? "degrees" : "a number", w->low,
             w->high);
    if (!i->value || !read_number(&v, i->value, i->value + i->value_length) || v < w->low || v > w->high)
        return wrong(i, wanted);
    *field(a, w->at) = (float)(w->kind == WORD_TURN ? v / 360 : v);
    return STRATA_OK;
}

static strata_status put_range(strata_augment *a, const word *w, const item *i)
{
    char wanted[64];
    double low = 0, high = 0;
    const char *text = i->value ? i->value : w->stands, *end = text ? text + i->value_length : NULL;
    if (!i->value && text) end = text + strlen(text);
    const char *colon = text ? memchr(text, ':', (size_t)(end - text)) : NULL;
    snprintf(wanted, sizeof wanted, "LOW:HIGH from %g to %g", w->low, w->high);
    if (!colon || !read_number(&low, text, colon) || !read_number(&high, colon + 1, end) || low < w->low ||
        high > w->high || low > high)
        return wrong(i, wanted);
    const bool ratio = w->at == AT(ratio_low);
    *field(a, w->at) = (float)(ratio ? log2(low) : low);
    *field(a, w->at_high) = (float)(ratio ? log2(high) : high);
    return STRATA_OK;
}

/* Without a value an eighth of the shorter side, which is 4 of 32, as usual for CIFAR-10 (He and others
 * 2015). */
static strata_status put_pixels(strata_augment *a, const word *w, const item *i)
{
    const uint32_t side = a->h < a->w ? a->h : a->w;
    char wanted[64];
    double v = side < 8 ? 1 : side / 8;
    snprintf(wanted, sizeof wanted, "whole pixels from %g to %g", w->low, w->high);
    if (i->value && (!read_number(&v, i->value, i->value + i->value_length) || v < w->low || v > w->high ||
                     v != floor(v)))
        return wrong(i, wanted);
    a->pad = (uint32_t)v;
    return STRATA_OK;
}

/* No border of the device's: a background of 0, once it is known that no later word takes it back. */
enum { BORDER_BLACK = STRATA_BORDER_REPLICATE + 1 };

static strata_status put_border(strata_augment *a, const item *i)
{
    static const char *const names[] = { "background", "reflect", "replicate", [BORDER_BLACK] = "black" };
    for (int k = 0; k <= BORDER_BLACK; k++) {
        if (!i->value || strlen(names[k]) != (size_t)i->value_length ||
            memcmp(names[k], i->value, (size_t)i->value_length) != 0)
            continue;
        a->border = (strata_border)k;
        return STRATA_OK;
    }
    return wrong(i, "background, black, reflect or replicate");
}

static strata_status unknown(const item *i)
{
    char name[32], list[512] = "none";
    const char *names[WORDS + 1];
    snprintf(name, sizeof name, "%.*s", i->name_length, i->name);
    for (int k = 0; k < WORDS; k++) {
        const size_t length = strlen(list);
        names[k] = words[k].name;
        snprintf(list + length, sizeof list - length, ", %s", words[k].name);
    }
    const char *near = strata_nearest(name, names, WORDS);
    return strata_fail(STRATA_BAD_ARG, "--augment: there is no '%s' (character %zu)%s%s%s; there are %s",
                       name, i->place, near ? "; did you mean " : "", near ? near : "", near ? "?" : "",
                       list);
}

static strata_status read_words(strata_augment *a, const char *text);

static strata_status put(strata_augment *a, const word *w, const item *i)
{
    a->what |= w->what;
    if (i->value && (w->kind == WORD_FLAG || w->kind == WORD_PRESET)) return wrong(i, "no value");
    switch (w->kind) {
    case WORD_FLAG: return STRATA_OK;
    case WORD_PIXELS: return put_pixels(a, w, i);
    case WORD_NUMBER:
    case WORD_TURN: return put_number(a, w, i);
    case WORD_RANGE: return put_range(a, w, i);
    case WORD_BORDER: return put_border(a, i);
    case WORD_PRESET: return read_words(a, w->stands);
    }
    return STRATA_OK;
}

static item item_at(const char *text, const char *at)
{
    const size_t length = strcspn(at, ","), name = strcspn(at, ",=");
    item i = { .name = at, .name_length = (int)name, .place = (size_t)(at - text) + 1 };
    if (name < length) {
        i.value = at + name + 1;
        i.value_length = (int)(length - name - 1);
    }
    return i;
}

static const word *find(const item *i)
{
    for (const word *w = words; w < words + WORDS; w++)
        if (strlen(w->name) == (size_t)i->name_length &&
            memcmp(w->name, i->name, (size_t)i->name_length) == 0)
            return w;
    return NULL;
}

static strata_status read_words(strata_augment *a, const char *text)
{
    for (const char *at = text;;) {
        const item i = item_at(text, at);
        const word *w = find(&i);
        if (!w) return unknown(&i);
        STRATA_TRY(put(a, w, &i));
        at += strcspn(at, ",");
        if (!*at) return STRATA_OK;
        at++;
    }
}

/* Of the words as they are given: one that a preset stands for, too, may follow the preset. */
static strata_status once(const char *text)
{
    size_t n;
    const char *twice = strata_item_twice(text, &n);
    if (!twice) return STRATA_OK;
    return strata_fail(STRATA_BAD_ARG, "--augment: %.*s is there twice (character %zu), got '%s'", (int)n,
                       twice, (size_t)(twice - text) + 1, text);
}

strata_status augment_read(strata_augment *a, const char *text)
{
    a->p_affine = a->p_colour = 1;
    a->ratio_low = (float)log2(3.0 / 4); /* torchvision's RandomResizedCrop */
    a->ratio_high = (float)log2(4.0 / 3);
    if (!*text || strcmp(text, "none") == 0) return STRATA_OK;
    STRATA_TRY(once(text));
    STRATA_TRY(read_words(a, text));
    if ((int)a->border == BORDER_BLACK) {
        a->border = STRATA_BORDER_BACKGROUND;
        memset(a->background, 0, sizeof a->background);
    }
    if (a->what & STRATA_AUGMENT_CROP && a->what & STRATA_AUGMENT_RESIZED)
        return strata_fail(STRATA_BAD_ARG,
                           "--augment: crop and resized both say which part is taken, got '%s'", text);
    if (strstr(text, "ratio=") && !(a->what & STRATA_AUGMENT_RESIZED))
        return strata_fail(STRATA_BAD_ARG, "--augment: ratio is that of resized, which '%s' has not", text);
    /* The outermost pixels of a window that is enlarged lie up to half a pixel beyond the picture, which must
     * not mix a frame's colour into them: torchvision's end with the picture. */
    if (a->what & STRATA_AUGMENT_RESIZED && a->border == STRATA_BORDER_BACKGROUND && !strstr(text, "border="))
        a->border = STRATA_BORDER_REPLICATE;
    return STRATA_OK;
}

bool augment_resizes(const char *text)
{
    strata_augment a = { .h = 1, .w = 1, .c = 1 };
    return augment_read(&a, text) == STRATA_OK && a.what & STRATA_AUGMENT_RESIZED;
}
