"""Checkpoints of PyTorch to safetensors."""

import argparse
import os
import pathlib
import pickle
import struct
import zipfile
from collections import OrderedDict

import pytest

from distilld import DistilldError, Tensor, pth_to_safetensors, read_pth, write_safetensors
from distilld.__main__ import main
from tensor_files import load

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")


def save(value, path, is_zip=True):
    torch.save(value, str(path), _use_new_zipfile_serialization=is_zip)
    return path


def state():
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(4, 3, 2, generator=generator)
    return OrderedDict([
        ("conv.weight", weight), ("conv.transposed", weight.permute(2, 0, 1)),
        ("part", weight[1:3, :, 1]), ("half", weight.half()), ("brain", weight.bfloat16()),
        ("double", weight.double()), ("bn.num_batches_tracked", torch.tensor(7)),
        ("mask", torch.tensor([True, False])), ("bytes", torch.arange(5, dtype=torch.uint8)),
        ("empty", torch.zeros(0, 3)), ("parameter", torch.nn.Parameter(weight * 2))])


def expected(tensors):
    out = {}
    for name, tensor in tensors.items():
        whole = tensor.detach().contiguous()
        raw = whole.view(torch.int16) if whole.dtype == torch.bfloat16 else whole
        out[name] = (tuple(whole.shape), raw.numpy().tobytes())
    return out


def plain(tensors):
    return {name: (tensor.shape, tensor.data) for name, tensor in tensors.items()}


@needs_torch
@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("use_torch", [True, False])
def test_all_types_and_layouts(tmp_path, is_zip, use_torch):
    source = save(state(), tmp_path / "x.pth", is_zip)
    pth_to_safetensors(source, tmp_path / "x.safetensors", use_torch=use_torch,
                       metadata={"architecture": "resnet8"})
    tensors, metadata = load(tmp_path / "x.safetensors")
    assert plain(tensors) == expected(state())
    assert tensors["brain"].dtype == "BF16" and tensors["bn.num_batches_tracked"].dtype == "I64"
    assert metadata == {"architecture": "resnet8"}
    assert list(tensors) == list(state())


@needs_torch
@pytest.mark.parametrize("is_zip", [True, False])
def test_training_checkpoint(tmp_path, is_zip):
    """Weights inside, with options and optimizer around them, from data-parallel training."""
    value = {"epoch": 3, "opt": argparse.Namespace(lr=0.1, tags=["a"], path=pathlib.Path("x")),
             "model": OrderedDict(("module." + name, tensor) for name, tensor in state().items()),
             "optimizer": {"state": {0: {"momentum_buffer": torch.ones(2)}}}}
    tensors = read_pth(save(value, tmp_path / "x.pth", is_zip))
    assert plain(tensors) == expected(state())


@needs_torch
@pytest.mark.parametrize("use_torch", [True, False])
def test_weights_under_other_names(tmp_path, use_torch):
    weights = dict(state())
    for value in ({"student": weights, "accuracy": torch.tensor(0.7)}, {"net": {"inner": weights}},
                  {"model": weights, "ema": weights}):
        tensors = read_pth(save(value, tmp_path / "x.pth"), use_torch=use_torch)
        assert plain(tensors) == expected(state())
    save({"teacher": weights, "student": weights}, tmp_path / "x.pth")
    with pytest.raises(DistilldError, match="several names: teacher, student"):
        read_pth(tmp_path / "x.pth", use_torch=use_torch)


@needs_torch
@pytest.mark.parametrize("use_torch", [True, False])
def test_a_whole_network_is_no_state_dict(tmp_path, use_torch):
    save(torch.nn.Linear(2, 2), tmp_path / "x.pth")
    with pytest.raises(DistilldError, match=r"x.pth: no weights found; .* state_dict\(\)"):
        read_pth(tmp_path / "x.pth", use_torch=use_torch)


