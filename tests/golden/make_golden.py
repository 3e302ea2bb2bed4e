#!/usr/bin/env python3
"""Golden meta-gradients: small problems of the four preset families, answered by PyTorch in float64.

Each file is a meta-gradient problem (parameters, support and query, the [model] and [inner] keys as metadata) together with
its answer: expected.NAME, the second-order meta-gradient by reverse over reverse; first_order.NAME, the first-order one;
expected.query_loss [T] and expected.support_loss [T, K]. Nothing of the engine takes part in making them.

Run it where numpy and torch (2.x, CPU) are installed, from this folder:
    python3 make_golden.py
The files are a function of the seeds below; another version of torch moves the answers in their last bits only.
"""
import json
import struct

import numpy as np
import torch
import torch.nn.functional as F

FAMILIES = {
    "paper": dict(filters=[2, 3, 4, 4], height=16, width=18, channels=1, stride=1, padding="symmetric", pool="max",
                  head="flatten", norm_scale=True, epsilon=1e-5, steps=2, rate=0.05, loss="mean", ways=3),
    "released": dict(filters=[4, 3, 3, 4], height=18, width=17, channels=1, stride=2, padding="same", pool="none",
                     head="mean", norm_scale=False, epsilon=1e-3, steps=3, rate=0.02, loss="sum", ways=3),
    "omniglot": dict(filters=[4, 4, 4, 4], height=16, width=16, channels=1, stride=1, padding="symmetric", pool="max",
                     head="flatten", norm_scale=True, epsilon=1e-5, steps=1, rate=0.4, loss="mean", ways=4),
    "miniimagenet": dict(filters=[3, 3, 3, 3], height=17, width=16, channels=3, stride=1, padding="symmetric", pool="max",
                         head="flatten", norm_scale=True, epsilon=1e-5, steps=2, rate=0.1, loss="mean", ways=2),
}
TASKS = 2


def same_padding(size, kernel, stride):
    """TensorFlow's SAME: the output has ceil(size / stride) pixels, an odd pixel of padding goes to the end."""
    out = -(-size // stride)
    total = max(0, (out - 1) * stride + kernel - size)
    return total // 2, total - total // 2


def make_params(f, rng):
    params, channels, h, w = {}, f["channels"], f["height"], f["width"]
    for i, k in enumerate(f["filters"], 1):
        params[f"block{i}.conv.weight"] = rng.uniform(-1, 1, (3, 3, channels, k)) / np.sqrt(3 * channels)
        if f["norm_scale"]:
            params[f"block{i}.norm.scale"] = rng.uniform(-1.2, 1.5, k)  # negative scales too
        params[f"block{i}.norm.shift"] = rng.uniform(-0.4, 0.4, k)
        channels, h, w = k, -(-h // f["stride"]), -(-w // f["stride"])
        if f["pool"] == "max":
            h, w = h // 2, w // 2
    features = channels if f["head"] == "mean" else channels * h * w
    params["head.weight"] = rng.uniform(-1, 1, (features, f["ways"]))
    params["head.bias"] = rng.uniform(-0.3, 0.3, f["ways"])
    return params


def logits(f, params, x):
    """x [N, H, W, C]; every tensor stays in the order of the files, and is turned for torch where it is used."""
    a = x.permute(0, 3, 1, 2)
    for i in range(1, len(f["filters"]) + 1):
        if f["padding"] == "same":
            top, bottom = same_padding(a.shape[2], 3, f["stride"])
            left, right = same_padding(a.shape[3], 3, f["stride"])
        else:
            top = bottom = left = right = 1
        a = F.pad(a, (left, right, top, bottom))
        y = F.conv2d(a, params[f"block{i}.conv.weight"].permute(3, 2, 0, 1), stride=f["stride"])
        mean = y.mean((0, 2, 3), keepdim=True)
        variance = ((y - mean) ** 2).mean((0, 2, 3), keepdim=True)
        z = (y - mean) / torch.sqrt(variance + f["epsilon"])
        if f["norm_scale"]:
            z = z * params[f"block{i}.norm.scale"].view(1, -1, 1, 1)
        a = torch.relu(z + params[f"block{i}.norm.shift"].view(1, -1, 1, 1))
        if f["pool"] == "max":
            a = F.max_pool2d(a, 2)
    features = a.mean((2, 3)) if f["head"] == "mean" else a.permute(0, 2, 3, 1).reshape(a.shape[0], -1)
    return features @ params["head.weight"] + params["head.bias"]


def meta_gradient(f, values, batch, second_order):
    start = {n: torch.tensor(v, dtype=torch.float64, requires_grad=True) for n, v in values.items()}
    query_losses, support_losses = [], []
    for t in range(TASKS):
        theta, row = start, []
        x, y, qx, qy = (torch.tensor(a[t]) for a in batch)
        x, qx = x.double(), qx.double()
        for _ in range(f["steps"]):
            loss = F.cross_entropy(logits(f, theta, x), y, reduction=f["loss"])
            row.append(loss.item())
            grads = torch.autograd.grad(loss, list(theta.values()), create_graph=second_order)
            theta = {n: p - f["rate"] * g for (n, p), g in zip(theta.items(), grads)}
        query_losses.append(F.cross_entropy(logits(f, theta, qx), qy, reduction=f["loss"]))
        support_losses.append(row)
    meta_loss = torch.stack(query_losses).mean()
    grads = torch.autograd.grad(meta_loss, list(start.values()))
    return ({n: g.numpy() for n, g in zip(start, grads)}, np.array([q.item() for q in query_losses]),
            np.array(support_losses))


def config_text(f):
    return (f"[model]\nfilters = {f['filters']}\nkernel = 3\nstride = {f['stride']}\npadding = \"{f['padding']}\"\n"
            f"pool = \"{f['pool']}\"\nhead = \"{f['head']}\"\nnorm_scale = {str(f['norm_scale']).lower()}\n"
            f"norm_epsilon = {f['epsilon']!r}\n\n[inner]\nsteps = {f['steps']}\nrate = {f['rate']}\norder = 2\n"
            f"method = \"mixed\"\nloss = \"{f['loss']}\"\n")


def write_safetensors(path, tensors, metadata):
    names = {np.dtype("float32"): "F32", np.dtype("float64"): "F64", np.dtype("int64"): "I64"}
    header, data = {"__metadata__": metadata}, b""
    for name, array in tensors.items():
        raw = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": names[array.dtype], "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def main():
    torch.set_num_threads(1)
    for seed, (family, f) in enumerate(FAMILIES.items(), 1):
        rng = np.random.default_rng(seed)
        params = make_params(f, rng)
        shape = (TASKS, f["ways"], f["height"], f["width"], f["channels"])
        images = [rng.uniform(0, 1, shape).astype(np.float32) for _ in range(2)]
        labels = [np.stack([rng.permutation(f["ways"]) for _ in range(TASKS)]).astype(np.int64) for _ in range(2)]
        batch = (images[0], labels[0], images[1], labels[1])
        gradient, query_loss, support_loss = meta_gradient(f, params, batch, second_order=True)
        first, _, _ = meta_gradient(f, params, batch, second_order=False)
        tensors = dict(params)
        tensors.update(zip(("support_x", "support_y", "query_x", "query_y"), batch))
        tensors.update({f"expected.{n}": g for n, g in gradient.items()})
        tensors.update({f"first_order.{n}": g for n, g in first.items()})
        tensors.update({"expected.query_loss": query_loss, "expected.support_loss": support_loss})
        write_safetensors(f"{family}.safetensors", tensors, {"config": config_text(f)})


if __name__ == "__main__":
    main()
