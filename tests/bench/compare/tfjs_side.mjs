// TensorFlow.js on WebGPU, over the Vulkan device that the environment names. Reads and writes what
// strata_side.c does.
//   node tfjs_side.mjs PACKAGES LAYERS.json SIDE CHANNELS CLASSES BATCH      PACKAGES: the folder npm filled
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [packages, path, ...numbers] = process.argv.slice(2);
const require = createRequire(resolve(packages) + '/');
const load = name => import(pathToFileURL(require.resolve(name)).href);
const version = name => JSON.parse(readFileSync(`${packages}/node_modules/${name}/package.json`)).version;
const { create, globals } = await load('webgpu');
Object.assign(globalThis, globals);
const gpu = create(['backend=vulkan']);
const adapter = await gpu.requestAdapter();
if (!adapter) {
  const named = process.env.VK_DRIVER_FILES || 'the system';
  throw new Error(`no WebGPU adapter by ${named}: lavapipe of Mesa 25 or newer is wanted`);
}
Object.defineProperty(globalThis, 'navigator', { value: { gpu, userAgent: 'node' }, configurable: true });
const module_tf = await load('@tensorflow/tfjs');
const tf = module_tf.default ?? module_tf;
await load('@tensorflow/tfjs-backend-webgpu');
await tf.setBackend('webgpu');
await tf.ready();

const [side, channels, classes, batch] = numbers.map(Number);
const layers = JSON.parse(readFileSync(path));
const weights = new Map();
const pair = v => (Array.isArray(v) ? v : [v, v]);

function weight(name, shape, make) {
  if (!weights.has(name)) weights.set(name, tf.keep(tf.variable(make(shape), true, name)));
  return weights.get(name);
}

const normal = deviation => shape => tf.randomNormal(shape, 0, deviation);

function windows(x, size) {
  const stride = [1, 2].map((axis, i) => Math.floor(x.shape[axis] / pair(size)[i]));
  return [[1, 2].map((axis, i) => x.shape[axis] - (pair(size)[i] - 1) * stride[i]), stride];
}

// [n,h,w,c] -> one layer's output. Batch norm uses the batch's statistics, as PyTorch in training; the running
// ones, a few floats, are left out.
const ops = {
  conv2d(x, l, name) {
    const [r, s] = pair(l.kernel), depth = x.shape[3];
    if ((l.groups ?? 1) > 1) {
      const w = weight(`${name}.w`, [r, s, depth, 1], normal(Math.sqrt(2 / (r * s))));
      return tf.depthwiseConv2d(x, w, pair(l.stride ?? 1), l.pad ?? 0, 'NHWC', [1, 1], 'floor');
    }
    const w = weight(`${name}.w`, [r, s, depth, l.out], normal(Math.sqrt(2 / (r * s * l.out))));
    return tf.conv2d(x, w, pair(l.stride ?? 1), l.pad ?? 0, 'NHWC', [1, 1], 'floor');
  },
  batch_norm(x, l, name) {
    const depth = [x.shape[3]];
    const { mean, variance } = tf.moments(x, [0, 1, 2]);
    return tf.batchNorm(x, mean, variance, weight(`${name}.b`, depth, tf.zeros),
                        weight(`${name}.g`, depth, tf.ones), l.eps ?? 1e-5);
  },
  relu: x => tf.relu(x),
  add: (x, l, name, all) => tf.add(all[0], all[1]),
  max_pool: (x, l) => tf.maxPool(x, pair(l.kernel), pair(l.stride ?? l.kernel), l.pad ?? 0, 'floor'),
  // Windows of one size, nearly those of adaptive pooling.
  adaptive_max_pool: (x, l) => tf.maxPool(x, ...windows(x, l.size), 0, 'floor'),
  adaptive_avg_pool: (x, l) => tf.avgPool(x, ...windows(x, l.size), 0, 'floor'),
  global_avg_pool: x => tf.mean(x, [1, 2], true),
  flatten: x => x,
  linear(x, l, name) {
    const flat = tf.reshape(x, [x.shape[0], -1]), width = flat.shape[1];
    const out = l.out === '$classes' ? classes : l.out;
    const w = weight(`${name}.w`, [width, out], normal(Math.sqrt(1 / width)));
    return tf.add(tf.matMul(flat, w), weight(`${name}.b`, [out], tf.zeros));
  },
};

function forward(x) {
  const seen = new Map([['input', x]]);
  let last = 'input';
  layers.forEach((l, i) => {
    const name = l.name ?? `layer${i}`, from = [l.in ?? last].flat();
    if (!ops[l.op]) throw new Error(`${l.op}: not an operation that this side knows`);
    const all = from.map(n => seen.get(n));
    seen.set(name, ops[l.op](all[0], l, name, all));
    last = name;
  });
  return seen.get(last);
}

const x = tf.randomUniform([batch, side, side, channels]);
const y = tf.oneHot(tf.tensor1d(Array.from({ length: batch }, (_, i) => i % classes), 'int32'), classes);
const optimizer = tf.train.momentum(1e-3, 0.9);
const train = () => optimizer.minimize(() => tf.losses.softmaxCrossEntropy(y, forward(x)), true);
const infer = () => tf.tidy(() => tf.sum(forward(x)));
infer().dispose(); // makes the weights
const versions = ['@tensorflow/tfjs', 'webgpu'].map(n => `${n} ${version(n)}`).join(', ');
console.log(`${versions} on ${adapter.info?.description || adapter.info?.device || 'an unnamed adapter'}`);
for await (const line of createInterface({ input: process.stdin })) {
  const [word, n] = line.split(' '), start = performance.now(), cpu = process.cpuUsage();
  for (let i = 0; i < Number(n); i++) {
    const result = word === 'train' ? train() : infer();
    await result.data();
    result.dispose();
  }
  const used = process.cpuUsage(cpu);
  console.log(`${((performance.now() - start) / 1e3).toFixed(6)} ${((used.user + used.system) / 1e6).toFixed(6)}`);
}
process.exit(0);
