"""A model file as a PyTorch module: the same layers under the same parameter names, read without strata.

Knows what the small networks of the zoo and of tests/golden use; anything else is refused by name. Residual
networks are compared with torchvision's own classes instead.
"""
import yaml
from torch_side import nn, torch

POOLS = {"max_pool": nn.MaxPool2d, "avg_pool": nn.AvgPool2d}
SIZED = {"adaptive_avg_pool": nn.AdaptiveAvgPool2d, "adaptive_max_pool": nn.AdaptiveMaxPool2d}
PLAIN = {"relu": nn.ReLU, "silu": nn.SiLU, "gelu": nn.GELU, "flatten": nn.Flatten,
         "identity": nn.Identity, "global_avg_pool": lambda: nn.AdaptiveAvgPool2d(1),
         "global_max_pool": lambda: nn.AdaptiveMaxPool2d(1)}


def make_module(op, shape, options, classes):
    """The module of one layer whose input is `shape` (no batch); takes what it knows out of `options`."""
    take = options.pop
    if op in PLAIN:
        return PLAIN[op]()
    if op in POOLS:
        return POOLS[op](take("kernel"), take("stride", None), take("pad", 0))
    if op in SIZED:
        return SIZED[op](take("size"))
    if op == "leaky_relu":
        return nn.LeakyReLU(take("slope", 0.01))
    if op == "dropout":
        return nn.Dropout(take("p", 0.5))
    if op == "batch_norm":
        make = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
        return make(shape[0], take("eps", 1e-5), take("momentum", 0.1))
    out = take("out", None)
    out = classes if out == "classes" else out
    if op == "conv2d":
        return nn.Conv2d(shape[0], out, take("kernel"), take("stride", 1), take("pad", 0),
                         take("dilation", 1), take("groups", 1), take("bias", True))
    if op == "linear":
        return nn.Sequential(nn.Flatten(), nn.Linear(torch.Size(shape).numel(), out, take("bias", True)))
    raise ValueError(f"op {op}: not one this reader knows")


class YamlNet(nn.Module):
    """Layers in a row; parameters are called <layer's name>.<weight|bias|running_mean|...> as in the file."""

    def __init__(self, layers, shape, classes):
        super().__init__()
        self.order = []
        x = torch.zeros(2, *shape)
        for number, layer in enumerate(layers):
            options = dict(layer)
            op, name = options.pop("op"), options.pop("name", f"layer{number}")
            module = make_module(op, x.shape[1:], options, classes)
            if options:
                raise ValueError(f"{name} ({op}): options this reader does not know: {', '.join(options)}")
            with torch.no_grad():
                x = module.eval()(x)
            self.order.append(module)
            self.add_module(name, module[1] if isinstance(module, nn.Sequential) else module)
        self.train()

    def forward(self, x):
        for module in self.order:
            x = module(x)
        return x


def load(path, shape, classes):
    """The network of a model file for images of `shape` (channels, height, width)."""
    with open(path, encoding="utf-8") as file:
        return YamlNet(yaml.safe_load(file)["layers"], shape, classes)
