// What is done to one image, as shaders/augment_draw.comp writes and shaders/augment.comp reads it: words, as
// a flag that is read as a float may be flushed to zero. Twin: src/cpu/augment.h.
const uint RECORD_QUADS = 8;
//   0  a b c g   the pixel (x, y) of the output is taken from (a x + b y + c, d x + e y + f) / (g x + h y +
//   i) 1  d e f h   of the stored image
//   2  i, then of the lighting the summand and the factor of logits, and flags
//   3, 4, 5      rows of the colour's matrix: output channel = row . (red, green, blue, 1)
//   6            what is erased: left, top, right, bottom; none where right is 0
//   7            of another image: its share, in the box (left, top), (right, bottom), 16 bits each; none
//   where
//                that is 0
const uint COLOURED = 1, LIT = 2; // flags: the matrix, the lighting is more than the identity