class Attack:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@needs_torch
@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("use_torch", [True, False])
def test_nothing_in_a_checkpoint_is_run(tmp_path, is_zip, use_torch):
    value = {"model": state(), "extra": Attack(tmp_path / "proof")}
    tensors = read_pth(save(value, tmp_path / "x.pth", is_zip), use_torch=use_torch)
    assert set(tensors) == set(state())
    assert not (tmp_path / "proof").exists()


def write_archive(path, value_pickle, blobs=()):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", value_pickle)
        for key, blob in blobs:
            archive.writestr(f"x/data/{key}", blob)


def tensor_pickle(offset=0, shape=(2,), strides=(1,), storage="FloatStorage"):
    """The pickle that PyTorch writes for {"w": tensor}, opcode by opcode."""
    def text(value):
        raw = value.encode()
        return b"X" + struct.pack("<I", len(raw)) + raw

    def integers(values):
        return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"
    identity = (b"(" + text("storage") + f"ctorch\n{storage}\n".encode() + text("0") + text("cpu")
                + b"J" + struct.pack("<i", 2) + b"tQ")
    tensor = (b"ctorch._utils\n_rebuild_tensor_v2\n(" + identity + b"J" + struct.pack("<i", offset)
              + integers(shape) + integers(strides) + b"\x89" + b"}" + b"tR")
    return b"\x80\x02}" + text("w") + tensor + b"s."


def test_a_checkpoint_without_pytorch(tmp_path):
    write_archive(tmp_path / "x.pth", tensor_pickle(), [("0", struct.pack("<2f", 1.5, -2))])
    tensors = read_pth(tmp_path / "x.pth", use_torch=False)
    assert tensors == {"w": Tensor("F32", (2,), struct.pack("<2f", 1.5, -2))}


@pytest.mark.parametrize("change", [
    {"shape": (3,)}, {"offset": 1}, {"offset": -1}, {"strides": (9,)}, {"strides": (-1,)},
    {"shape": (1 << 30, 1 << 30), "strides": (1 << 30, 1)}, {"storage": "QuantumStorage"}])
def test_tensors_that_lie_are_refused(tmp_path, change):
    write_archive(tmp_path / "x.pth", tensor_pickle(**change), [("0", struct.pack("<2f", 1.5, -2))])
    with pytest.raises(DistilldError):
        read_pth(tmp_path / "x.pth", use_torch=False)


@pytest.mark.parametrize("use_torch", [True, False])
@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x05\x06" + b"\0" * 18,
                                     pickle.dumps({"a": 1}), pickle.dumps(os.system)])
def test_what_is_no_checkpoint(tmp_path, content, use_torch):
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(DistilldError):
        read_pth(tmp_path / "x.pth", use_torch=use_torch)
    assert main(["convert", str(tmp_path / "x.pth"), str(tmp_path / "out")]) == 1


@needs_torch
def test_a_type_that_safetensors_lacks(tmp_path):
    save({"w": torch.zeros(2, dtype=torch.complex64)}, tmp_path / "x.pth", True)
    for use_torch in (True, False):
        with pytest.raises(DistilldError):
            read_pth(tmp_path / "x.pth", use_torch=use_torch)


@needs_torch
@pytest.mark.parametrize("use_torch", [True, False])
def test_cut_files(tmp_path, use_torch):
    for is_zip in (True, False):
        data = save(state(), tmp_path / "x.pth", is_zip).read_bytes()
        for length in range(0, len(data), max(1, len(data) // 50)):
            (tmp_path / "cut.pth").write_bytes(data[:length])
            with pytest.raises(DistilldError):
                read_pth(tmp_path / "cut.pth", use_torch=use_torch)


def test_write_safetensors(tmp_path):
    written = {"a": Tensor("U8", (3,), b"abc"), "b": Tensor("I64", (), b"\7" * 8)}
    write_safetensors(tmp_path / "x", written)
    tensors, metadata = load(tmp_path / "x")
    assert tensors == written
    assert metadata is None
