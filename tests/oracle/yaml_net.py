"""A model file as a PyTorch module: the same layers under the same parameter names, read without strata."""
import yaml
from torch_side import nn, torch

POOLS = {"max_pool": nn.MaxPool2d, "avg_pool": nn.AvgPool2d}
SIZED = {"adaptive_avg_pool": nn.AdaptiveAvgPool2d, "adaptive_max_pool": nn.AdaptiveMaxPool2d}
PLAIN = {"relu": nn.ReLU, "silu": nn.SiLU, "flatten": nn.Flatten,
         "identity": nn.Identity, "global_avg_pool": lambda: nn.AdaptiveAvgPool2d(1),
         "global_max_pool": lambda: nn.AdaptiveMaxPool2d(1)}


class Joint(nn.Module):
    """add and concat: of several inputs."""

    def __init__(self, op):
        super().__init__()
        self.op = op

    def forward(self, *inputs):
        return sum(inputs[1:], inputs[0]) if self.op == "add" else torch.cat(inputs, 1)


class Linear(nn.Linear):
    """A linear layer takes the whole feature map, flattened or not."""

    def forward(self, x):
        return super().forward(x.flatten(1))


def start_weights(module, kaiming, std):
    """The initialisations that a file can ask for instead of PyTorch's own; biases are then 0."""
    if kaiming and isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif kaiming:
        nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
    elif std:
        nn.init.normal_(module.weight, std=std)
    if (kaiming or std) and module.bias is not None:
        nn.init.zeros_(module.bias)
    return module


def make_weighted(op, channels, features, take):
    """conv2d, linear and batch_norm, which own parameters."""
    if op == "batch_norm":
        norm = nn.BatchNorm2d(channels, take("eps", 1e-5), take("momentum", 0.1), take("affine", True))
        if take("zero_init", False):
            nn.init.zeros_(norm.weight)
        return norm
    out, bias, kaiming, std = take("out"), take("bias", True), take("kaiming", False), take("std", 0)
    if op == "linear":
        return start_weights(Linear(features, out, bias), kaiming, std)
    return start_weights(nn.Conv2d(channels, out, take("kernel"), take("stride", 1), take("pad", 0),
                                   take("dilation", 1), take("groups", 1), bias), kaiming, std)


def make_module(op, shape, options):
    """The module of a layer whose first input is `shape` (no batch); takes what it knows out of `options`."""
    take = options.pop
    if op in PLAIN:
        return PLAIN[op]()
    if op in POOLS:
        more = {key: take(key) for key in ("ceil_mode", "count_include_pad") if key in options}
        return POOLS[op](take("kernel"), take("stride", None), take("pad", 0), **more)
    if op in SIZED:
        return SIZED[op](take("size"))
    if op in ("add", "concat"):
        return Joint(op)
    if op == "gelu":
        return nn.GELU(approximate="tanh" if take("tanh", False) else "none")
    if op == "leaky_relu":
        return nn.LeakyReLU(take("slope", 0.01))
    if op == "dropout":
        return nn.Dropout(take("p", 0.5))
    if op in ("conv2d", "linear", "batch_norm"):
        return make_weighted(op, shape[0], torch.Size(shape).numel(), take)
    raise ValueError(f"op {op}: not one this reader knows")


class YamlNet(nn.Module):
    """Its parameters are called <layer's name>.<weight|bias|running_mean|...>, as in strata's files."""

    def __init__(self, layers, shape, classes):
        super().__init__()
        self.steps = []  # (its output's name, module, its inputs' names)
        self.names = []  # of the modules, dots and all: nn.Module's own names must not hold dots
        seen, before = {"input": torch.zeros(2, *shape)}, "input"
        for number, layer in enumerate(layers):
            options = {key: classes if value == "$classes" else value for key, value in layer.items()}
            op, name = options.pop("op"), options.pop("name", f"layer {number}")
            inputs = options.pop("in", before)
            inputs = inputs if isinstance(inputs, list) else [inputs]
            module = make_module(op, seen[inputs[0]].shape[1:], options)
            if options:
                raise ValueError(f"{name} ({op}): options this reader does not know: {', '.join(options)}")
            with torch.no_grad():
                out = module.eval()(*[seen[i] for i in inputs])
            # batch norm of [N,D] is written as batch norm of 1x1 images
            seen[name] = out[:, :, None, None] if out.dim() == 2 else out
            self.steps.append((name, module, inputs))
            self.add_module(str(number), module)
            self.names.append(name)
            before = name
        self.train()

    def forward(self, x):
        seen = {"input": x}
        for name, module, inputs in self.steps:
            out = module(*[seen[i] for i in inputs])
            seen[name] = out[:, :, None, None] if out.dim() == 2 else out
        return seen[self.steps[-1][0]].flatten(1)

    def weights(self):
        """Its state dict under the file's names."""
        split = [(key.split(".", 1), t) for key, t in self.state_dict().items()]
        return {f"{self.names[int(number)]}.{rest}": t for (number, rest), t in split}

    def load_weights(self, weights):
        """The reverse; every tensor must be there, and no other."""
        number = {name: i for i, name in enumerate(self.names)}
        split = [(key.rsplit(".", 1), t) for key, t in weights.items()]
        self.load_state_dict({f"{number[name]}.{last}": t for (name, last), t in split})


def load(path, shape, classes, **choices):
    """The network of a model file for images of `shape` (channels, height, width); choices: stem="small"."""
    with open(path, encoding="utf-8") as file:
        description = yaml.safe_load(file)
    chosen = {key: choices.get(key) or values[0] for key, values in description.get("choices", {}).items()}
    layers = []
    for layer in description["layers"]:
        choice, _, value = layer.pop("when", "").partition("=")
        if not choice or chosen[choice] == value:
            layers.append(layer)
    return YamlNet(layers, shape, classes)
