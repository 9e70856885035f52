// The colours of shaders/augment_draw.comp: brightness, contrast, saturation and hue, in this order, as one
// matrix over (red, green, blue, 1) of values in [0, 1]; and fastai's lighting, of their logits.
//   brightness  v f;   contrast  f v + (1 - f) grey;   saturation  f v + (1 - f) luma(v);   hue  a turn of
//   the plane across grey, as YIQ has it
const vec4 LUMA = vec4(0.299, 0.587, 0.114, 0.0);

float factor_of(uint gate, uint word, float most)
{
    return chance(gate, p_colour) ? between(word, max(0.0, 1.0 - most), 1.0 + most) : 1.0;
}

vec4 sum3(float a, vec4 x, float b, vec4 y, float c, vec4 z)
{
    precise vec4 sum = a * x + b * y + c * z;
    return sum;
}

// The channels of the matrix turned about grey.
void turn_hue(float turns, inout vec4 red, inout vec4 green, inout vec4 blue)
{
    vec2 t = exact_turn(turns);
    precise float k = 1.0 - t.x;
    precise vec4 luma = sum3(LUMA.x, red, LUMA.y, green, LUMA.z, blue);
    precise vec4 r = sum3(0.168622, red, 0.329805, green, -0.498427, blue);
    precise vec4 g = sum3(-0.327963, red, 0.034611, green, 0.293352, blue);
    precise vec4 b = sum3(1.246461, red, -1.043229, green, -0.203232, blue);
    red = sum3(t.x, red, k, luma, t.y, r);
    green = sum3(t.x, green, k, luma, t.y, g);
    blue = sum3(t.x, blue, k, luma, t.y, b);
}

// Flags of what was drawn. light: the summand and the factor of logits.
uint draw_colour(out vec4 red, out vec4 green, out vec4 blue, out vec2 light)
{
    uint flags = 0;
    precise vec4 r = vec4(1, 0, 0, 0), g = vec4(0, 1, 0, 0), b = vec4(0, 0, 1, 0), luma;
    precise float f;
    light = vec2(0.0, 1.0);
    if (brightness > 0.0 || contrast > 0.0 || saturation > 0.0 || hue > 0.0) {
        uvec4 gates = draw(COLOUR_GATES), words = draw(COLOUR);
        flags = COLOURED;
        f = factor_of(gates.x, words.x, brightness);
        r = f * r;
        g = f * g;
        b = f * b;
        f = factor_of(gates.y, words.y, contrast);
        precise vec4 added = vec4(0.0, 0.0, 0.0, (1.0 - f) * grey);
        r = f * r + added;
        g = f * g + added;
        b = f * b + added;
        if (channels >= 3) {
            f = factor_of(gates.z, words.z, saturation);
            luma = (1.0 - f) * sum3(LUMA.x, r, LUMA.y, g, LUMA.z, b);
            r = f * r + luma;
            g = f * g + luma;
            b = f * b + luma;
            if (hue > 0.0 && chance(gates.w, p_colour)) turn_hue(between(words.w, -hue, hue), r, g, b);
        }
    }
    red = r;
    green = g;
    blue = b;
    if (lighting > 0.0) {
        uvec4 words = draw(LIGHT);
        precise float low = 0.5 * (1.0 - lighting), high = 0.5 * (1.0 + lighting);
        if (chance(words.x, p_colour)) light.x = exact_logit(between(words.y, low, high));
        if (chance(words.z, p_colour)) light.y = exact_exp2(between(words.w, -light_octaves, light_octaves));
        flags |= LIT;
    }
    return flags;
}
