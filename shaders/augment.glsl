// What is done to one image, as shaders/augment_draw.comp writes and shaders/augment.comp reads it: 128
// bytes, words, as a flag that is read as a float may be flushed to zero. Twin: src/cpu/augment.h.
const uint RECORD_QUADS = 2;
//   0  a b c, 0    the pixel (x, y) of the output is taken from
//   1  d e f, 0    (a x + b y + c, d x + e y + f) of the stored image
