"""The main loop of a compiled kernel, read from the text that the driver's compiler gives of it.

A loop is a backward jump with what stands between its label and it. The main loop is, of those that hold the most
multiply-adds, the one that ends first (jumps further down come back from rare paths that NVK put there). Every instruction between its ends counts once, also where lanes may jump over it, so
the share of multiply-adds is a lower bound. Kernels with few products have no such loop."""
import re

FMA_LEAST = 8  # below, a loop is no inner product

# What an instruction does, the first pattern that fits: multiply-add, shared memory, global memory, barrier,
# jump, none (waits and hints that take no place of their own), scalar (AMD and NVIDIA: a pipe beside the vectors').
RADV = [
    ('fma2', r'v_dual_fmac_f32.*v_dual_fmac_f32'),
    ('fma', r'v_(fma|fmac|mad|mac)(ak|mk)?(_legacy)?_f32|v_dual_fmac_f32'),
    ('none', r's_(waitcnt|nop|delay|clause|inst_prefetch|set_inst|sendmsg)'),
    ('lds', r'ds_(read|load)'), ('lds_write', r'ds_(write|store)'),
    ('load', r'(buffer|global|flat|image|scratch)_load'), ('store', r'(buffer|global|flat|scratch)_store'),
    ('load', r's_(load|buffer_load)'),
    ('barrier', r's_barrier'), ('jump', r's_c?branch|s_setpc'), ('scalar', r's_'), ('alu', r'v_'),
]
ANV = [
    ('fma', r'(\(.*?\) )?mad(\.\w+)*\(\d+\).*:?F\b'),
    ('none', r'(sync|nop)\b'),
    ('barrier', r'(wait|barrier)\b'), ('jump', r'(\(.*?\) )?(if|else|endif|while|break|cont|jmpi|halt)\b'),
    ('send', r'(\(.*?\) )?sends?c?\b'), ('alu', r'.'),
]
NAK = [
    ('fma', r'(\S+ += +)?ffma'),
    ('none', r'nop\b'),
    ('lds', r'\S+ += +ld\.shared'), ('lds_write', r'st\.shared'), ('load', r'\S+ += +(ld\.|ldc)'), ('store', r'st\.'),
    ('barrier', r'bar\.'), ('jump', r'(bra|bsync|exit|break|warpsync)\b|b\d+ += +(bssy|bclear)'),
    ('scalar', r'(ur|up)\d'), ('alu', r'.'),
]


def kind_of_send(description):
    """Of Intel's messages: shared memory is surface 254 (older) or "slm"."""
    shared = 'slm MsgDesc' in description or 'Surface = 254' in description
    if 'barrier' in description:
        return 'barrier'
    if re.search(r'\b(read|load)', description):
        return 'lds' if shared else 'load'
    if re.search(r'\b(write|store)', description):
        return 'lds_write' if shared else 'store'
    return 'other'


def fitting(table, text):
    return next((kind for kind, pattern in table if re.match(pattern, text)), 'other')


def read_radv(text):
    """[(label or None, jump target or None, kind, bytes per lane)] of RADV's assembly."""
    for line in text.splitlines():
        line = line.split(';')[0].strip()
        if label := re.fullmatch(r'(BB\d+):', line):
            yield label[1], None, None, 0
        elif line:
            kind = fitting(RADV, line)
            target = re.search(r'\bBB\d+', line) if kind == 'jump' else None
            words = 0
            if kind == 'lds':
                words = 4 if 'b128' in line else 2 if 'b64' in line and 'read2' not in line else 1
                words = words * 2 if re.match(r'ds_(read|load)_?2', line) else words
                words = 4 if re.match(r'ds_(read|load)_?2\w*_b64', line) else words
            yield None, target and target[0], kind, 4 * words


def read_anv(text):
    send = None
    for line in text.splitlines():
        line = line.strip()
        if send and 'MsgDesc' in line:
            kind = kind_of_send(line)
            registers = re.search(r'(rlen|dst_len =) (\d+)', line) # of 32 bytes, for as many lanes as the message has
            lanes = int(re.search(r'\((\d+)\)', send)[1])
            yield None, None, kind, 32 * int(registers[2]) // lanes if kind == 'lds' and registers else 0
            send = None
        elif label := re.fullmatch(r'(LABEL\d+):', line):
            yield label[1], None, None, 0
        elif re.match(r'(\([^)]*\) *)?[a-z]', line) and not line.startswith(('START', 'END')):
            kind = fitting(ANV, line)
            if kind == 'send':
                send = line
                continue
            target = re.search(r'LABEL\d+', line) if re.match(r'(\(.*?\) )?while', line) else None
            yield None, target and target[0], kind, 0


def read_nak(text):
    for line in text.splitlines():
        line = line.split('//')[0].strip()
        if label := re.match(r'block\S* \d+ (L\d+) ', line):
            yield label[1], None, None, 0
        elif line and not line.startswith('}'):
            line = re.sub(r'^@\S+ +', '', line)
            kind = fitting(NAK, line)
            target = re.search(r'bra (L\d+)', line)
            bits = re.search(r'ld\.shared\S*\.b(\d+)', line)
            yield None, target and target[1], kind, int(bits[1]) // 8 if bits else 0


READERS = {'Assembly': read_radv, 'GEN Assembly': read_anv, 'NAK assembly': read_nak}


def tally(instructions):
    count = {}
    for _, _, kind, size in instructions:
        if kind and kind != 'none':
            count[kind] = count.get(kind, 0) + 1
            count['lds_bytes'] = count.get('lds_bytes', 0) + size
    if count.get('fma2'):
        count['dual'] = count.pop('fma2')
        count['fma'] = count.get('fma', 0) + 2 * count['dual']
    count['all'] = sum(n for kind, n in count.items() if kind not in ('lds_bytes', 'dual')) - count.get('dual', 0)
    return count


def main_loop(language, text):
    """Counts of the main loop by kind ('fma', 'lds', ..., 'all', 'lds_bytes' read by a lane); None: there is none."""
    code = list(READERS[language](text))
    place = {label: i for i, (label, *_) in enumerate(code) if label}
    loops = [(tally(code[place[target]:i + 1]), -i, place[target]) for i, (_, target, *_) in enumerate(code)
             if target in place and place[target] <= i]
    best = max(loops, key=lambda l: (l[0].get('fma', 0), *l[1:]), default=[{}])[0]
    return best if best.get('fma', 0) >= FMA_LEAST else None
